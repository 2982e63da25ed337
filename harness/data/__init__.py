"""`load(task, part)`: the gold of one part of a task, with what identifies it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.data import revision_check
from harness.errors import DataError
from harness.evaluators import KINDS, tables
from harness.evaluators.tables import Table
from harness.types import Gold, Loaded, Part, Source, TaskSpec


def load(task: TaskSpec, part: Part) -> Loaded:
    """Read, check and identify `part` of `task`.

    Raises:
        DataError: the data cannot be read, does not hold what the task needs, or is not what the same revision held
            when this machine last loaded it.
    """
    gold, rows, notes, defects = KINDS[task.type].read(task, part, _Tables(task, part))
    loaded = Loaded(gold=gold, rows=rows, digest=digest(gold), notes=notes, defects=defects)
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


class _Tables:
    """The tables of a part; see `ReadTable`."""

    def __init__(self, task: TaskSpec, part: Part) -> None:
        self._task, self._part = task, part

    def __call__(self, name: str, *, subset: str | None = None, columns: Sequence[str] | None = None) -> Table:
        task, subset = self._task, self._part.subset if subset is None else subset
        kind = KINDS[task.type]
        of_split = name in (*kind.tables, *kind.optional_tables)
        if name == "qrels" and task.source.qrels:
            task = replace(task, source=task.source.qrels)
        read, merged = _reader(task), task.merge_splits.get(name, (name,))
        pieces = [
            read(task, table=piece, subset=subset, split=self._part.split if of_split else piece, columns=columns)
            for piece in merged
        ]
        if any(piece.keys() != pieces[0].keys() for piece in pieces[1:]):
            raise DataError(
                f"{task.name} {self._part}: the splits {', '.join(merged)} have different columns; they cannot be "
                "merged"
            )
        table = pieces[0] if len(pieces) == 1 else tables.merged(pieces)
        if task.source.kind != "local" and not of_split:
            _ROWS[self._place(name, subset)] = tables.length(table)
        return table

    def rows(self, name: str, subset: str) -> int:
        place = self._place(name, subset)
        return _ROWS[place] if place in _ROWS else tables.length(self(name, subset=subset))

    def _place(self, name: str, subset: str) -> tuple[Source, str, tuple[str, ...]]:
        task = self._task
        return task.source, task.configs.get(subset, subset), tuple(task.merge_splits.get(name, (name,)))


_ROWS: dict[tuple[Source, str, tuple[str, ...]], int] = {}
"""The rows of the splits that were read in this process, at their pinned commits."""


def _reader(task: TaskSpec) -> Callable[..., Table]:
    if task.source.kind == "local":
        from harness.data.local_tables import read
    elif task.source.kind == "mteb":
        from harness.data.mteb_bridge import read
    else:
        from harness.data.hub_tables import read
    return read
