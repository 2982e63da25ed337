"""Task scores with the items drawn anew, for the rows of a leaderboard whose records have items beside them.

Drawing costs seconds where a table costs milliseconds, so what was drawn is kept in the cache folder, by record and
time of the file of items.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness import results
from harness.errors import RecordError
from harness.evaluators.items import replicates
from harness.files.atomic import write_cache
from harness.files.folders import cache_folder
from harness.leaderboard.board import Leaderboard
from harness.leaderboard.index_columns import NONE
from harness.results.items import get_items, items_path
from harness.types import Part, Refused

if TYPE_CHECKING:
    from harness.types import Float64

VERSION = 1


def drawn(board: Leaderboard, *, resamples: int) -> tuple[dict[tuple[int, str], Float64], tuple[Refused, ...]]:
    """(row, task) -> (resamples,) float64, for the scores of which the items of all parts are known; broken files."""
    found, refused = {}, []
    tasks = dict(zip((task.name for task in board.tasks), board.parts, strict=True))
    for number, row in enumerate(board.rows):
        for task, cell in row.files.items():
            if task in row.scores and board.indices[cell.source].columns.files["facts"][cell.row] != NONE:
                record = board.path(cell)
                try:
                    values = _kept(record, tasks[task], resamples)
                except RecordError as err:  # costs an interval, not the board
                    refused.append(Refused(str(items_path(record)), str(err)))
                    continue
                if values is not None:
                    found[number, task] = values
    return found, tuple(refused)


def _kept(record: Path, parts: Sequence[Part], resamples: int) -> Float64 | None:
    try:
        own, theirs = record.stat(), items_path(record).stat()
    except OSError:
        return None
    keys = [VERSION, resamples, str(record.resolve()), *parts]
    keys += [value for stat in (own, theirs) for value in (stat.st_size, stat.st_mtime_ns, stat.st_ino)]
    file = cache_folder() / "draws" / f"{hashlib.sha256(repr(keys).encode()).hexdigest()[:24]}.f64"
    try:
        kept = np.frombuffer(file.read_bytes(), np.float64)
        if len(kept) == resamples:
            return kept
    except (OSError, ValueError):
        pass
    values = _drawn(record, parts, resamples)
    if values is not None:
        write_cache(file, values.tobytes())
    return values


def _drawn(record: Path, parts: Sequence[Part], resamples: int) -> Float64 | None:
    """None where the items of some part are not known.

    Raises:
        RecordError: the file of items is broken.
    """
    try:
        whole = results.from_json(record.read_text(encoding="utf-8"), path=record)
    except (OSError, RecordError):  # since the board was built
        return None
    items = get_items(whole) or {}
    if not all(part in items for part in parts):
        return None
    by_part = [replicates(items[part], task=whole.task, part=part, resamples=resamples) for part in parts]
    values = np.mean(by_part, axis=0)
    return values if np.isfinite(values).all() else None
