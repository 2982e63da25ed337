"""Abstention: how well the scores of a ranking predict its quality. Confidence guesses and nAUC (numpy only)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from harness.types import Float32, Float64, Int64

ABSTENTION_RATES = np.linspace(0, 1, 11)[:-1]
"""Shares of the queries that a model abstains from when `nauc` is computed: 0, 0.1 ... 0.9."""


class Confidence(NamedTuple):
    """Three guesses, each (n,) float64, at how far a query's ranking can be trusted, from its scores alone."""

    max: Float64
    std: Float64
    diff1: Float64


def confidence(scores: Float32, counts: Int64) -> Confidence:
    """Highest score, standard deviation of the scores, and lead of the highest score over the second.

    Args:
        scores: (n, depth), each row descending.
        counts: (n,) how many leading scores of a row are there. A value that needs more scores than that is 0.
    """
    n = len(scores)
    values = Confidence(np.zeros(n), np.zeros(n), np.zeros(n))
    for count in np.unique(counts[counts > 0]):
        rows = np.flatnonzero(counts == count)
        present = scores[rows, :count].astype(np.float64)
        values.max[rows] = present[:, 0]
        values.std[rows] = present.std(axis=1)
        values.diff1[rows] = present[:, 0] - present[:, 1] if count > 1 else 0.0
    return values


def nauc(confidence: Float64, values: Float64) -> float | None:
    """How well `confidence` tells the queries of high value from those of low value: 1 at best, 0 for a guess.

    The curve of the mean value over the abstention rates, where the least confident queries are left out first, gives
    an area; it is scaled between that of leaving out at random (0) and that of leaving out the worst (1). Queries of
    equal confidence count with their mean value. Gisserot-Boukhlef et al., 2024 (arXiv:2402.12997); mteb 2.26.

    Args:
        confidence: (n,) float64.
        values: (n,) float64, a metric by query.

    Returns:
        None when abstaining cannot help (all values equal). The order of the sums is that of mteb, because rounding
        decides whether "cannot help" is noticed.
    """
    curve, oracle = _abstention_curve(confidence, values), _abstention_curve(values, values)
    area, best = np.trapezoid(curve, ABSTENTION_RATES), np.trapezoid(oracle, ABSTENTION_RATES)
    flat = oracle[0] * (ABSTENTION_RATES[-1] - ABSTENTION_RATES[0])
    return None if best == flat else float((area - flat) / (best - flat))


def _abstention_curve(confidence: Float64, values: Float64) -> Float64:
    """The mean value of the queries that are kept, at each abstention rate."""
    order = np.argsort(confidence, kind="stable")
    ordered, n = confidence[order], len(order)
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[starts, n])
    expected = np.repeat(np.add.reduceat(values[order], starts) / sizes, sizes)
    return np.array([expected[min(round(rate * n), n - 1) :].mean() for rate in ABSTENTION_RATES])
