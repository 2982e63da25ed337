"""Bitexts of many languages in one table: each pair is a part, and neither reading nor writing is done once a pair.

In runs and in nights.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

import harness
from harness import data, results
from harness.data import local_tables
from harness.errors import CellsFailed, DataError, RecordError
from harness.nightly import night
from harness.nightly.cell_work import News
from harness.nightly.engines.packed_work import packed, unpacked
from harness.results.items import get_items
from harness.runner import recorder
from harness.tasks import registry
from harness.types import Part
from tests.nights import InThisProcess, cell, schedule_of, work

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


def night_of(tasks: Path, folder: Path) -> tuple[Any, list[str]]:
    """The report of a night over the task, and the pairs that it told as done."""
    folder.mkdir(exist_ok=True)
    told: list[News] = []
    schedule = schedule_of(folder, tasks=["Parallel"], tasks_dirs=[str(tasks)], baselines=None)
    report = night.run(schedule, engine=lambda _: InThisProcess(), on_news=told.append)
    outcomes = [news.outcome for news in told if news.outcome is not None]
    return report, [outcome.work.cell.part.subset for outcome in outcomes if outcome.kind == "done"]


def test_a_night_writes_a_large_record_seldom_too(tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts of a night are written together as those of a run, and told as done once they are written."""
    monkeypatch.setattr(recorder, "_QUICK_SECONDS", 0.0)
    monkeypatch.setattr(recorder, "_SHARE", 1e-9)
    written: list[int] = []
    put = results.put
    monkeypatch.setattr(
        results, "put", lambda *args, **named: written.append(len(args[1].parts)) or put(*args, **named)
    )
    report, done = night_of(tasks, tmp_path / "night")
    assert (report.status, report.night.computed, len(report.night.cells)) == (0, 12, 12)
    assert sorted(done) == sorted(PAIRS)
    assert written == [1, 11]


def test_a_night_tells_each_part_that_could_not_be_written(
    tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the write of eleven parts fails, eleven cells failed, and the next night computes these alone."""
    monkeypatch.setattr(recorder, "_QUICK_SECONDS", 0.0)
    monkeypatch.setattr(recorder, "_SHARE", 1e-9)
    put = results.put

    def refused(*args: Any, **named: Any) -> Any:
        if len(args[1].parts) > 1:
            raise RecordError("the record is too long")
        return put(*args, **named)

    with monkeypatch.context() as refusing:
        refusing.setattr(results, "put", refused)
        report, _ = night_of(tasks, tmp_path / "night")
    assert (report.status, report.night.computed, len(report.night.failures)) == (1, 1, 11)
    report, done = night_of(tasks, tmp_path / "night")
    assert (report.status, len(done)) == (0, 11)


def test_work_travels_without_its_task() -> None:
    """What is sent for each pair of languages does not grow with their number."""
    piece = work()
    subsets = {f"l{number}-m{number}": ("eng-Latn", "deu-Latn") for number in range(1000)}
    wide = dataclasses.replace(piece.cell, task=dataclasses.replace(piece.cell.task, subsets=subsets))
    content = packed(dataclasses.replace(piece, cell=wide))
    assert len(content) == len(packed(piece))
    assert unpacked(content, wide.task).cell == wide


def test_records_that_take_turns_are_each_written_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers measure parts of two records in turns; a record is not written because the other one's turn comes."""
    monkeypatch.setattr(recorder, "_SHARE", 0.01)
    clock = iter(range(1000))
    written: list[tuple[str, int]] = []

    def put_all(folder: Path, parts: Sequence[tuple[Any, Any]]) -> Any:
        written.append((parts[0][0].task.name, len(parts)))

    monkeypatch.setattr(recorder.recording, "put_all", put_all)
    futures: list[Future[Any]] = []
    with recorder.Recorder(tmp_path, clock=lambda: float(next(clock))) as writer:
        for _ in range(20):
            for task in ("A", "B"):
                futures.append(Future())
                writer.record(cell(task=task), object(), futures[-1])  # type: ignore[arg-type]
    assert all(future.done() for future in futures)
    assert sum(count for task, count in written if task == "A") == 20
    assert len(written) <= 8
