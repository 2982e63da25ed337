"""What a night has to do: every cell of the plan, minus those whose record still stands.

A cell is one part of one task for one model in one precision. Whether its record stands is decided by the fingerprint
that `harness run` uses, and looked up in the leaderboard's index of the results folder: reading 20,000 records would
take longer than a night with nothing to do may.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, cast

from harness import models
from harness.errors import HarnessError
from harness.leaderboard import file_index
from harness.nightly.history.recorded_cells import File, Known, recorded_in
from harness.nightly.schedule.schedule_file import Plan
from harness.nightly.schedule.schedule_models import Entry
from harness.runner import plan as planning
from harness.runner.selection import ChosenTask, Selection, chosen
from harness.types import EncodeOptions, ModelSpec, Part, Precision, TaskSpec, model_label

RECHECK_AFTER = 12 * 3600.0
"""A recorded cell younger than this is not computed again to see whether the world has changed."""


class Key(NamedTuple):
    """One cell from night to night: whatever commit the model is at."""

    label: str
    variant: str
    task: str
    part: Part

    def __str__(self) -> str:
        return f"{model_label(self.label, self.variant)} {self.task} {self.part}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One part of one task for one model in one precision.

    Attributes:
        label: the model as reports name it.
        precision: that the record will hold, found out on this machine.
        variant: as in `models.variant`.
        why: why it is to be computed; empty where its record stands.
    """

    label: str
    model: ModelSpec
    task: TaskSpec
    part: Part
    options: EncodeOptions
    precision: str
    variant: str
    fingerprint: str
    baseline: bool = False
    why: str = ""

    @property
    def key(self) -> Key:
        """The cell from night to night."""
        return Key(self.label, self.variant, self.task.name, self.part)

    @property
    def group(self) -> tuple[str, str, str]:
        """Cells of one group need the same loaded model."""
        return self.label, self.model.revision, self.options.precision


class Recorded(NamedTuple):
    """A cell whose record stands, and what the index says of it.

    Attributes:
        date: when it was recorded, seconds since 1970; NaN where the record does not say.
    """

    cell: Cell
    score: float
    date: float
    path: Path


class Agenda(NamedTuple):
    """What there is to do, and what is done.

    Attributes:
        problems: entries that could not be resolved, or whose tasks cannot be planned, with the reason.
        tokens: task -> tokens of one part, where some record tells them.
        pace: label -> seconds per token, where some record tells it.
    """

    todo: tuple[Cell, ...]
    recorded: tuple[Recorded, ...]
    problems: tuple[Entry, ...]
    tokens: Mapping[str, float]
    pace: Mapping[str, float]


def selection(plan: Plan) -> list[ChosenTask]:
    """The tasks of the plan, each with the parts that count.

    Raises:
        HarnessError: a suite or task that does not exist, or whose file is broken.
    """
    return chosen(Selection(tasks=plan.tasks, suites=plan.suites, task_folders=plan.tasks_dirs))


def agenda(plan: Plan, entries: Sequence[Entry], tasks: Sequence[ChosenTask], *, now: float) -> Agenda:
    """Every cell of the plan, to do or recorded.

    Args:
        plan: the plan.
        entries: its models.
        tasks: its tasks and parts.
        now: seconds since 1970.

    Raises:
        HarnessError: the files of a local task cannot be read.
    """
    own = file_index.read(plan.results) if plan.results.is_dir() else None
    known = recorded_in(own) if own is not None else Known({}, {}, {}, {})
    contents = {task.name: planning.task_content(task) for task, _ in tasks}
    todo: list[Cell] = []
    recorded: list[Recorded] = []
    problems: list[Entry] = []
    for entry in entries:
        model = entry.model
        if model is None:
            problems.append(entry)
            continue
        try:
            settings = _settings(model, plan)
        except HarnessError as err:
            problems.append(replace(entry, problem=str(err)))
            continue
        for options, precision, variant in settings:
            for task, parts in tasks:
                if models.only_searches(model) and task.type != "Retrieval":
                    continue
                fingerprint = planning.fingerprint(
                    model, task, precision=precision, max_length=None, of_task=contents[task.name]
                )
                file = known.files.get((model.name, model.revision, variant, task.name))
                for part in parts:
                    cell = Cell(
                        label=entry.label,
                        model=model,
                        task=task,
                        part=part,
                        options=options,
                        precision=precision,
                        variant=variant,
                        fingerprint=fingerprint,
                        baseline=entry.wanted.baseline,
                    )
                    score = file.scores.get(part) if file and file.fingerprint == fingerprint else None
                    if file is not None and score is not None:
                        recorded.append(Recorded(cell, score, file.date, file.path))
                    else:
                        todo.append(replace(cell, why=_why(cell, file, known)))
    again = _rechecked(recorded, count=plan.alerts.recheck, now=now)
    todo += [replace(one.cell, why="recorded, and checked again") for one in again]
    kept = [one for one in recorded if one not in again] if again else recorded
    return Agenda(tuple(todo), tuple(kept), tuple(problems), known.tokens, known.pace)


def _settings(model: ModelSpec, plan: Plan) -> list[tuple[EncodeOptions, str, str]]:
    """Options, the precision that will be used, and the variant, for each different precision of the plan."""
    found: dict[str, tuple[EncodeOptions, str, str]] = {}
    for asked in plan.precisions:
        options = EncodeOptions(device=plan.engine.device, precision=cast("Precision", asked))
        variant = models.variant(model, options)
        found.setdefault(variant, (options, models.precision(model, options), variant))
    return list(found.values())


def _rechecked(recorded: Sequence[Recorded], *, count: int, now: float) -> list[Recorded]:
    """The oldest records of baselines."""
    if not count:
        return []
    old = [one for one in recorded if one.cell.baseline and not now - one.date < RECHECK_AFTER]
    return sorted(old, key=lambda one: (-math.inf if math.isnan(one.date) else one.date, one.cell.key))[:count]


def _why(cell: Cell, file: File | None, known: Known) -> str:
    if file is None:
        others = known.revisions.get((cell.model.name, cell.variant, cell.task.name))
        return f"the model is now at {cell.model.revision[:10]}" if others else "not recorded yet"
    if file.problem:
        return f"the record is broken ({file.problem})"
    if file.fingerprint is None:
        return "the record is another program's"
    if file.fingerprint == cell.fingerprint:
        return "this part is not recorded yet"
    if file.precision is not None and file.precision != cell.precision:
        return f"recorded in {file.precision}, now {cell.precision}"
    return "the task, its data or its settings have changed"


def as_job(cell: Cell) -> planning.Job:
    """The cell as `harness run` plans it."""
    return planning.Job(
        model=cell.model,
        task=cell.task,
        todo=(cell.part,),
        done=(),
        fingerprint=cell.fingerprint,
        variant=cell.variant,
        why=cell.why,
        record=None,
    )
