"""Which file stands for a model on a task, where several do.

A model may have been evaluated at several revisions, by several people, in several folders. mteb keeps one file for
each model and task (`BenchmarkResults.join_revisions`, mteb 2.26), and so does a leaderboard here, by the same order:

1. a file of the model's main revision, as mteb's registry of models names it (`main_revisions.json`);
2. one that says which single mteb version wrote it;
3. one with a real revision (not `no_revision_available` or `external`, which came from a model card);
4. the newest mteb version.

Where that leaves two, mteb takes whichever the disk lists first; here it is the one with the latest date, then the one
of the results folder that was named first.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from harness.leaderboard.file_index import Index
from harness.leaderboard.index_columns import NONE
from harness.results.json_format import NO_REVISION

EXTERNAL = "external"
MAIN_REVISIONS = "main_revisions.json"


class Who(NamedTuple):
    """One row of a leaderboard; `revision` is empty where a model's revisions share a row."""

    model: str
    variant: str = ""
    revision: str = ""


class IndexRow(NamedTuple):
    """A file: which of the indices, and which row of it."""

    source: int
    row: int


def select(
    indices: Sequence[Index],
    *,
    tasks: Collection[str] | None = None,
    variants: bool = False,
    revisions: bool = False,
) -> dict[Who, dict[str, IndexRow]]:
    """The file of every model and task.

    Args:
        indices: Of the results folders, in the order of preference.
        tasks: Only these; None for all.
        variants: Whether models in another precision or length get rows of their own; otherwise they are left out.
        revisions: Whether every revision of a model gets a row of its own.

    Returns:
        Model -> task -> file; models and tasks in order of their names.
    """
    found: dict[Who, dict[str, list[IndexRow]]] = {}
    for number, index in enumerate(indices):
        own = index.columns
        names = [tasks is None or name in tasks for name in own.strings]
        wanted = np.array([*names, False])[own.files["task"]] & (own.files["problem"] == NONE)
        rows = np.flatnonzero(wanted)
        identities = [folder.owner.identity for folder in index.folders]
        whos = [Who(who.model, who.variant, who.revision if revisions else "") for who in identities]
        folders, task_ids = own.files["folder"][rows].tolist(), own.files["task"][rows].tolist()
        for row, folder, task in zip(rows.tolist(), folders, task_ids, strict=True):
            who = whos[folder]
            if who.variant and not variants:
                continue
            found.setdefault(who, {}).setdefault(own.strings[task], []).append(IndexRow(number, row))
    return {
        who: {task: _best(cells, indices, who.model) for task, cells in sorted(by_task.items())}
        for who, by_task in sorted(found.items())
    }


def _best(cells: list[IndexRow], indices: Sequence[Index], model: str) -> IndexRow:
    if len(cells) == 1:
        return cells[0]
    return max(cells, key=lambda cell: (*_merit(cell, indices, model), -cell.source, -cell.row))


def _merit(cell: IndexRow, indices: Sequence[Index], model: str) -> tuple[Any, ...]:
    from packaging.version import InvalidVersion, Version

    index = indices[cell.source]
    file = index.columns.files[cell.row]
    revision = index.folders[file["folder"]].owner.identity.revision
    text = index.columns.strings[file["mteb_version"]] if file["mteb_version"] != NONE else ""
    try:
        version: Version | None = Version(text)
    except InvalidVersion:
        version = None
    date = float(file["date"])
    return (
        revision == main_revisions().get(model),
        version is not None,
        revision not in (NO_REVISION, EXTERNAL),
        version or Version("0"),
        -math.inf if math.isnan(date) else date,
    )


_loaded: dict[str, str] = {}


def main_revisions() -> Mapping[str, str]:
    """Model -> the revision that mteb's registry names, for the models that it knows; read once, when first needed."""
    if not _loaded:
        file = resources.files("harness.leaderboard") / MAIN_REVISIONS
        _loaded.update(json.loads(file.read_text(encoding="utf-8")))
    return _loaded
