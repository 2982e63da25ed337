"""Kept files: what was damaged is made anew or named in one sentence, and never read as something else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow
import pytest

from harness.data import hub_tables, revision_check, table_cache
from harness.errors import RecordError
from harness.evaluators.items import Items, values
from harness.files import kept
from harness.models import endpoint_probe
from harness.nightly import night_state
from harness.nightly.engines import corpus_shards
from harness.nightly.history import snapshot_files
from harness.nightly.publish import closing_steps
from harness.results.items import get_items, write
from harness.types import Loaded, Part, Record
from tests.nights import night


def damaged(content: bytes) -> Iterator[bytes]:
    """The content with one bit changed, at places spread over it; cut off; empty; and what an editor leaves."""
    for at in {*range(0, len(content), max(1, len(content) // 60)), len(content) - 1}:
        yield content[:at] + bytes([content[at] ^ (1 << at % 8)]) + content[at + 1 :]
    yield from (
        content[: len(content) // 2],
        b"",
        b"null",
        b"{}",
        b"[]",
        "é".encode("latin-1"),
        content.decode("latin-1").encode("utf-16"),
    )


def test_a_file_of_the_cache(tmp_path: Path) -> None:
    """A kept file comes back as it was; damaged, moved to another name, or a folder, it counts as absent."""
    file = tmp_path / "a.bin"
    kept.write(file, b"one\ntwo")
    assert kept.read(file) == b"one\ntwo"
    whole = file.read_bytes()
    for content in damaged(whole):
        file.write_bytes(content)
        assert kept.read(file) is None
    (tmp_path / "b.bin").write_bytes(whole)
    assert kept.read(tmp_path / "b.bin") is None
    assert kept.read(tmp_path) is None
    assert kept.read(tmp_path / "none") is None


@pytest.mark.parametrize("value", [{}, {"a": 1}, {"b": {"digest": "x"}, "c": "}"}])
def test_a_json_object_with_its_digest(value: dict[str, Any]) -> None:
    """The object stays JSON that any program reads; a damaged one is refused."""
    text = json.dumps(value).encode()
    whole = kept.with_digest(text)
    assert json.loads(whole) == {**value, "digest": json.loads(whole)["digest"]}
    assert kept.without_digest(whole) == text
    for content in damaged(whole):
        assert kept.without_digest(content) is None


def test_a_table_whose_bits_changed(tmp_path: Path) -> None:
    """A damaged table of a data set is read anew: Arrow gives other data for one changed bit, or ends the process."""
    file = tmp_path / "t.arrow"
    table_cache.put(file, pyarrow.table({"text": [f"text {number}" for number in range(50)]}))
    for content in damaged(file.read_bytes()):
        file.write_bytes(content)
        assert table_cache.get(file) is None


def test_a_manifest_that_was_damaged(tmp_path: Path) -> None:
    """What the hub said of a data set is asked again."""
    file = tmp_path / "config-default.json"
    answer = {"module": "json", "options": {}, "features": None, "files": {"test": ["data/test.jsonl"]}}
    assert hub_tables._kept(file, lambda: answer) == answer
    for content in damaged(file.read_bytes()):
        file.write_bytes(content)
        assert hub_tables._kept(file, lambda: answer) == answer
    assert hub_tables._kept(file, lambda: None) == answer


def test_the_digest_of_data_that_was_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged note of what a data set held is written anew and does not blame the data set."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    monkeypatch.setattr(revision_check.registry, "fingerprint_of", lambda task: "f")
    task: Any = SimpleNamespace(name="T", source=SimpleNamespace(path="a/b", revision="c"))
    part, loaded = Part("test", "default"), Loaded(gold=None, digest="d" * 64, rows={"test": 1})  # type: ignore[arg-type]
    revision_check.check(task, part, loaded)
    [file] = (tmp_path / "data-seen").iterdir()
    whole = file.read_bytes()
    for content in damaged(whole):
        file.write_bytes(content)
        revision_check.check(task, part, loaded)
        assert file.read_bytes() == whole


def test_the_vectors_of_an_endpoint_that_were_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damaged vectors of the two texts are kept anew."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    vectors = np.eye(2, 8, dtype=np.float32)
    weights = endpoint_probe.weights_id("r", vectors)
    file = tmp_path / "endpoints" / "r.json"
    for content in damaged(file.read_bytes()):
        file.write_bytes(content)
        assert endpoint_probe.weights_id("r", vectors) == weights


@pytest.mark.parametrize("name", [night_state.STATUS, closing_steps.FILE])
def test_the_state_of_a_night_that_was_damaged(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged status is no status, and damaged notes of steps are no steps: they are done again."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    schedule: Any = SimpleNamespace(file=tmp_path / "s.yaml", history=tmp_path)
    read: Callable[[], Any] = lambda: night_state.read_status(tmp_path)  # noqa: E731
    nothing: Any = None
    if name == night_state.STATUS:
        night_state.Journal(schedule, started=1.0).show()
    else:
        closing_steps._save(tmp_path, closing_steps.CompletedSteps(night=3, done=["site"]))
        read, nothing = lambda: closing_steps._read(tmp_path), closing_steps.CompletedSteps()
    assert read() != nothing
    for content in damaged((tmp_path / name).read_bytes()):
        (tmp_path / name).write_bytes(content)
        assert read() == nothing


def test_a_snapshot_that_was_damaged(tmp_path: Path) -> None:
    """A damaged snapshot is one sentence that names the file, or the same night."""
    path = snapshot_files.write(tmp_path, night(1, {("m", "T"): 0.5}))
    whole, before = path.read_bytes(), snapshot_files.read(path)
    path.chmod(0o644)
    for content in damaged(whole):
        path.write_bytes(content)
        try:
            assert snapshot_files.read(path) == before
        except RecordError as err:
            assert str(err).startswith(f"{path}: not a snapshot")  # noqa: PT017


def test_hits_of_a_shard_that_were_damaged(tmp_path: Path) -> None:
    """A damaged file of a shard's hits is no file, whichever of its bits changed."""
    file = tmp_path / "0-9.npz"
    file.write_bytes(kept.sealed(file, b"anything"))
    for content in damaged(file.read_bytes()):
        file.write_bytes(content)
        assert corpus_shards.load(file) is None


def written_items(folder: Path) -> tuple[Record, dict[Part, Items], Path]:
    """A record with the items of its one part, and the file that holds them."""
    part = Part("test", "default")
    items = {part: values([0.5, 0.25] * 40, metric="m", unit="query")}
    entry = {"hf_subset": "default", "languages": ["eng-Latn"], "main_score": items[part].whole()}
    record = Record(
        task="T",
        model="m",
        revision="r",
        dataset_revision="1",
        scores={"test": [entry]},
        harness={"fingerprint": "f"},
        path=str(folder / "T.json"),
    )
    return record, items, write(Path(record.path), record, items)


def test_items_that_were_damaged(tmp_path: Path) -> None:
    """Damaged items are one sentence that names the file, and the next run of the cell writes them anew."""
    record, items, path = written_items(tmp_path)
    whole = path.read_bytes()
    np.load(path, allow_pickle=False)["header"]  # it stays an archive that NumPy reads
    for content in damaged(whole):
        path.write_bytes(content)
        with pytest.raises(RecordError, match=r"T\.items\.npz: .*; delete it"):
            get_items(record)
        write(Path(record.path), record, items)
        assert path.read_bytes() == whole


def test_items_without_a_digest_that_were_damaged(tmp_path: Path) -> None:
    """Items of an earlier version are read; damaged, they are the same items or one sentence, with any bit changed."""
    record, items, path = written_items(tmp_path)
    [part] = items
    whole = path.read_bytes()[:-73] + b"\0\0"
    path.write_bytes(whole)
    expected = (get_items(record) or {})[part].columns["value"].tolist()
    for at in range(0, len(whole), 5):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
        try:
            read = get_items(record)
        except RecordError:
            continue
        assert not read or read[part].columns["value"].tolist() == expected
