"""Task scores of resampled items, for the rows of a leaderboard whose records have items beside them.

Resampling takes seconds where a table takes milliseconds, so the scores are kept in the cache folder, under the record
and the stamps of its files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness import results
from harness.errors import RecordError
from harness.evaluators.items import replicates
from harness.files import kept
from harness.files.folders import cache_folder
from harness.leaderboard.board_values import Leaderboard
from harness.leaderboard.index_columns import NONE
from harness.results.items import get_items, items_path
from harness.types import Part, Refused

if TYPE_CHECKING:
    from harness.types import Float64

VERSION = 1


class ResampledScores(NamedTuple):
    """Scores of resampled items.

    Attributes:
        scores: (number of the row, task) -> (resamples,) float64, where the items of all parts are recorded.
        refused: broken files of items.
    """

    scores: Mapping[tuple[int, str], Float64]
    refused: tuple[Refused, ...] = ()


def resampled_scores(board: Leaderboard, *, resamples: int) -> ResampledScores:
    """The scores of resampled items, by the same draws for all models."""
    scores: dict[tuple[int, str], Float64] = {}
    refused: list[Refused] = []
    tasks = dict(zip((task.name for task in board.tasks), board.parts, strict=True))
    for number, row in enumerate(board.rows):
        for task, file in row.files.items():
            if task in row.scores and board.indices[file.source].columns.files["facts"][file.row] != NONE:
                record = board.path(file)
                try:
                    values = _cached(record, tasks[task], resamples)
                except RecordError as err:  # costs an interval, not the board
                    refused.append(Refused(str(items_path(record)), str(err)))
                    continue
                if values is not None:
                    scores[number, task] = values
    return ResampledScores(scores, tuple(refused))


def _cached(record: Path, parts: Sequence[Part], resamples: int) -> Float64 | None:
    try:
        stats = record.stat(), items_path(record).stat()
    except OSError:
        return None
    keys = [VERSION, resamples, str(record.resolve()), *parts]
    keys += [value for stat in stats for value in (stat.st_size, stat.st_mtime_ns, stat.st_ino)]
    file = cache_folder() / "draws" / f"{hashlib.sha256(repr(keys).encode()).hexdigest()[:24]}.f64"
    cached = kept.read(file)
    if cached is not None and len(cached) == 8 * resamples:
        return np.frombuffer(cached, np.float64)
    values = _resampled(record, parts, resamples)
    if values is not None:
        kept.write(file, values.tobytes())
    return values


def _resampled(record: Path, parts: Sequence[Part], resamples: int) -> Float64 | None:
    """The scores; None where the items of a part are not recorded.

    Raises:
        RecordError: the file of items is broken.
    """
    try:
        whole = results.from_json(record.read_text(encoding="utf-8"), path=record)
    except (OSError, RecordError):  # changed since the board was built
        return None
    items = get_items(whole) or {}
    if not all(part in items for part in parts):
        return None
    by_part = [replicates(items[part], task=whole.task, part=part, resamples=resamples) for part in parts]
    values = np.mean(by_part, axis=0)
    return values if np.isfinite(values).all() else None
