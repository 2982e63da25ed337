"""Running what claims are about: one run per task and data set, with records and failures as the outcome."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from harness.cards.verify.targets import Target
from harness.errors import CellsFailed, NothingApplies
from harness.types import EncodeOptions, Part, Record, Source, TaskSpec

if TYPE_CHECKING:
    from harness.runner.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How to run claims; the other attributes are those of `harness.run`.

    Attributes:
        pinned_data: run on the data that a task's spec pins, even if the card names other data.
        mirror: run on the mirror of a spec's data, if it has one.
    """

    results: str | os.PathLike[str] | None = None
    tasks_dirs: Sequence[str | os.PathLike[str]] = ()
    pinned_data: bool = False
    mirror: bool = False
    device: str = "auto"
    precision: Literal["auto", "checkpoint", "fp32", "fp16", "bf16"] = "auto"
    offline: bool = False
    trust_remote_code: bool = False
    allow_pickle: bool = False
    on_event: Callable[[Any], None] = lambda event: None


class TaskData(NamedTuple):
    """A task and its data: targets that share both are run and recorded together."""

    task: str
    source: Source
    off_spec: bool


class RunOutcome(NamedTuple):
    """The records of the runs, and the reason for each part that failed."""

    records: dict[TaskData, Record]
    failures: dict[tuple[TaskData, Part], str]


def measure(targets: Iterable[Target], model: str, run: RunSettings) -> RunOutcome:
    """Run all targets; those that are off their task's spec are recorded in the cache, not among the results."""
    from harness.files.folders import cache_folder

    grouped: dict[TaskData, list[Target]] = {}
    for target in targets:
        grouped.setdefault(task_data(target), []).append(target)
    outcome = RunOutcome({}, {})
    for off_spec in (False, True):
        folder = cache_folder() / "verify" if off_spec else run.results
        todo = {data: group for data, group in grouped.items() if data.off_spec == off_spec}
        while todo:  # a run takes each task once, though a card may have claims about several revisions of its data
            batch = list({data.task: data for data in reversed(todo)}.values())
            _run([(data, todo.pop(data)) for data in reversed(batch)], model, run, folder=folder, outcome=outcome)
    return outcome


def _run(
    batch: Sequence[tuple[TaskData, Sequence[Target]]],
    model: str,
    run: RunSettings,
    *,
    folder: str | os.PathLike[str] | None,
    outcome: RunOutcome,
) -> None:
    from harness.runner import execution

    request = _request(model, [_narrowed(targets) for _, targets in batch], run, folder=folder)
    data_by_task = {data.task: data for data, _ in batch}

    def take(event: Any) -> None:
        data = data_by_task[event.cells.task.name]
        if event.kind == "failed":
            outcome.failures[data, event.part] = event.failure.error
        elif event.kind == "refused":
            outcome.failures.update({(data, part): event.failure.error for part in event.cells.todo})
        elif event.kind == "inapplicable":
            outcome.failures.update({(data, part): event.message for part in event.cells.todo})
        run.on_event(event)

    try:
        records = execution.carry_out(request, on_event=take)
    except CellsFailed as err:
        records = err.records
    except NothingApplies:
        records = []
    outcome.records.update({data_by_task[record.task]: record for record in records})


def _request(
    model: str, tasks: Sequence[TaskSpec], run: RunSettings, *, folder: str | os.PathLike[str] | None
) -> Request:
    from harness.files.folders import results_folder
    from harness.runner.request import Request
    from harness.runner.selection import Selection

    return Request(
        models=(model,),
        selection=Selection(tasks=tuple(tasks)),
        options=EncodeOptions(device=run.device, precision=run.precision),
        results=results_folder(folder),
        trust_remote_code=run.trust_remote_code,
        allow_pickle=run.allow_pickle,
        offline=run.offline,
    )


def task_data(target: Target) -> TaskData:
    """The task and data that a target is run on."""
    return TaskData(target.task.name, target.task.source, target.off_spec)


def _narrowed(targets: Sequence[Target]) -> TaskSpec:
    """The task with only the splits and subsets of the targets."""
    task = targets[0].task
    subsets = {target.part.subset for target in targets}
    return replace(
        task,
        splits=tuple(dict.fromkeys(target.part.split for target in targets)),
        subsets={subset: languages for subset, languages in task.subsets.items() if subset in subsets},
    )
