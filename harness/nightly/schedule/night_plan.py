"""The plan of a night: every cell of the schedule, to compute or recorded, by the same planner as for runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

from harness.errors import HarnessError
from harness.models.asked_settings import of_transforms, refusal
from harness.models.forward_precision import used_precision
from harness.models.preflight import require_dimensions, require_room
from harness.nightly.schedule import recorded_index
from harness.nightly.schedule.schedule_contents import Schedule
from harness.nightly.schedule.schedule_models import ScheduledModel
from harness.runner.cells import Cell, TaskCells
from harness.runner.fingerprint import task_content
from harness.runner.plan import plan
from harness.runner.request import Request, transforms
from harness.runner.selection import Selection, chosen
from harness.tasks.registry import ChosenTask
from harness.types import PLAIN, EncodeOptions, ModelSpec, Precision, VectorTransform

_OTHER_CLOCKS = 3600.0
"""Seconds that the clock of another machine may be ahead."""
RECHECK_AFTER = 12 * 3600.0
"""A recorded cell younger than this is not computed again to see whether the run environment has changed."""


class RecordedCell(NamedTuple):
    """A cell with a valid record.

    Attributes:
        date: when it was recorded, seconds since 1970; NaN where the record does not say.
        path: of the record.
    """

    cell: Cell
    date: float
    path: Path


class NightPlan(NamedTuple):
    """The cells to compute and the recorded cells of a night.

    Attributes:
        problems: models that could not be resolved, or cannot run on this machine, with the reason.
        tokens: task -> tokens of one part, where some record tells them.
        pace: label -> seconds per token, where some record tells it.
    """

    todo: tuple[Cell, ...]
    recorded: tuple[RecordedCell, ...]
    problems: tuple[ScheduledModel, ...]
    tokens: Mapping[str, float]
    pace: Mapping[str, float]


def tasks_of(schedule: Schedule) -> list[ChosenTask]:
    """The tasks of the schedule, each with the parts to measure.

    Raises:
        HarnessError: a suite or task that does not exist, or whose file is broken.
    """
    return chosen(Selection(tasks=schedule.tasks, suites=schedule.suites, task_folders=schedule.tasks_dirs))


def requests_of(schedule: Schedule, specs: Sequence[ModelSpec], tasks: Sequence[ChosenTask]) -> list[Request]:
    """The requests of a schedule: one for each of its precisions, with the models that compute in it.

    A model that has no vectors to transform is measured plainly.
    """
    by_settings: dict[tuple[EncodeOptions, tuple[VectorTransform, ...]], dict[ModelSpec, None]] = {}
    whole = transforms(schedule.dims, schedule.quantize, schedule.rescore)
    for precision in schedule.precisions:
        for spec in specs:
            of_model = (PLAIN,) if refusal(spec, of_transforms(whole)) else whole
            by_settings.setdefault((_options(schedule, precision, spec), of_model), {})[spec] = None
    return [
        Request(
            models=tuple(models),
            selection=Selection(tasks=tuple(tasks)),
            options=options,
            transforms=of_models,
            results=schedule.results,
        )
        for (options, of_models), models in by_settings.items()
    ]


def _options(schedule: Schedule, precision: str, spec: ModelSpec) -> EncodeOptions:
    """The schedule's precision and device for a model, where it honours them."""
    options = EncodeOptions(
        device=schedule.engine.device, precision=cast("Precision", precision), strict=schedule.strict
    )
    if refusal(spec, {"precision": precision}):
        options = replace(options, precision="auto")
    return replace(options, device="auto") if refusal(spec, {"device": options.device}) else options


def plan_night(
    schedule: Schedule, resolved: Sequence[ScheduledModel], tasks: Sequence[ChosenTask], *, now: float
) -> NightPlan:
    """Every cell of the schedule, to compute or recorded.

    Args:
        schedule: what runs every night.
        resolved: its models.
        tasks: its tasks and parts.
        now: seconds since 1970.

    Raises:
        HarnessError: the files of a local task cannot be read.
    """
    index = recorded_index.read(schedule.results)
    models = [checked(scheduled, schedule) for scheduled in resolved]
    able = [scheduled for scheduled in models if scheduled.model is not None and not scheduled.problem]
    cells_of = _cells_of(schedule, [scheduled.model for scheduled in able if scheduled.model], tasks, index)
    todo: list[Cell] = []
    recorded: list[RecordedCell] = []
    for scheduled in able:
        for cells in cells_of.get(scheduled.model, ()):
            todo += [cells.cell(part, label=scheduled.label) for part in cells.todo]
            if cells.recorded is not None:
                date, path = cells.recorded.date, cells.recorded.path
                recorded += [RecordedCell(cells.cell(part, label=scheduled.label), date, path) for part in cells.done]
    baselines = {scheduled.label for scheduled in able if scheduled.entry.baseline}
    again = _oldest(recorded, baselines, count=schedule.alerts.recheck, now=now)
    todo += [replace(old.cell, why="recorded, and checked again") for old in again]
    kept = [cell for cell in recorded if cell not in again] if again else recorded
    problems = tuple(scheduled for scheduled in models if scheduled.problem)
    return NightPlan(tuple(todo), tuple(kept), problems, index.tokens, index.pace)


def checked(scheduled: ScheduledModel, schedule: Schedule) -> ScheduledModel:
    """The model; with a problem where it, or this machine, cannot do what the schedule asks."""
    if scheduled.model is None:
        return scheduled
    try:
        for request in requests_of(schedule, [scheduled.model], ()):
            used_precision(scheduled.model, request.options)
            require_room(scheduled.model, request.options)
            require_dimensions(scheduled.model, request.transforms)
    except HarnessError as err:
        return replace(scheduled, problem=str(err))
    return scheduled


def _cells_of(
    schedule: Schedule, specs: Sequence[ModelSpec], tasks: Sequence[ChosenTask], index: recorded_index.RecordedIndex
) -> dict[ModelSpec | None, list[TaskCells]]:
    """Model -> its cells. Of two precisions with the same record only the first counts."""
    contents = {task.name: task_content(task) for task, _ in tasks}
    by_record: dict[tuple[ModelSpec, str, str], TaskCells] = {}
    for request in requests_of(schedule, specs, tasks):
        for cells in plan(request, recorded=index, contents=contents).task_cells:
            if cells.applies:
                by_record.setdefault((cells.model, cells.variant, cells.task.name), cells)
    by_model: dict[ModelSpec | None, list[TaskCells]] = {}
    for cells in by_record.values():
        by_model.setdefault(cells.model, []).append(cells)
    return by_model


def _oldest(recorded: Sequence[RecordedCell], baselines: set[str], *, count: int, now: float) -> list[RecordedCell]:
    """The oldest records of baselines, first those without a date that can be: a clock may have jumped forward."""
    if not count:
        return []
    old = [cell for cell in recorded if cell.cell.label in baselines and now - _date(cell, now) >= RECHECK_AFTER]
    return sorted(old, key=lambda cell: (_date(cell, now), cell.cell.key))[:count]


def _date(cell: RecordedCell, now: float) -> float:
    """When a cell was recorded; long ago where its record does not say, or says a time to come."""
    return cell.date if cell.date < now + _OTHER_CLOCKS else -math.inf
