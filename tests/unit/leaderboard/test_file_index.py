"""The index reads what `results.scan` reads, refuses what it refuses, and knows what has changed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import results
from harness.errors import RecordError
from harness.leaderboard import file_index, file_summary, folder_owners, index_columns, reader_processes
from harness.results import folder_walk
from harness.results.paths import Identity
from harness.types import Record, Refused
from tests import boards

WHO = Identity("org/model", "r1")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read from here on."""
    found: list[str] = []
    plain = index_columns._bytes

    def spy(file: index_columns.FileToRead) -> bytes:
        found.append(Path(file.path).name)
        return plain(file)

    monkeypatch.setattr(index_columns, "_bytes", spy)
    return found


def scores_of(found: file_index.Index) -> dict[tuple[str, str], dict[tuple[str, str], float]]:
    """(model, task) -> part -> main score."""
    own, strings = found.columns, found.columns.strings
    return {
        (found.folders[file["folder"]].owner.identity.model, strings[file["task"]]): {
            (strings[score["split"]], strings[score["subset"]]): float(score["value"])
            for score in own.scores[file["first"] : file["first"] + file["count"]]
        }
        for file in own.files
        if file["problem"] == index_columns.NONE
    }


class TestSummary:
    def test_fast_and_strict_agree_on_public_files(self, shared: Path) -> None:
        """On every file of the public slice that the fast way reads, the strict way says the same; few need it."""
        slow = 0
        files = sorted(path for path in (shared / "public-results").rglob("*.json") if path.name != "model_meta.json")
        for path in files[::3]:
            data = path.read_bytes()
            found = file_summary._fast(data, path)
            slow += found is None
            if found is not None:
                assert found == file_summary._strict(data, path, WHO), path
        assert slow < len(files[::3]) / 20

    def test_bare_nan_is_none(self) -> None:
        """Python's NaN stands for no score, in a main score and in a metric."""
        text = json.dumps(boards.document("T", {boards.Part("a", "x"): float("nan"), boards.Part("b", "x"): 0.5}))
        assert "NaN" in text
        found = file_summary.summarise(text.encode(), path="f", identity=WHO)
        assert [score.value for score in found.scores] == [None, 0.5]

    def test_a_name_that_looks_like_nan_survives(self) -> None:
        """A subset called `: NaN` keeps its name."""
        text = json.dumps(boards.document("T", {boards.Part("a", "x: NaN"): float("nan")}))
        assert file_summary.summarise(text.encode(), path="f", identity=WHO).scores[0].subset == "x: NaN"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda text: text[:40], "not JSON"),
            (lambda text: text.replace('"task_name"', '"task_name": "U", "task_name"'), "twice"),
            (lambda text: text.replace('"main_score": 0.5', '"main_score": "high"'), "expected a number"),
            (lambda text: text.replace('"main_score": 0.5', '"main_score": true'), "expected a number"),
            (lambda text: text.replace('"main_score": 0.5', '"main_score": 0.5, "main_score": 0.9'), "twice"),
            (lambda text: text.replace('"hf_subset": "default"', '"hf_subset": 3'), "expected a string"),
            (lambda text: text.replace('"languages": ["eng-Latn"]', '"languages": "eng"'), "expected a list"),
            (lambda text: text.replace('"T"', '""'), "missing or empty"),
            (
                lambda text: text.replace('"mteb_version"', '"kg_co2_emissions": "low", "mteb_version"'),
                "expected a number",
            ),
            (lambda text: text.replace('"mteb_version"', '"date": 1, "date": 2, "mteb_version"'), "twice"),
            (lambda text: text.replace('"mteb_version"', '"scores": {}, "mteb_version"'), "twice"),
            (lambda text: text.replace('"languages": [', '"languages": [], "languages": ['), "twice"),
            (lambda text: "[]", "expected an object"),
            (lambda text: "{}", "scores"),
            (lambda text: '{"task_name": "T", "scores": {"test": []}}', "holds no scores"),
            (lambda text: "[" * 5000, "nested too deeply"),
            (lambda text: text.replace('"mteb_version"', '"harness": {"schema": 3}, "mteb_version"'), "newer harness"),
        ],
    )
    def test_what_is_refused(self, change: Any, reason: str) -> None:
        """Every defect is refused with its reason, whichever way reads it."""
        text = json.dumps(boards.document("T", 0.5))
        file_summary.summarise(text.encode(), path="f", identity=WHO)
        with pytest.raises(RecordError, match=reason):
            file_summary.summarise(change(text).encode(), path="f", identity=WHO)

    def test_an_overflowing_score_is_none(self) -> None:
        """A number beyond float64 is no score, as for the strict reader."""
        text = json.dumps(boards.document("T", 0.5)).replace("0.5", "1e999")
        assert file_summary.summarise(text.encode(), path="f", identity=WHO).scores[0].value is None

    def test_a_foreign_harness_key_is_not_ours(self) -> None:
        """Somebody else's key `harness` is no reason to refuse a file."""
        text = json.dumps(boards.document("T", 0.5, harness={"parts": "many"}))
        assert file_summary.summarise(text.encode(), path="f", identity=WHO).facts is None

    @settings(max_examples=60)
    @given(st.binary(max_size=40), st.integers(0, 300), st.integers(0, 40))
    def test_damage_is_refused_or_read_alike(self, junk: bytes, at: int, cut: int) -> None:
        """A file with bytes replaced is refused, or read as the strict way reads it where that reads it at all."""
        data = json.dumps(boards.document("T", {boards.Part("a", "x"): 0.25, boards.Part("b", "y"): 0.5})).encode()
        damaged = data[:at] + junk + data[at + cut :]
        try:
            found = file_summary.summarise(damaged, path="f", identity=WHO)
        except RecordError:
            return
        with contextlib.suppress(RecordError):  # of a defect in what the fast way skips
            assert found == file_summary._strict(damaged, "f", WHO)


class TestFolders:
    def test_the_same_files_as_scan(self, tmp_path: Path) -> None:
        """Files in right and wrong places, links, broken and foreign ones: both say the same of each."""
        root = tmp_path / "results"
        boards.put(root, "org/a", "T1", 0.5)
        boards.put(root, "org/b", "T1", 0.25, revision="r2")
        boards.put(root / "deep", "org/c", "T1", 0.5)
        boards.write(root / "loose.json", "{}")
        boards.write(root / "org__a" / "r1" / "Broken.json", '{"task_name": ')
        boards.write(root / "org__a" / "r1" / "notes.txt", "not looked at")
        boards.write(root / "org__d" / "r1" / "T1.json", json.dumps(boards.document("T1", 0.5)))
        boards.write(root / "org__e" / "r1" / "T1.json", json.dumps(boards.document("T1", 0.5)))
        boards.write(root / "org__e" / "r1" / "model_meta.json", '{"name": 7}')
        boards.write(tmp_path / "outside.json", "{}")
        (root / "org__a" / "r1" / "Out.json").symlink_to(tmp_path / "outside.json")
        (root / "org__a" / "r1" / "Nowhere.json").symlink_to(tmp_path / "nothing")
        (root / "org__f").symlink_to(root / "org__a")
        os.mkfifo(root / "org__a" / "r1" / "Pipe.json")
        scanned = list(results.scan(root))
        found = file_index.read(root)
        assert {refusal.path for refusal in found.refused()} == {
            item.path for item in scanned if isinstance(item, Refused)
        }
        assert {(item.model, item.task) for item in scanned if isinstance(item, Record)} == set(scores_of(found))
        assert len(found.refused()) == 8

    def test_public_results(self, shared: Path) -> None:
        """Every file of the public slice is read, one with a remark; nothing is passed over."""
        root = shared / "public-results"
        found = file_index.read(root)
        files = {path for path in root.rglob("*.json") if path.name != "model_meta.json"}
        assert len(found.columns.files) == len(files) > 3_000
        assert found.refused() == ()
        assert [Path(remark.path).name for remark in found.remarks()] == ["GermanSTSBenchmark.json"]
        assert "subset 'default' stands 2 times" in found.remarks()[0].remark
        assert file_index.read(root).remarks() == found.remarks()

    def test_owner(self, tmp_path: Path) -> None:
        """Names and facts from `model_meta.json`, whatever shape they have; the folders' names without one."""
        meta = {
            "name": "org/Real Name",
            "revision": "abc",
            "n_parameters": 22_700_000.0,
            "embed_dim": [64, 384],
            "max_tokens": None,
            "training_datasets": {"B": ["train"], "A": []},
            "license": 7,
            "open_weights": True,
        }
        boards.write(tmp_path / "org__x" / "r" / "model_meta.json", json.dumps(meta))
        owner = folder_owners.owner_of(tmp_path / "org__x" / "r")
        assert owner.identity == Identity("org/Real Name", "abc")
        assert owner.facts == folder_owners.ModelFacts(
            parameters=22_700_000, dimensions=384, trained_on=("A", "B"), open_weights=True
        )
        assert folder_owners.owner_of(tmp_path / "org__y__z" / "r").identity == Identity("org/y__z", "r")

    def test_a_clone_of_the_public_repository(self, tmp_path: Path) -> None:
        """Its records lie in `results`; a folder that holds records itself is taken as it is."""
        (tmp_path / "clone" / "results" / "org__a").mkdir(parents=True)
        assert folder_walk.results_root(tmp_path / "clone") == tmp_path / "clone" / "results"
        (tmp_path / "own" / "org__a").mkdir(parents=True)
        (tmp_path / "own" / "results").mkdir()
        assert folder_walk.results_root(tmp_path / "own") == tmp_path / "own"

    def test_no_folder(self, tmp_path: Path) -> None:
        """A folder that is not there is an error, not an empty leaderboard."""
        with pytest.raises(RecordError, match="no such folder"):
            file_index.read(tmp_path / "nothing")


class TestUpdates:
    def test_an_unchanged_folder_is_not_read_again(self, tmp_path: Path, reads: list[str]) -> None:
        """The second reading opens no result file and finds the same."""
        root = tmp_path / "results"
        for task in ("T1", "T2"):
            boards.put(root, "org/a", task, 0.5)
        first = file_index.read(root)
        assert sorted(reads) == ["T1.json", "T2.json"]
        reads.clear()
        again = file_index.read(root)
        assert reads == []
        assert scores_of(again) == scores_of(first)

    def test_only_what_changed_is_read(self, tmp_path: Path, reads: list[str]) -> None:
        """One file changed, one new, one gone: two are read, and the result is that of a fresh index."""
        root = tmp_path / "results"
        for task in ("T1", "T2", "T3"):
            boards.put(root, "org/b", task, 0.5, harness={"task_type": "STS", "encoder": {"device": task}})
        file_index.read(root)
        reads.clear()
        boards.put(root, "org/b", "T2", 0.75, harness={"task_type": "STS", "encoder": {"device": "new"}})
        boards.put(root, "org/a", "T9", 0.125)
        (root / "org__b" / "r1" / "T1.json").unlink()
        found = file_index.read(root)
        assert sorted(reads) == ["T2.json", "T9.json"]
        assert scores_of(found) == {
            ("org/a", "T9"): {("test", "default"): 0.125},
            ("org/b", "T2"): {("test", "default"): 0.75},
            ("org/b", "T3"): {("test", "default"): 0.5},
        }
        devices = {
            found.columns.strings[file["task"]]: found.columns.facts[file["facts"]].device
            for file in found.columns.files
            if file["facts"] != index_columns.NONE
        }
        assert devices == {"T2": "new", "T3": "T3"}

    def test_a_new_owner_is_noticed(self, tmp_path: Path) -> None:
        """When `model_meta.json` changes, the files beside it belong to the new name."""
        root = tmp_path / "results"
        boards.put(root, "org/a", "T1", 0.5)
        file_index.read(root)
        boards.write(root / "org__a" / "r1" / "model_meta.json", '{"name": "org/new", "revision": "r1"}', age=50)
        assert set(scores_of(file_index.read(root))) == {("org/new", "T1")}

    def test_a_young_file_is_read_again(self, tmp_path: Path, reads: list[str]) -> None:
        """A file written this moment may change within a tick of the clock, so its key is not trusted."""
        root = tmp_path / "results"
        path = boards.put(root, "org/a", "T1", 0.5)
        boards.write(path, path.read_text(), age=0)
        file_index.read(root)
        file_index.read(root)
        assert reads == ["T1.json", "T1.json"]

    @pytest.mark.parametrize("damage", [b"", b"junk", b"\0" * 100])
    def test_a_broken_index_is_made_anew(self, tmp_path: Path, cache: Path, damage: bytes) -> None:
        """An index that was cut or overwritten costs time, and nothing else; so does one that was deleted."""
        root = tmp_path / "results"
        boards.put(root, "org/a", "T1", 0.5)
        file_index.read(root)
        (kept,) = (cache / "index").iterdir()
        kept.write_bytes(kept.read_bytes()[:50] + damage)
        assert set(scores_of(file_index.read(root))) == {("org/a", "T1")}
        kept.unlink()
        assert set(scores_of(file_index.read(root))) == {("org/a", "T1")}

    def test_a_cache_that_cannot_be_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """No place for the index costs time, and nothing else."""
        root = tmp_path / "results"
        boards.put(root, "org/a", "T1", 0.5)
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
        assert set(scores_of(file_index.read(root))) == {("org/a", "T1")}

    def test_a_huge_file_is_not_opened(self, tmp_path: Path, reads: list[str]) -> None:
        """100 MB are refused by size alone."""
        root = tmp_path / "results"
        path = boards.put(root, "org/a", "T1", 0.5)
        with path.open("r+b") as file:
            file.truncate(100 * 2**20)
        (refusal,) = file_index.read(root).refused()
        assert "more than" in refusal.reason
        assert reads == []

    def test_workers_read_the_same(self, tmp_path: Path) -> None:
        """The files read by worker processes and by this one are the same, in the same order."""
        root = tmp_path / "results"
        for model in ("org/a", "org/b"):
            for task in ("T1", "T2", "T3"):
                boards.put(root, model, task, 0.5, harness={"task_type": "STS"})
        boards.write(root / "org__b" / "r1" / "Bad.json", "{")
        listed = [found for found in folder_walk.walk(root) if isinstance(found, folder_walk.Listing)]
        files_to_read = [
            index_columns.FileToRead(number, WHO, None, f"{root / found.path}/{name}", name, key[0], key)
            for number, found in enumerate(listed)
            for name, key in found.files.items()
        ]
        one, many = (
            index_columns.joined([index_columns.read(files_to_read)]),
            index_columns.joined(reader_processes.read(files_to_read, worth_it=1)),
        )
        assert len(one.files) == 7
        assert {field.name: str(getattr(one, field.name)) for field in dataclasses.fields(one)} == {
            field.name: str(getattr(many, field.name)) for field in dataclasses.fields(many)
        }
