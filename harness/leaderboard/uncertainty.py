"""Intervals, rank intervals and tie groups of a leaderboard.

What is drawn anew are the tasks: the question is whether the ranking would hold on other tasks of the kind. Where our
own records tell a task's items, these are drawn anew too (see `harness.evaluators.items`), the same for all models.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.leaderboard.board import Leaderboard, Span
from harness.stats import ranks

if TYPE_CHECKING:
    from harness.types import Float64, Refused

RESAMPLES = 2000
SEED = 0
FEWEST_TASKS = 3
"""Two tasks can be drawn in three ways: no interval comes of that."""


def with_uncertainty(board: Leaderboard, *, resamples: int = RESAMPLES) -> Leaderboard:
    """The leaderboard with intervals of Mean (Task), rank intervals and tie groups.

    Only models that have every task get them: the others have no Mean (Task) to be unsure of. Fewer than three tasks
    give none. Every score whose items are known gets an interval of its own.

    Args:
        board: Without intervals.
        resamples: How many draws.
    """
    items, broken = _items(board, resamples)
    board = dataclasses.replace(board, refused=(*board.refused, *broken))
    rows = list(board.rows)
    for (at, task), values in items.items():
        low, high = np.quantile(values, [0.025, 0.975])
        known = {**rows[at].score_intervals, task: Span(float(low), float(high))}
        rows[at] = dataclasses.replace(rows[at], score_intervals=known)
    complete = [at for at, row in enumerate(rows) if row.mean_task is not None]
    if len(board.tasks) < FEWEST_TASKS or not complete:
        return dataclasses.replace(board, rows=tuple(rows))
    scores = board.score_matrix()[complete]
    if items:
        replicates = _two_levels(board, complete, scores, items, resamples)
    else:
        replicates = ranks.means_over_tasks(scores, resamples=resamples, seed=SEED)
    lows, highs = np.quantile(replicates, [0.025, 0.975], axis=1)
    rank_spans = ranks.spans(replicates)
    groups = ranks.tie_groups(replicates, scores.mean(axis=1))
    for number, at in enumerate(complete):
        rows[at] = dataclasses.replace(
            rows[at],
            interval=Span(float(lows[number]), float(highs[number])),
            rank_span=(rank_spans[number].best, rank_spans[number].worst),
            tie_group=int(groups[number]),
        )
    what = "tasks drawn anew, and the items of those whose items are known" if items else "tasks drawn anew"
    return dataclasses.replace(board, rows=tuple(rows), uncertainty=f"95% by bootstrap: {what}")


def _items(board: Leaderboard, resamples: int) -> tuple[Mapping[tuple[int, str], Float64], tuple[Refused, ...]]:
    """Nothing where no record is our own: then the machinery of items is not even imported."""
    if not any(index.columns.facts for index in board.indices):
        return {}, ()
    from harness.leaderboard import resampled_scores

    return resampled_scores.drawn(board, resamples=resamples)


def _two_levels(
    board: Leaderboard,
    complete: Sequence[int],
    scores: Float64,
    items: Mapping[tuple[int, str], Float64],
    resamples: int,
) -> Float64:
    """As `stats.bootstrap.hierarchical`, with the same tasks and items for all models: (models, resamples)."""
    generator = np.random.default_rng(SEED)
    names = [task.name for task in board.tasks]
    drawn = generator.integers(len(names), size=(resamples, len(names)))
    within = generator.integers(resamples, size=(resamples, len(names)))
    found = np.empty((len(complete), resamples))
    for number, at in enumerate(complete):
        own = np.repeat(scores[number][:, None], resamples, axis=1)
        for task, name in enumerate(names):
            values = items.get((at, name))
            if values is not None:
                own[task] = values
        found[number] = own[drawn, within].mean(axis=1)
    return np.round(found, 12)
