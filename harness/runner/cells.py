"""Cells, the cells of one task whose outcomes one record holds, and the plan of a run."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from harness import models
from harness.errors import NothingApplies
from harness.evaluators import KINDS
from harness.runner.recorded import RecordedParts
from harness.types import PLAIN, EncodeOptions, ModelSpec, Part, Record, TaskSpec, VectorTransform, model_label
from harness.types.counted import counted


class CellKey(NamedTuple):
    """A cell by names: the same whatever commit its model is at.

    Attributes:
        label: the model as reports name it.
    """

    label: str
    variant: str
    task: str
    part: Part

    def __str__(self) -> str:
        return f"{model_label(self.label, self.variant)} {self.task} {self.part}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSettings:
    """The model, task and settings of one record, which all of its cells share.

    Attributes:
        options: how the model is opened and asked to encode.
        transform: of the model's vectors.
        max_texts: quick mode: at most this many texts of each side of the part.
        precision: of the forward pass, as this machine will use it.
        variant: what sets the record apart from the model's plain one; see `models.variant`.
        fingerprint: see `fingerprint.fingerprint`.
        members: for a task that is the mean of others: each of those -> the fingerprint of its record.
    """

    model: ModelSpec
    task: TaskSpec
    options: EncodeOptions
    transform: VectorTransform = PLAIN
    max_texts: int | None = None
    precision: str
    variant: str
    fingerprint: str
    members: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell(RecordSettings):
    """One part of one task for one model under one set of settings: what one measurement is about.

    Attributes:
        label: the model as reports name it: its name, unless a night has two models of one name.
        why: the reason to compute it; empty where it is recorded.
    """

    label: str
    part: Part
    why: str = ""

    @property
    def key(self) -> CellKey:
        """The cell by names."""
        return CellKey(self.label, self.variant, self.task.name, self.part)

    @property
    def group(self) -> tuple[str, str, str]:
        """Cells of one group need the same loaded model."""
        return self.label, self.model.revision + self._run_by, self.options.precision

    @property
    def group_label(self) -> str:
        """The loaded model that the cell needs, for messages."""
        precision = self.options.precision
        return self.label + self._run_by + ("" if precision == "auto" else f" in {precision}")

    @property
    def _run_by(self) -> str:
        stage, file = self.model.first_stage, self.model.backend_file
        first = "" if stage is None else f" after {stage.top} of {stage.model.name}@{stage.model.revision}"
        return ("" if file is None else f" by {file.backend} from {file.path}") + first


@dataclass(frozen=True, kw_only=True)
class TaskCells(RecordSettings):
    """The cells of one task for one model in one variant: those whose outcomes one record holds.

    Attributes:
        todo: the parts to compute, in order.
        done: the parts that are recorded under the same fingerprint.
        why: the reason to compute `todo`.
        replaces_prompts: whether `todo` replaces a record that another --like, or its absence, gave its prompts.
        recorded: what is recorded under the same fingerprint; None where nothing is.
    """

    todo: tuple[Part, ...]
    done: tuple[Part, ...]
    why: str
    replaces_prompts: bool = False
    recorded: RecordedParts | None

    @property
    def model_label(self) -> str:
        """The model as reports name it, with its variant."""
        return model_label(self.model.name, self.variant)

    @property
    def applies(self) -> bool:
        """Whether the model can do the task in this variant.

        One that only ranks documents has no vectors for the other types, and only the hits of a search are scored
        again.
        """
        able, ranks = models.abilities(self.model), KINDS[self.task.type].ranks
        if self.transform.rescore and ranks is None:
            return False
        return able.vectors or (ranks is not None and ranks in able.ranks)

    @property
    def limits(self) -> str:
        """Why the model cannot do every task, as a sentence for messages."""
        if self.transform.rescore:
            return f"--rescore {self.transform.rescore} is for tasks that search"
        return models.abilities(self.model).limits

    @property
    def record(self) -> Record | None:
        """The record of `done`; None where there is none, or the look-up did not read it."""
        return self.recorded.record if self.recorded else None

    @functools.cached_property
    def _to_compute(self) -> frozenset[Part]:
        return frozenset(self.todo)

    def cell(self, part: Part, *, label: str = "") -> Cell:
        """The cell of one part of the task; `label` is the model as reports name it, its name by default."""
        shared = {setting.name: getattr(self, setting.name) for setting in fields(RecordSettings)}
        why = self.why if part in self._to_compute else ""
        return Cell(label=label or self.model.name, part=part, why=why, **shared)


class Plan(NamedTuple):
    """The cells of a request, in the order of models, then tasks."""

    task_cells: tuple[TaskCells, ...]

    @property
    def todo(self) -> list[Cell]:
        """The cells to compute, in order."""
        return [cells.cell(part) for cells in self.task_cells if cells.applies for part in cells.todo]

    @property
    def prompts_remarks(self) -> list[str]:
        """Lines for the screen: whose prompts the models take over, and which records are replaced because of that."""
        likes = dict.fromkeys((cells.model.name, cells.model.like) for cells in self.task_cells if cells.model.like)
        lines = [f"{name}: prompts: those of {like} (--like)" for name, like in likes]
        replaced: dict[str, list[str]] = {}
        for cells in self.task_cells:
            if cells.replaces_prompts and cells.todo and cells.applies:
                replaced.setdefault(f"{cells.model_label}: {cells.why}", []).append(cells.task.name)
        return [*lines, *(f"{why}; replaces {counted(len(names), 'record')}" for why, names in replaced.items())]

    def require_applicable(self) -> None:
        """Refuse a request of which nothing would be measured.

        Raises:
            NothingApplies: no model can do any of the tasks, and none is recorded.
        """
        if not self.task_cells or any(cells.applies or cells.done for cells in self.task_cells):
            return
        by_model: dict[str, set[str]] = {}
        for cells in self.task_cells:
            by_model.setdefault(f"{cells.model.name}: {cells.limits}", set()).add(cells.task.name)
        reasons = [f"{reason}; left out {counted(len(names), 'task')}" for reason, names in by_model.items()]
        raise NothingApplies("nothing to measure: " + "\n".join(reasons))
