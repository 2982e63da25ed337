"""A task that is the mean of others: planned behind them, and recorded as mteb records its aggregates."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import harness
from harness import data
from harness.data import size_estimate
from harness.errors import CellsFailed, DataError
from harness.nightly import night
from harness.nightly.engines.cell_computer import CellComputer
from harness.nightly.engines.protocol import Answer, Outcome, Work
from harness.runner import selection
from harness.runner.plan import plan
from harness.runner.request import Request
from harness.runner.selection import Selection
from harness.tasks import mteb_metadata, registry
from harness.types import Part, Source, TaskSpec
from tests import nights

MEMBERS = ("MiniAnswersEnglish", "MiniAnswersGerman")
TEST = Part("test", "default")
HASHING = "baseline/hashing"


def answers(*, members: Sequence[str] = MEMBERS) -> TaskSpec:
    """The mean of retrieval tasks."""
    return TaskSpec(
        name="MiniAnswers",
        type="Retrieval",
        description="The mean of two.",
        source=Source(kind="mteb", path="", revision="1"),
        splits=("test",),
        subsets={"default": ("deu-Latn", "eng-Latn")},
        columns={},
        main_metric="ndcg_at_10",
        settings=registry.get_task(members[0]).settings,
        members=tuple(map(registry.get_task, members)),
    )


def planned(results: Path) -> list[tuple[str, bool]]:
    """Name and whether there is something to compute, in the order of the plan."""
    request = Request(models=(HASHING,), selection=Selection(tasks=(answers(),)), results=results)
    return [(cells.task.name, bool(cells.todo)) for cells in plan(request).task_cells]


def test_the_record_is_the_one_that_mteb_makes_of_the_members_records(tmp_path: Path) -> None:
    """The same scores, under the same names, from the same records, and mteb reads the file."""
    mteb = pytest.importorskip("mteb", reason="the oracle is mteb")
    from mteb.abstasks.aggregated_task import AbsTaskAggregate
    from mteb.results import TaskResult

    first, second, mean = harness.run(HASHING, answers(), results=tmp_path)
    assert [record.task for record in (first, second, mean)] == [*MEMBERS, "MiniAnswers"]
    aggregate = mteb.get_task("CQADupstackRetrieval")
    facts = SimpleNamespace(
        name="MiniAnswers", eval_langs=["deu-Latn", "eng-Latn"], eval_splits=["test"], main_score="ndcg_at_10"
    )
    stand_in: Any = SimpleNamespace(metadata=facts, taskname_to_task=dict.fromkeys(MEMBERS))
    read = [TaskResult.from_disk(Path(record.path)) for record in (first, second)]
    expected = AbsTaskAggregate.task_results_to_scores(stand_in, read)
    entry = dict(mean.scores["test"][0])
    assert entry.pop("languages") == ["deu-Latn", "eng-Latn"]
    assert entry.pop("hf_subset") == "default"
    assert entry == pytest.approx(expected["test"]["default"], abs=1e-12)
    assert mean.dataset_revision == aggregate.metadata.revision
    assert TaskResult.from_disk(Path(mean.path)).get_score() == pytest.approx(entry["main_score"])
    assert mean.evaluation_time == pytest.approx(sum(record.evaluation_time or 0 for record in (first, second)))


def test_it_is_planned_behind_its_members_and_kept_with_them(tmp_path: Path) -> None:
    """Nothing is computed twice, and the mean again where a member is; a quick run has a mean of its own."""
    assert planned(tmp_path) == [(MEMBERS[0], True), (MEMBERS[1], True), ("MiniAnswers", True)]
    harness.run(HASHING, list(MEMBERS), results=tmp_path)
    assert planned(tmp_path) == [(MEMBERS[0], False), (MEMBERS[1], False), ("MiniAnswers", True)]
    *_, mean = harness.run(HASHING, answers(), results=tmp_path)
    assert not any(todo for _, todo in planned(tmp_path))
    record = next(tmp_path.rglob("MiniAnswersGerman.json"))
    record.unlink()
    assert planned(tmp_path) == [(MEMBERS[0], False), (MEMBERS[1], True), ("MiniAnswers", True)]
    *_, quick = harness.run(HASHING, answers(), results=tmp_path, max_texts=3)
    assert quick.variant
    assert quick.scores["test"][0]["main_score"] != mean.scores["test"][0]["main_score"]


def test_a_member_that_fails_leaves_no_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure names the member, and no older record of it is taken."""
    harness.run(HASHING, answers(), results=tmp_path)
    load = data.load

    def broken(task: TaskSpec, part: Part) -> Any:
        if task.name == MEMBERS[1]:
            raise DataError("no such file")
        return load(task, part)

    monkeypatch.setattr(data, "load", broken)
    record = next(tmp_path.rglob("MiniAnswersGerman.json"))
    content = json.loads(record.read_text(encoding="utf-8"))
    del content["harness"]["digest"]
    content["harness"]["fingerprint"] = "0" * 32
    record.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(CellsFailed, match="MiniAnswers is a mean that needs MiniAnswersGerman test") as caught:
        harness.run(HASHING, answers(), results=tmp_path)
    assert [failure.cell.split()[1] for failure in caught.value.failures] == ["MiniAnswersGerman", "MiniAnswers"]


def test_the_aggregates_of_mteb_are_tasks_by_name() -> None:
    """CQADupstackRetrieval is its twelve tasks and their mean, which has no texts of its own."""
    task = harness.get_task("CQADupstackRetrieval")
    assert len(task.members) == 12
    assert task.parts == (TEST,)
    assert size_estimate.estimate(task, TEST) == (0, 0)
    request = Request(models=(HASHING,), selection=Selection(tasks=("CQADupstackRetrieval",)), results=Path("nowhere"))
    names = [cells.task.name for cells in plan(request).task_cells]
    assert names == [*(member.name for member in task.members), "CQADupstackRetrieval"]
    aggregates = [name for name in mteb_metadata.names() if (mteb_metadata.get(name) or task).members]
    assert len(aggregates) == 5
    assert all(harness.get_task(name).members for name in aggregates)
    assert "members:" in registry.render(task)


class InThisProcess:
    """An engine without workers."""

    def run(self, work: Sequence[Work], *, stop: Callable[[], bool]) -> Iterator[Outcome]:
        """Each work's outcome."""
        computer = CellComputer()
        for item in work:
            yield Outcome("done", item, "here", Answer(computer.compute(item), 0.1))

    def close(self) -> None:
        """Nothing is open."""


def test_a_night_records_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean is a cell of the night, computed last and without the engine; the next night has nothing to do."""
    find = selection.find
    monkeypatch.setattr(
        selection, "find", lambda known, name: answers() if name == "MiniAnswers" else find(known, name)
    )
    schedule = nights.schedule_of(tmp_path, baselines=None, tasks=["MiniAnswers"])
    report = night.run(schedule, engine=lambda _: InThisProcess())
    assert report.night is not None
    assert (report.night.computed, report.night.failures, report.night.left) == (3, {}, 0)
    by_task = {path.stem: json.loads(path.read_text()) for path in schedule.results.rglob("Mini*.json")}
    scores = {name: record["scores"]["test"][0]["main_score"] for name, record in by_task.items()}
    assert scores["MiniAnswers"] == pytest.approx(sum(scores[name] for name in MEMBERS) / 2)
    assert night.run(schedule, engine=lambda _: InThisProcess()).nothing_to_do
