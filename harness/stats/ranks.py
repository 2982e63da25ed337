"""Rank intervals and tie groups, by the same resamples for all models.

Models are compared within each resample. What moves all of them alike (a hard task drawn twice) then cancels, whereas
separate intervals of the models would overlap almost everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.stats.bootstrap import CONFIDENCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float64

_DIGITS = 12
"""Sums in another order differ by less than this, and equal models must stay equal."""
_AT_A_TIME = 32


class RankSpan(NamedTuple):
    """The best and the worst rank of an interval."""

    best: int
    worst: int


def means_over_tasks(scores: Float64, *, resamples: int, seed: int = 0) -> Float64:
    """Means over resampled tasks, the same for all models: (models, tasks) -> (models, resamples)."""
    generator = np.random.default_rng(seed)
    tasks = scores.shape[1]
    counts = generator.multinomial(tasks, np.full(tasks, 1 / tasks), size=resamples)
    return np.round(scores @ (counts.T / tasks), _DIGITS)


def spans(replicates: Float64, *, confidence: float = CONFIDENCE) -> list[RankSpan]:
    """The interval of each model's rank: Goldstein and Spiegelhalter (1996), "League tables and their limitations".

    Args:
        replicates: (models, resamples) float64, by the same draws for all models; larger is better. Models that are
            equal in every resample share all the ranks that they fill.
        confidence: The share of the resamples that lie within.
    """
    distinct, which, count = np.unique(replicates, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(-distinct, axis=0, kind="stable")
    last = np.cumsum(count[order], axis=0)
    best, worst = np.empty(distinct.shape), np.empty(distinct.shape)
    np.put_along_axis(best, order, last - count[order] + 1, axis=0)
    np.put_along_axis(worst, order, last, axis=0)
    tail = (1 - confidence) / 2
    low = np.quantile(best, tail, axis=1, method="lower")[which]
    high = np.quantile(worst, 1 - tail, axis=1, method="higher")[which]
    return [RankSpan(int(a), int(b)) for a, b in zip(low, high, strict=True)]


def tie_groups(replicates: Float64, points: Float64, *, confidence: float = CONFIDENCE) -> NDArray[np.int64]:
    """Groups of models that are statistically tied with the best of the group, numbered from 1, best first.

    The best model that has no group yet starts one. The models after it join, up to the first one whose difference from
    it has an interval wholly below zero (paired bootstrap, Koehn 2004).

    Args:
        replicates: (models, resamples) float64, by the same draws for all models.
        points: (models,) float64, the scores themselves.
        confidence: Of each interval.

    Returns:
        (models,) int64.
    """
    order = np.argsort(-points, kind="stable")
    groups = np.zeros(len(points), np.int64)
    at, group = 0, 0
    while at < len(order):
        group += 1
        end = _first_apart(replicates, order, at, confidence=confidence)
        groups[order[at:end]] = group
        at = end
    return groups


def _first_apart(replicates: Float64, order: NDArray[np.int64], leader: int, *, confidence: float) -> int:
    for start in range(leader + 1, len(order), _AT_A_TIME):
        rest = order[start : start + _AT_A_TIME]
        differences = replicates[rest] - replicates[order[leader]]
        apart = np.flatnonzero(np.quantile(differences, (1 + confidence) / 2, axis=1) < -(10.0**-_DIGITS))
        if len(apart):
            return start + int(apart[0])
    return len(order)
