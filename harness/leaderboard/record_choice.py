"""Which file counts for a model on a task where there are several.

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
from harness.results.paths import Identity
from harness.tasks import mteb_metadata

EXTERNAL = "external"
MAIN_REVISIONS = "main_revisions.json"


class Who(NamedTuple):
    """One row of a leaderboard; `revision` is empty where a model's revisions share a row."""

    model: str
    variant: str = ""
    revision: str = ""

    @classmethod
    def of(cls, identity: Identity, *, revisions: bool) -> Who:
        """The row that a record belongs to; `revisions` gives each revision a row."""
        return cls(identity.model, identity.variant, identity.revision if revisions else "")


class IndexRow(NamedTuple):
    """A file: the number of its index, and its row there."""

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
        revisions: Whether every revision of a model gets a row of its columns.

    Returns:
        Model -> task by today's name -> file; models and tasks in order of their names.
    """
    candidates: dict[Who, dict[str, list[IndexRow]]] = {}
    for number, index in enumerate(indices):
        columns = index.columns
        today = [mteb_metadata.current_name(name) for name in columns.strings]
        names = [tasks is None or not {name, now}.isdisjoint(tasks) for name, now in zip(columns.strings, today)]
        wanted = np.array([*names, False])[columns.files["task"]] & (columns.files["problem"] == NONE)
        rows = np.flatnonzero(wanted)
        whos = [Who.of(folder.owner.identity, revisions=revisions) for folder in index.folders]
        folders, task_ids = columns.files["folder"][rows].tolist(), columns.files["task"][rows].tolist()
        ours = (columns.files["facts"][rows] != NONE).tolist()  # other programs may have used a former name
        for row, folder, task, is_ours in zip(rows.tolist(), folders, task_ids, ours, strict=True):
            who = whos[folder]
            if who.variant and not variants:
                continue
            name = columns.strings[task] if is_ours else today[task]
            if tasks is None or name in tasks:
                candidates.setdefault(who, {}).setdefault(name, []).append(IndexRow(number, row))
    return {
        who: {task: _best(files, indices, who.model) for task, files in sorted(by_task.items())}
        for who, by_task in sorted(candidates.items())
    }


def _best(files: list[IndexRow], indices: Sequence[Index], model: str) -> IndexRow:
    if len(files) == 1:
        return files[0]
    return max(files, key=lambda file: (*_preference(file, indices, model), -file.source, -file.row))


def _preference(file: IndexRow, indices: Sequence[Index], model: str) -> tuple[Any, ...]:
    from packaging.version import InvalidVersion, Version

    index = indices[file.source]
    facts = index.columns.files[file.row]
    revision = index.folders[facts["folder"]].owner.identity.revision
    text = index.columns.strings[facts["mteb_version"]] if facts["mteb_version"] != NONE else ""
    try:
        version: Version | None = Version(text)
    except InvalidVersion:
        version = None
    date = float(facts["date"])
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
