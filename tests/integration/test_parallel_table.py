"""Bitexts of many languages in one table: each pair is a part, and neither reading nor writing is done once a pair."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

import harness
from harness import data, results
from harness.data import local_tables
from harness.errors import CellsFailed, DataError, RecordError
from harness.results.items import get_items
from harness.runner import recorder
from harness.tasks import registry
from harness.types import Part

LANGUAGES = ("deu_Latn", "eng_Latn", "fra_Latn", "spa_Latn")
PAIRS = [f"{left}-{right}" for left, right in itertools.permutations(LANGUAGES, 2)]
WORDS = ("rain", "bread", "chess", "music", "river", "stone", "cloud", "light")
TASK = """\
name: Parallel
type: BitextMining
description: Sentences in four languages.
source: {kind: local, path: test.jsonl}
splits: [test]
main_metric: f1
settings: {parallel_subsets: true}
subsets:
"""


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """A folder with a task of twelve pairs of languages."""
    rows = [{"id": row, **dict.fromkeys(LANGUAGES, f"{word} {row}")} for row, word in enumerate(WORDS)]
    rows[3]["eng_Latn"], rows[4]["eng_Latn"] = rows[4]["eng_Latn"], rows[3]["eng_Latn"]
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    subsets = "".join(f"  {pair}: [{pair.replace('-', ', ').replace('_', '-')}]\n" for pair in PAIRS)
    (folder / "Parallel.yaml").write_text(TASK + subsets)
    return folder


def run(tasks: Path, folder: Path) -> Any:
    events: list[Any] = []
    records = harness.run("baseline/hashing", "Parallel", tasks_dirs=[tasks], results=folder, on_event=events.append)
    return records, [event.part.subset for event in events if event.kind == "recorded"]


def test_the_table_is_read_once(tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve pairs are twelve parts, of the two columns that the subset names, and one reading of the file."""
    read: list[Path] = []
    parsed = local_tables.parsed
    monkeypatch.setattr(local_tables, "parsed", lambda file: read.append(file) or parsed(file))
    [record], recorded = run(tasks, tmp_path / "results")
    assert recorded == PAIRS
    assert len(read) == 1
    scores = {part.subset: entry["accuracy"] for part, entry in record.parts.items()}
    assert scores["deu_Latn-fra_Latn"] == 1
    assert scores["deu_Latn-eng_Latn"] == scores["eng_Latn-deu_Latn"] == 0.75


def test_a_subset_that_names_no_columns_is_refused(tasks: Path) -> None:
    """Its name is two columns with a hyphen between them, and the table has both."""
    task = registry.load_file(tasks / "Parallel.yaml")
    with pytest.raises(DataError, match="the parallel table has no column 'ita_Latn'"):
        data.load(task, Part("test", "deu_Latn-ita_Latn"))
    with pytest.raises(DataError, match="expected the names of two columns of the parallel table"):
        data.load(task, Part("test", "deu_Latn"))


def test_a_record_that_takes_long_to_write_is_written_seldom(
    tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts that come faster than they are written are written together; none is lost, and all events come in order."""
    monkeypatch.setattr(recorder, "_QUICK_SECONDS", 0.0)
    monkeypatch.setattr(recorder, "_SHARE", 1e-9)
    written: list[int] = []
    put = results.put
    monkeypatch.setattr(
        results, "put", lambda *args, **named: written.append(len(args[1].parts)) or put(*args, **named)
    )
    [record], recorded = run(tasks, tmp_path / "results")
    assert recorded == PAIRS
    assert written == [1, 11]
    items = get_items(record)
    assert items is not None
    assert {part.subset for part in items} == {part.subset for part in record.parts} == {*PAIRS}
    assert run(tasks, tmp_path / "results")[1] == []


def test_parts_that_cannot_be_written_fail_each(tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a write of several parts fails, each of their cells is reported as failed."""
    monkeypatch.setattr(recorder, "_QUICK_SECONDS", 0.0)
    monkeypatch.setattr(recorder, "_SHARE", 1e-9)
    put = results.put

    def full(*args: Any, **named: Any) -> Any:
        if len(args[1].parts) > 1:
            raise RecordError("the disk is full")
        return put(*args, **named)

    monkeypatch.setattr(results, "put", full)
    with pytest.raises(CellsFailed) as caught:
        run(tasks, tmp_path / "results")
    assert len(caught.value.failures) == 11
    assert [len(record.parts) for record in caught.value.records] == [1]
