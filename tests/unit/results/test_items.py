"""The file of items beside a record keeps them, and belongs to that record alone."""

from __future__ import annotations

import errno
import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import results
from harness.errors import RecordError
from harness.evaluators.items import Items, correlation, labels, matching, mined, values
from harness.results.items import FORMAT, get_items, items_path, write
from harness.types import Part, Record

PART = Part("test", "default")


def put(folder: Path, items: dict[Part, Items]) -> Record:
    """A record with its items, put together."""
    entries = [{"main_score": own.whole(), "hf_subset": part.subset, "languages": []} for part, own in items.items()]
    made = Record(
        task="T",
        model="org/m",
        revision="r",
        dataset_revision="1",
        scores={"test": entries},
        harness={"fingerprint": "f1"},
    )
    return results.put(folder, made, model_meta={}, items=items)


def record(folder: Path, items: dict[Part, Items], *, fingerprint: str = "f1") -> Record:
    """A record on disk whose main scores are those of the items."""
    scores: dict[str, list[dict[str, object]]] = {}
    for part, own in items.items():
        entry = {"main_score": own.whole(), "hf_subset": part.subset, "languages": []}
        scores.setdefault(part.split, []).append(entry)
    made = Record(
        task="T",
        model="org/m",
        revision="r",
        dataset_revision="1",
        scores=scores,
        harness={"fingerprint": fingerprint, "parts": {str(part): {"seconds": {}} for part in items}},
    )
    path = Path(results.put(folder, made, model_meta={}).path)
    return results.from_json(path.read_text(), path=path)


def test_items_are_written_before_their_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds a part in a record finds its items: when the disk fails in between, the record is the old one."""
    first, second = Part("test", "a"), Part("test", "b")
    old = put(tmp_path, {first: values([0.25, 0.75], metric="ap", unit="query")})
    rename = os.replace

    def full(source: Path, target: Path) -> None:
        if target.suffix == ".json":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(RecordError, match="free some space"):
            put(tmp_path, {second: values([1.0], metric="ap", unit="query")})
    again = results.from_json(Path(old.path).read_text(), path=old.path)
    assert again == old
    assert set(get_items(again) or {}) == {first}
    assert put(tmp_path, {second: values([1.0], metric="ap", unit="query")}).parts.keys() == {first, second}
    assert set(get_items(again) or {}) == {first}


EVERY_KIND = {
    Part("test", "sts"): correlation([0.1, 0.9, 0.5, 0.4], [1, 3, 3, 2], metric="spearman"),
    Part("test", "pairs"): matching({"cosine": [0.1, 0.9, 0.5], "dot": [3, 2, 1]}, [0, 1, 1]),
    Part("test", "labels"): labels([0, 1, 1], [[0, 1, 0], [1, 1, 1]], metric="f1"),
    Part("dev", "mined"): mined([0, 1, 2], [0, 2, 2], metric="f1"),
    Part("dev", "queries"): replace(values([0.5, 0.25], metric="ndcg_at_10", unit="query"), position=np.array([3, 7])),
}


class TestFile:
    def test_round_trip(self, tmp_path: Path) -> None:
        """Every kind comes back as it was, beside its record, and mteb's layout is not disturbed."""
        made = record(tmp_path, EVERY_KIND)
        path = write(Path(made.path), made, EVERY_KIND)
        assert path == items_path(made.path) == Path(made.path).parent / "T.items.npz"
        found = get_items(made)
        assert found is not None
        assert set(found) == set(EVERY_KIND)
        for part, own in EVERY_KIND.items():
            assert (found[part].kind, found[part].metric, found[part].unit) == (own.kind, own.metric, own.unit)
            assert found[part].position.tolist() == own.position.tolist()
            assert {name: column.tolist() for name, column in found[part].columns.items()} == {
                name: column.tolist() for name, column in own.columns.items()
            }
        assert [type(item) for item in results.scan(tmp_path)] == [Record]

    def test_equal_items_give_equal_bytes(self, tmp_path: Path) -> None:
        """The file is a function of its items: no time, no order of parts."""
        made = record(tmp_path, EVERY_KIND)
        first = write(Path(made.path), made, EVERY_KIND).read_bytes()
        again = write(Path(made.path), made, dict(reversed(EVERY_KIND.items()))).read_bytes()
        assert first == again

    def test_parts_are_merged(self, tmp_path: Path) -> None:
        """Parts that a later run computes join those of the earlier one, as in the record itself."""
        made = record(tmp_path, EVERY_KIND)
        for part, own in EVERY_KIND.items():
            write(Path(made.path), made, {part: own})
        assert set(get_items(made) or {}) == set(EVERY_KIND)

    def test_before_the_record(self, tmp_path: Path) -> None:
        """Items may lie there before their part is recorded, and count from then on."""
        first, second = Part("test", "a"), Part("test", "b")
        items = {part: values([0.5, 0.25], metric="m", unit="query") for part in (first, second)}
        made = record(tmp_path, {first: items[first]})
        write(Path(made.path), made, {second: items[second]})
        write(Path(made.path), made, {first: items[first]})
        assert set(get_items(made) or {}) == {first}
        assert set(get_items(record(tmp_path, items)) or {}) == {first, second}

    def test_items_of_an_older_record(self, tmp_path: Path) -> None:
        """Items of another fingerprint, or whose score is not the recorded one, are not used."""
        items = {PART: values([0.5, 0.25], metric="m", unit="query")}
        made = record(tmp_path, items)
        write(Path(made.path), made, items)
        assert get_items(record(tmp_path, items, fingerprint="f2")) is None
        other = {PART: values([0.5, 0.75], metric="m", unit="query")}
        assert get_items(record(tmp_path, other)) == {}

    def test_no_items(self, tmp_path: Path) -> None:
        """A record without items has none; one without a fingerprint cannot get any."""
        made = record(tmp_path, {PART: values([0.5], metric="m", unit="query")})
        assert get_items(made) is None
        elsewhere = Record(task="T", model="m", revision="r", dataset_revision="1", scores={})
        assert get_items(elsewhere) is None
        with pytest.raises(RecordError, match="with a fingerprint"):
            write(tmp_path / "T.json", elsewhere, {})

    @pytest.mark.parametrize(
        ("damage", "reason"),
        [
            ("cut", "not an items file"),
            ("text", "not an items file"),
            ("no header", "not an items file"),
            ("newer", "update embedding-harness"),
            ("short column", "does not fit"),
            ("missing column", "does not fit"),
            ("pickle", "not an items file"),
            ("bomb", "when unpacked"),
        ],
    )
    def test_broken_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str, reason: str) -> None:
        """Each defect is one clear error; nothing is unpickled, nothing large unpacked."""
        monkeypatch.setattr("harness.results.items.MAX_BYTES", 2**20)
        made = record(tmp_path, {PART: values([0.5], metric="m", unit="query")})
        path = write(Path(made.path), made, {PART: values([0.5], metric="m", unit="query")})
        about = {"split": "test", "subset": "default", "kind": "values", "metric": "m", "unit": "query"}
        header = {"format": FORMAT, "fingerprint": "f1", "task": "T", "parts": [about]}
        arrays: dict[str, object] = {"0.position": np.arange(1), "0.value": np.ones(1, np.float32)}
        if damage == "cut":
            path.write_bytes(path.read_bytes()[:100])
        elif damage == "text":
            path.write_text("hello")
        elif damage == "bomb":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("header.npy", b"\0" * 2 * 2**20)
        else:
            if damage == "newer":
                header["format"] = FORMAT + 1
            if damage == "short column":
                arrays["0.value"] = np.ones(2, np.float32)
            if damage == "missing column":
                del arrays["0.value"]
            if damage == "pickle":
                arrays["0.value"] = np.array([{"a": 1}], object)
            if damage != "no header":
                arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
            np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
        with pytest.raises(RecordError, match=reason):
            get_items(made)
