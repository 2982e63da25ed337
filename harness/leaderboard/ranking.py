"""The arithmetic of a leaderboard (pure): task scores to means, Borda points and ranks.

The definitions are mteb's (`benchmarks/_create_table.py`, mteb 2.26; the Borda count after Colombo et al. 2022, "What
are the best systems? New perspectives on NLP benchmarking"):

- Mean (Task): mean over the tasks; none where one is missing.
- the column of a type: mean over its tasks; Mean (TaskType): mean over these columns.
- Borda: on each task a model gets (models - its rank) points, models with equal scores sharing the mean of their ranks,
  a missing task giving none; the rank by the sum, equal sums sharing the best rank.

A task of which a model has only some parts is missing in the means, but gives Borda points for the mean of those parts.
A model with records of the tasks, but no task whole, has no row; it takes a place in the ranks all the same, which can
therefore have gaps. "Models" in the Borda points are the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.stats.tied_ranks import mean_ranks

if TYPE_CHECKING:
    from harness.types import Float64, Int64


class Ranking(NamedTuple):
    """The columns of a leaderboard; NaN where something is missing.

    Attributes:
        mean_task, mean_type: (n,) float64.
        by_type: (n, types) float64, types in order of first mention.
        points: (n,) float64, the Borda count.
        rank: (n,) int64, from 1, by the Borda count.
    """

    mean_task: Float64
    mean_type: Float64
    by_type: Float64
    points: Float64
    rank: Int64


def rank(scores: Float64, types: Sequence[str], *, partial: Float64 | None = None) -> Ranking:
    """Means and ranks.

    Args:
        scores: (n, tasks) float64, NaN where a model lacks a task or a part of it.
        types: The type of each task.
        partial: (n, columns) float64, from which the Borda points are counted: the mean over the parts of a task, or of
            a subset, that are there, NaN where there is none; `scores` if None.
    """
    whole = int((~np.isnan(scores)).any(axis=1).sum())
    order = list(dict.fromkeys(types))
    columns = [scores[:, [kind == name for kind in types]] for name in order]
    by_type = np.column_stack([_mean(column) for column in columns]) if columns else np.empty((len(scores), 0))
    points = borda(scores if partial is None else partial, rows=whole)
    return Ranking(
        mean_task=_mean(scores),
        mean_type=_mean(by_type),
        by_type=by_type,
        points=points,
        rank=np.searchsorted(np.sort(-points), -points) + 1,
    )


def borda(scores: Float64, *, rows: int) -> Float64:
    """The Borda count of each row of (n, tasks) scores, NaN where missing: (n,) float64.

    Args:
        scores: The scores.
        rows: The number of models that the points count from: (rows - rank) on each task.
    """
    points = np.zeros(len(scores))
    for column in scores.T:
        recorded = ~np.isnan(column)
        points[recorded] += rows - mean_ranks(-column[recorded])
    return points


def _mean(values: Float64) -> Float64:
    """Row means; NaN for a row with a NaN, and for no columns."""
    return values.mean(axis=1) if values.shape[1] else np.full(len(values), np.nan)
