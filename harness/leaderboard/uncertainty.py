"""Intervals, rank intervals and tie groups of a leaderboard.

The tasks are resampled: the question is whether the ranking would hold on similar tasks. Where records of this harness
hold the items of a task, these are resampled too (see `harness.evaluators.items`), with the same draws for all models.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.leaderboard.board_values import Leaderboard
from harness.stats import ranks
from harness.stats.bootstrap import Interval

if TYPE_CHECKING:
    from harness.types import Float64

RESAMPLES = 2000
SEED = 0
FEWEST_TASKS = 3
"""Two tasks have only three different resamples, which give no interval."""


def with_uncertainty(board: Leaderboard, *, resamples: int = RESAMPLES) -> Leaderboard:
    """The leaderboard with intervals of Mean (Task), rank intervals and tie groups.

    Only models that have every task get them, since the others have no Mean (Task). With fewer than three tasks there
    are none. Every score whose items are recorded gets an interval of its own.

    Args:
        board: Without intervals.
        resamples: Number of resamples.
    """
    items: Mapping[tuple[int, str], Float64] = {}
    if any(index.columns.facts for index in board.indices):  # else nothing that reads items is imported
        from harness.leaderboard.resampled_scores import resampled_scores

        items, broken = resampled_scores(board, resamples=resamples)
        board = dataclasses.replace(board, refused=(*board.refused, *broken))
    rows = list(board.rows)
    for (at, task), values in items.items():
        low, high = np.quantile(values, [0.025, 0.975])
        intervals = {**rows[at].score_intervals, task: Interval(float(low), float(high))}
        rows[at] = dataclasses.replace(rows[at], score_intervals=intervals)
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
            interval=Interval(float(lows[number]), float(highs[number])),
            rank_span=rank_spans[number],
            tie_group=int(groups[number]),
        )
    what = "tasks resampled, and items of tasks whose items are recorded" if items else "tasks resampled"
    return dataclasses.replace(board, rows=tuple(rows), uncertainty=f"95% by bootstrap: {what}")


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
    means = np.empty((len(complete), resamples))
    for number, at in enumerate(complete):
        of_tasks = np.repeat(scores[number][:, None], resamples, axis=1)
        for task, name in enumerate(names):
            values = items.get((at, name))
            if values is not None:
                of_tasks[task] = values
        means[number] = of_tasks[drawn, within].mean(axis=1)
    return np.round(means, 12)
