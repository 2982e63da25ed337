"""The records of one model, as a card wants them: one revision, and the tasks that were named."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness import results
from harness.errors import RecordError, SpecError, UnknownName
from harness.results.paths import META
from harness.tasks.registry import Registry
from harness.types import Part, Record

EXTERNAL = "external"
"""mteb's pseudo revision of scores that were taken from a card."""


class Recorded(NamedTuple):
    """A model's records at one revision, and files that could not be read."""

    model: str
    revision: str
    records: tuple[Record, ...]
    refused: tuple[str, ...] = ()


def records_of(folder: Path, model: str) -> Recorded:
    """The plain records (no variants) of `model`, or of `model@revision`.

    Without a revision there must be one, scores from cards (`external`) aside; those serve where there are no others.

    Raises:
        UnknownName: no such model or revision is recorded, or it has several revisions.
    """
    name, _, wanted = model.partition("@")
    home = folder / name.replace("/", "__").replace(" ", "_")
    if not _safe(name) or not home.is_dir():
        recorded = [path.name.replace("__", "/", 1) for path in sorted(folder.glob("*__*"))] if folder.is_dir() else []
        raise UnknownName.of(f"recorded model in {folder}", name, recorded, hint="" if recorded else "run it first")
    revisions = {path.name: files for path in sorted(home.iterdir()) if (files := _files(path))}
    if wanted:
        if wanted not in revisions:
            raise UnknownName.of(f"recorded revision of {name}", wanted, revisions)
        return _read(folder, name, wanted, revisions[wanted])
    own = [revision for revision in revisions if revision != EXTERNAL] or list(revisions)
    if not own:
        raise UnknownName(f"{home} holds no plain record of {name}; variants (--max-texts, --precision) stay off cards")
    if len(own) > 1:
        raise UnknownName(f"{name} is recorded at {len(own)} revisions; name one: {name}@{f' or {name}@'.join(own)}")
    return _read(folder, name, own[0], revisions[own[0]])


def chosen_parts(
    known: Registry, tasks: Sequence[str] | None, suite: str | None, recorded: Sequence[Record] = ()
) -> dict[str, tuple[Part, ...] | None] | None:
    """Task -> its parts that are wanted (None: all), in the order asked for; None where nothing was asked for.

    Raises:
        UnknownName: neither a spec nor a record has the task, or there is no such suite.
    """
    if tasks is None and suite is None:
        return None
    parts: dict[str, tuple[Part, ...] | None] = {}
    names = {record.task for record in recorded} | set(known.names())
    for task in tasks or ():
        if task not in names:
            raise UnknownName.of("task", task, sorted(names))
        parts[task] = None
    if suite is not None:
        members = known.suite(suite)
        parts |= {task: members.parts.get(task) for task in members.tasks if task not in parts}
    return parts


def usual_order(tasks: Iterable[str], known: Registry) -> list[str]:
    """Names of tasks in the order of the suite that consists of just these; by name where there is none."""
    names = sorted(tasks, key=lambda task: (task.casefold(), task))
    for suite in known.suite_names():
        with contextlib.suppress(SpecError):
            members = known.suite(suite).tasks
            if len(members) == len(names) and set(members) == set(names):
                return list(members)
    return names


def narrowed(records: Sequence[Record], parts: Mapping[str, tuple[Part, ...] | None] | None) -> list[Record]:
    """The records of the tasks that are wanted."""
    return [record for record in records if parts is None or record.task in parts]


def _files(folder: Path) -> list[str]:
    if not folder.is_dir() or not _safe(folder.name):
        return []
    return sorted(path.stem for path in folder.glob("*.json") if path.name != META)


def _safe(name: str) -> bool:
    return bool(name) and ".." not in name and not name.startswith((".", "/")) and "\\" not in name


def _read(folder: Path, model: str, revision: str, tasks: Sequence[str]) -> Recorded:
    found: list[Record] = []
    refused: list[str] = []
    for task in tasks:
        try:
            record = results.get(folder, model=model, revision=revision, task=task)
        except RecordError as err:
            refused.append(str(err))
            continue
        if record is not None:
            found.append(record)
    return Recorded(model, revision, tuple(found), tuple(refused))
