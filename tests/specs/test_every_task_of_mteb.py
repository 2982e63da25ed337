"""Every text task of mteb by name: a plan accepts what can be scored and recorded, and refuses the rest with why."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import pytest

import harness
from harness.errors import DataError
from harness.evaluators import KINDS
from harness.results.paths import Identity, record_path
from harness.runner.plan import plan
from harness.runner.request import Request
from harness.runner.selection import Selection
from harness.tasks import mteb_metadata, registry
from harness.types import TaskSpec

NOT_SCORED = {
    "SciRepEvalBiomimicryClassification": "scored by cross-validation",
    "SciRepEvalDRSMClassification": "scored by cross-validation",
    "SciRepEvalMeSHDescriptorsClassification": "scored by cross-validation",
    "StakeholderGrounding": "scored by code of its own",
}
"""Public tasks that are refused, each with how the reason begins. None of them is in a benchmark."""


class Walked(NamedTuple):
    """The specs of mteb's text tasks, and name -> why there is none."""

    specs: tuple[TaskSpec, ...]
    refused: dict[str, str]


@functools.cache
def walked() -> Walked:
    known_tasks = registry.get_tasks()
    specs: list[TaskSpec] = []
    refused: dict[str, str] = {}
    for name in mteb_metadata.names():
        task = mteb_metadata.get(name)
        assert task is not None
        if task.modalities == ("text",):
            try:
                specs.append(known_tasks.find(name))
            except DataError as err:
                refused[name] = str(err)
    return Walked(tuple(specs), refused)


def test_what_is_refused_is_named_with_the_reason() -> None:
    """Only data that is not public, and a short list of tasks with a protocol of their own, are refused."""
    specs, refused = walked()
    closed = {name for name, reason in refused.items() if "is not public; with access to it" in reason}
    assert closed == {name for name in mteb_metadata.names() if (mteb_metadata.get(name) or specs[0]).private}
    public = {name: reason for name, reason in refused.items() if name not in closed}
    assert public.keys() == NOT_SCORED.keys()
    assert all(public[name].startswith(f"{name}: {reason}") for name, reason in NOT_SCORED.items())
    assert len(specs) + len(refused) > 1300


def test_what_is_accepted_can_be_scored() -> None:
    """The main metric is one that the scorer computes, every column has a field, and no settings contradict."""
    for task in walked().specs:
        kind = KINDS[task.type]
        assert task.main_metric in kind.metrics(task.settings), task.name
        assert task.columns.keys() == kind.columns.keys() or task.members, task.name
        assert not list(kind.setting_problems(task.settings, ())), task.name
        assert task.parts, task.name
        assert all(task.subsets.values()), task.name


def test_what_is_accepted_can_be_planned_and_recorded(tmp_path: Path) -> None:
    """One plan holds them all, members before their means, and each has a place among the records."""
    specs = walked().specs
    request = Request(models=("baseline/hashing",), selection=Selection(tasks=specs), results=tmp_path)
    planned = plan(request).task_cells
    places = {cells.task.name: place for place, cells in enumerate(planned)}
    assert places.keys() == {task.name for task in specs}
    assert all(places[member.name] < places[task.name] for task in specs for member in task.members)
    owner = Identity("baseline/hashing", "1", "")
    assert len({record_path(tmp_path, owner, task.name) for task in specs}) == len(specs)
    assert all(cells.todo == cells.task.parts for cells in planned)


def test_a_refusal_comes_before_anything_is_fetched(tmp_path: Path) -> None:
    """A request with one such task is refused as a whole by the plan."""
    for name in ("StakeholderGrounding", "German1Retrieval"):
        request = Request(
            models=("baseline/hashing",), selection=Selection(tasks=("SciFact", name)), results=tmp_path / "none"
        )
        with pytest.raises(DataError, match=f"^{name}: "):
            plan(request)
        with pytest.raises(DataError, match=f"^{name}: "):
            harness.get_task(name)
    assert not (tmp_path / "none").exists()
