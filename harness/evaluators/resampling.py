"""Scores of b resamples of n items at once (pure numpy).

Every function takes `counts` (b, n) float64, how often each resample holds each item, and returns the scores (b,)
float64; counts of one give the score of the data. The definitions are those of `metrics`. Nothing is sorted anew for a
resample, except for the ranks of `spearman`.
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
    """The mean of values (n,)."""
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
    """The rank correlation: equal values share the mean of their ranks in each resample."""
    return _correlation(counts, mean_ranks(left, counts=counts), mean_ranks(right, counts=counts))


def average_precision(counts: Float64, similarity: Real, positive: NDArray[np.bool_]) -> Float64:
    """The average precision of pairs (n,) by falling similarity; pairs of equal similarity count as one step."""
    order, groups = sorted_groups(-similarity)
    drawn = counts[:, order]
    taken = np.cumsum(drawn, axis=1)[:, groups]
    hits = np.cumsum(drawn * positive[order], axis=1)[:, groups]
    gained = np.diff(hits, axis=1, prepend=0)
    total = hits[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(taken > 0, hits / taken, 0.0)
        return np.asarray((gained * precision).sum(axis=1) / np.where(total > 0, total, np.nan))


def accuracy(counts: Float64, true: Whole, predicted: Whole) -> Float64:
    """The accuracy, a mean over experiments: true (n,), predicted (experiments, n)."""
    return mean(counts, (predicted == true).mean(axis=0))


def f1_macro(counts: Float64, true: Whole, predicted: Whole) -> Float64:
    """The F1, a mean over experiments of the mean over classes that occur: true (n,), predicted (experiments, n)."""
    total = np.zeros(len(counts))
    for row in predicted:
        f1, _, present = _by_class(counts, true, row)
        total += f1.sum(axis=1) / present.sum(axis=1)
    return total / len(predicted)


def f1_weighted(counts: Float64, true: Whole, predicted: Whole) -> Float64:
    """The F1, a mean over classes weighted by how often each is true: true (n,), predicted (n,)."""
    f1, support, _ = _by_class(counts, true, predicted)
    return np.asarray((f1 * support).sum(axis=1) / support.sum(axis=1))


def f1_of_label_sets(counts: Float64, true: Whole, predicted: Whole) -> Float64:
    """The F1, a mean over experiments and labels: true (labels, n), predicted (experiments, labels, n), 0 and 1.

    A label that neither side has in a resample counts with 0, as in the data.
    """
    total, support = np.zeros(len(counts)), counts @ true.T.astype(np.float64)
    for of_experiment in predicted:
        hits = counts @ (of_experiment & true).T.astype(np.float64)
        either = support + counts @ of_experiment.T.astype(np.float64)
        total += np.divide(2 * hits, either, out=np.zeros_like(hits), where=either > 0).mean(axis=1)
    return total / len(predicted)


class _ByClass(NamedTuple):
    """Each (b, classes): the F1, how often the class is true, and whether it occurs in the resample at all."""

    f1: Float64
    support: Float64
    present: NDArray[np.bool_]


def _by_class(counts: Float64, true: Whole, predicted: Whole) -> _ByClass:
    names, classes = np.unique(np.concatenate([true, predicted]), return_inverse=True)
    true_class, predicted_class = classes[: len(true)], classes[len(true) :]
    support, guessed = _sums(counts, true_class, len(names)), _sums(counts, predicted_class, len(names))
    hits = _sums(counts * (true == predicted), true_class, len(names))
    either = support + guessed
    with np.errstate(invalid="ignore", divide="ignore"):
        return _ByClass(np.where(either > 0, 2 * hits / either, 0.0), support, either > 0)


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
    covariance, variances = (weighted * y).sum(axis=1), (weighted * x).sum(axis=1) * (counts * y * y).sum(axis=1)
    return np.asarray(np.where(variances > 0, covariance / np.sqrt(np.where(variances > 0, variances, 1.0)), np.nan))
