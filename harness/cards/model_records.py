"""Reading the records of one model at one revision, for the tasks that a card is to show."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness import results
from harness.errors import RecordError, SpecError, UnknownName
from harness.files.model_folders import name_and_revision
from harness.results.asked_names import recorded_name
from harness.results.paths import META
from harness.results.recorded_models import recorded_names
from harness.tasks.registry import Registry
from harness.types import Part, Record

EXTERNAL = "external"
"""The pseudo revision that mteb gives to scores copied from a card."""


class ModelRecords(NamedTuple):
    """A model's records at one revision, and messages about files that could not be read."""

    model: str
    revision: str
    records: tuple[Record, ...]
    refused: tuple[str, ...] = ()


def records_of(folder: Path, model: str) -> ModelRecords:
    """Read the plain records (no variants) of `model` or `model@revision`.

    Without a revision, the model must be recorded at exactly one. Scores from cards (`external`) do not count as one
    unless nothing else is recorded.

    Raises:
        UnknownName: the model or revision is not recorded, or the model has several revisions.
    """
    name, requested = name_and_revision(model)
    home = folder / name.replace("/", "__").replace(" ", "_")
    if not _safe(name) or not home.is_dir():
        recorded = recorded_names(folder)
        if not recorded:
            raise UnknownName(f"no recorded model in {folder} named {name!r}; run it first")
        name, requested = recorded_name(model, recorded, folders=[folder], what=f"recorded model in {folder}")
        home = folder / name.replace("/", "__").replace(" ", "_")
    revisions = {path.name: files for path in sorted(home.iterdir()) if (files := _files(path))}
    if requested:
        if requested not in revisions:
            requested = recorded_name(model, {name: list(revisions)}, folders=[folder]).revision
        return _read(folder, name, requested, revisions[requested])
    candidates = [revision for revision in revisions if revision != EXTERNAL] or list(revisions)
    if not candidates:
        raise UnknownName(
            f"{home} has no plain record of {name}; variants (--max-texts, --precision) are not written on cards"
        )
    if len(candidates) > 1:
        choices = " or ".join(f"{name}@{revision}" for revision in candidates)
        raise UnknownName(f"{name} is recorded at {len(candidates)} revisions; name one: {choices}")
    return _read(folder, name, candidates[0], revisions[candidates[0]])


def chosen_parts(
    registry: Registry, tasks: Sequence[str] | None, suite: str | None, recorded: Sequence[Record] = ()
) -> dict[str, tuple[Part, ...] | None] | None:
    """Requested tasks, in order, each with its requested parts (None for all parts); None if none were requested.

    Raises:
        UnknownName: no spec or record has the task, or the suite does not exist.
    """
    if tasks is None and suite is None:
        return None
    parts: dict[str, tuple[Part, ...] | None] = {}
    names = {record.task for record in recorded} | set(registry.names())
    UnknownName.refuse("task", tasks, names)
    parts.update(dict.fromkeys(tasks or ()))
    if suite is not None:
        members = registry.suite(suite)
        parts |= {task: members.parts.get(task) for task in members.tasks if task not in parts}
    return parts


def usual_order(tasks: Iterable[str], registry: Registry) -> list[str]:
    """Sort task names as in the suite that consists of just these tasks, else by name."""
    names = sorted(tasks, key=lambda task: (task.casefold(), task))
    for suite in registry.suite_names():
        with contextlib.suppress(SpecError):
            members = registry.suite(suite).tasks
            if len(members) == len(names) and set(members) == set(names):
                return list(members)
    return names


def narrowed(records: Sequence[Record], parts: Mapping[str, tuple[Part, ...] | None] | None) -> list[Record]:
    """The records of the requested tasks."""
    return [record for record in records if parts is None or record.task in parts]


def _files(folder: Path) -> list[str]:
    if not folder.is_dir() or not _safe(folder.name):
        return []
    return sorted(path.stem for path in folder.glob("*.json") if path.name != META)


def _safe(name: str) -> bool:
    return bool(name) and ".." not in name and not name.startswith((".", "/")) and "\\" not in name


def _read(folder: Path, model: str, revision: str, tasks: Sequence[str]) -> ModelRecords:
    records: list[Record] = []
    refused: list[str] = []
    for task in tasks:
        try:
            record = results.get(folder, model=model, revision=revision, task=task)
        except RecordError as err:
            refused.append(str(err))
            continue
        if record is not None:
            records.append(record)
    return ModelRecords(model, revision, tuple(records), tuple(refused))
