"""`load(task, part)`: the gold of one part of a task, with what identifies it."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import replace

from harness.data import revision_check
from harness.errors import DataError
from harness.evaluators import KINDS, tables
from harness.evaluators.tables import Table
from harness.types import Gold, Loaded, Part, TaskSpec


def load(task: TaskSpec, part: Part) -> Loaded:
    """Read, check and identify `part` of `task`.

    Raises:
        DataError: the data cannot be read, does not hold what the task needs, or is not what the same revision held
            when this machine last loaded it.
    """
    gold, rows, notes = KINDS[task.type].read(task, part, functools.partial(_table, task, part))
    loaded = Loaded(gold=gold, rows=rows, digest=digest(gold), notes=notes)
    if task.source.kind != "local":
        revision_check.check(task, part, loaded)
    return loaded


def limited(task: TaskSpec, loaded: Loaded, max_texts: int) -> Loaded:
    """The part in quick mode; its digest says that it is another one."""
    gold = loaded.gold.sample(max_texts, settings=task.settings)
    note = f"quick mode: a sample of at most {max_texts} texts; not comparable with full scores"
    return replace(loaded, gold=gold, digest=digest(gold), notes=(*loaded.notes, note))


def digest(gold: Gold) -> str:
    """sha256 over everything in `gold` that can move a score, in order; field boundaries are part of it."""
    sha = hashlib.sha256()
    for value in gold.contents():
        encoded = value.encode("utf-8", "surrogatepass")
        sha.update(len(encoded).to_bytes(8, "little"))
        sha.update(encoded)
    return sha.hexdigest()


def _table(task: TaskSpec, part: Part, name: str) -> Table:
    """One table of a part: one of those that the task's type reads, or the rows of the split `name`."""
    if task.source.kind == "local":
        from harness.data.local_tables import read
    elif task.source.kind == "mteb":
        from harness.data.mteb_bridge import read
    else:
        from harness.data.hub_tables import read

    of_split = name in KINDS[task.type].tables
    if name == "qrels" and task.source.qrels:
        task = replace(task, source=task.source.qrels)
    merged = task.merge_splits.get(name, (name,))
    pieces = [read(task, table=piece, subset=part.subset, split=part.split if of_split else piece) for piece in merged]
    if any(piece.keys() != pieces[0].keys() for piece in pieces[1:]):
        raise DataError(
            f"{task.name} {part}: the splits {', '.join(merged)} have different columns; they cannot be merged"
        )
    return pieces[0] if len(pieces) == 1 else tables.merged(pieces)
