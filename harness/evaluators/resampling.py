"""Scores of resampled items (pure numpy): each takes counts, how often every item was drawn, and gives the scores.

Every function takes `counts` (b, n) float64 and returns (b,) float64; with counts of one it is the score of the data.
The definitions are those of `metrics`, with item i standing there counts[i] times; nothing is sorted per resample.
A resample on which a score is undefined (a correlation without variance, no positive pair) gives NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.stats.tied_ranks import mean_ranks, sorted_groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float64

    Real = NDArray[np.floating]
    Whole = NDArray[np.integer]


def mean(counts: Float64, values: Real) -> Float64:
    """Of values (n,)."""
    return np.asarray(counts @ values.astype(np.float64) / counts.sum(axis=1))


def pearson(counts: Float64, left: Real, right: Real) -> Float64:
    """The correlation of left (n,) and right (n,)."""
    n = len(left)
    shape = (len(counts), n)
    return _correlation(
        counts,
        np.broadcast_to(left.astype(np.float64), shape),
        np.broadcast_to(right.astype(np.float64), shape),
    )


def spearman(counts: Float64, left: Real, right: Real) -> Float64:
    """The rank correlation: equal values share the mean of their ranks, in each resample anew."""
    return _correlation(counts, mean_ranks(left, counts=counts), mean_ranks(right, counts=counts))


def average_precision(counts: Float64, similarity: Real, positive: NDArray[np.bool_]) -> Float64:
    """Of pairs in order of similarity, highest first; equal ones are taken together."""
    order, groups = sorted_groups(-similarity)
    drawn = counts[:, order]
    taken = _last(np.cumsum(drawn, axis=1), groups)
    positives = _last(np.cumsum(drawn * positive[order], axis=1), groups)
    gained = np.diff(positives, axis=1, prepend=0)
    total = positives[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(taken > 0, positives / taken, 0.0)
        return np.asarray((gained * precision).sum(axis=1) / np.where(total > 0, total, np.nan))


def accuracy(counts: Float64, true: Whole, predicted: Whole) -> Float64:
    """The mean over experiments: true (n,), predicted (experiments, n)."""
    return mean(counts, (predicted == true).mean(axis=0))


def f1_macro(counts: Float64, true: Whole, predicted: Whole) -> Float64:
    """The mean over experiments of the mean over classes, those that are true or predicted somewhere: as `accuracy`."""
    f1_sum = np.zeros(len(counts))
    for row in predicted:
        f1, present = _f1_by_class(counts, true, row)
        f1_sum += np.where(present, f1, 0.0).sum(axis=1) / present.sum(axis=1)
    return f1_sum / len(predicted)


def f1_weighted(counts: Float64, true: Whole, predicted: Whole) -> Float64:
    """The mean over classes by how often each is true: true (n,), predicted (n,)."""
    classes = _Classes.of(true, predicted)
    support, guessed = _sums(counts, classes.true, classes.n), _sums(counts, classes.predicted, classes.n)
    hits = _sums(counts * (true == predicted), classes.true, classes.n)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = np.where(support + guessed > 0, 2 * hits / (support + guessed), 0.0)
    return np.asarray((f1 * support).sum(axis=1) / support.sum(axis=1))


class _Classes(NamedTuple):
    true: Whole
    predicted: Whole
    n: int

    @classmethod
    def of(cls, true: Whole, predicted: Whole) -> _Classes:
        names, which = np.unique(np.concatenate([true, predicted]), return_inverse=True)
        return cls(which[: len(true)], which[len(true) :], len(names))


class _F1(NamedTuple):
    f1: Float64
    present: NDArray[np.bool_]


def _f1_by_class(counts: Float64, true: Whole, predicted: Whole) -> _F1:
    classes = _Classes.of(true, predicted)
    support, guessed = _sums(counts, classes.true, classes.n), _sums(counts, classes.predicted, classes.n)
    hits = _sums(counts * (true == predicted), classes.true, classes.n)
    either = support + guessed
    with np.errstate(invalid="ignore", divide="ignore"):
        return _F1(np.where(either > 0, 2 * hits / either, 0.0), either > 0)


def _sums(weights: Float64, group: Whole, count: int) -> Float64:
    """(b, n) -> (b, groups): the sum of the weights in each group."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(count))
    ends = np.append(starts[1:], len(group))
    totals = np.concatenate([np.zeros((len(weights), 1)), np.cumsum(weights[:, order], axis=1)], axis=1)
    return np.asarray(totals[:, ends] - totals[:, starts])


def _correlation(counts: Float64, left: Float64, right: Float64) -> Float64:
    total = counts.sum(axis=1, keepdims=True)
    x = left - (counts * left).sum(axis=1, keepdims=True) / total
    y = right - (counts * right).sum(axis=1, keepdims=True) / total
    weighted = counts * x
    together, apart = (weighted * y).sum(axis=1), (weighted * x).sum(axis=1) * (counts * y * y).sum(axis=1)
    return np.asarray(np.where(apart > 0, together / np.sqrt(np.where(apart > 0, apart, 1.0)), np.nan))


def _last(cumulated: Float64, ends: NDArray[np.int64]) -> Float64:
    return cumulated[:, ends]
