"""Bootstrap intervals: how far a score could have come out otherwise, had other items been drawn.

- Percentile interval: Efron (1979), "Bootstrap methods: another look at the jackknife", Annals of Statistics 7.
- BCa, bias-corrected and accelerated: Efron (1987), "Better bootstrap confidence intervals", JASA 82. The reference is
  `scipy.stats.bootstrap` (scipy 1.17), which the tests compare with.
- Two levels, tasks and items within them: Davison and Hinkley (1997), "Bootstrap methods and their application", 3.8.
  Tasks are drawn with replacement, and for every task drawn its items anew.

A statistic is given by counts: it takes (b, n) float64, how often each of the n items was drawn in each of b resamples,
and returns the b scores. That fits all of our metrics, sorted ones included, without sorting once per resample.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float64

Statistic: TypeAlias = "Callable[[Float64], Float64]"
Method: TypeAlias = Literal["percentile", "bca"]

RESAMPLES = 10_000
CONFIDENCE = 0.95
_BLOCK = 1_000_000
"""Counts held at a time: 8 MB."""
_CACHED = 50_000
"""Draws made at a time where nothing is kept of them: what a processor's cache holds."""
_PIECES = 16
_WORTH_THREADS = 5_000_000
"""Draws that take as long as starting the threads."""


class Interval(NamedTuple):
    """A confidence interval; `low` <= `high`, and equal where nothing varies."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether the value lies within."""
        return self.low <= value <= self.high


def draw(n: int, *, resamples: int, seed: int) -> Iterator[Float64]:
    """Counts of n items drawn n times with replacement, in blocks: (b, n) float64 each, `resamples` rows in all."""
    generator = np.random.default_rng(seed)
    size = max(1, _BLOCK // max(n, 1))
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        drawn = np.empty((rows, n), np.int64)
        _positions(generator, np.empty((rows, n)), out=drawn)
        drawn += np.arange(rows)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def replicate(statistic: Statistic, n: int, *, resamples: int = RESAMPLES, seed: int = 0) -> Float64:
    """The statistic of each resample of n items: (resamples,) float64."""
    return np.concatenate([statistic(counts) for counts in draw(n, resamples=resamples, seed=seed)])


def replicate_mean(values: Float64, *, resamples: int = RESAMPLES, seed: int = 0) -> Float64:
    """The mean of each resample of values (n,): (resamples,) float64; faster than by counts.

    Args:
        values: (n,) float64, or (n, m) for the means of m columns by the same draws, (resamples, m).
    """
    generator = np.random.default_rng(seed)
    n = len(values)
    if values.ndim > 1:
        return np.concatenate([counts @ values / n for counts in draw(n, resamples=resamples, seed=seed)])
    distinct, number = np.unique(values, return_counts=True)
    if len(distinct) * 20 < n:  # right or wrong, and the like: how often each value is drawn decides all
        return generator.multinomial(n, number / n, size=resamples) @ distinct / n
    means = np.empty(resamples)
    pieces = np.array_split(means, _PIECES)  # views
    seeds = np.random.SeedSequence(seed).spawn(_PIECES)  # of each piece, so that the threads' order changes nothing
    jobs = [(values, piece, piece_seed) for piece, piece_seed in zip(pieces, seeds, strict=True) if len(piece)]
    if resamples * n < _WORTH_THREADS:
        for job in jobs:
            _means(*job)
    else:
        with ThreadPoolExecutor(min(_PIECES, os.cpu_count() or 1)) as pool:
            list(pool.map(_means, *zip(*jobs, strict=True)))
    return means


def _means(values: Float64, out: Float64, seed: np.random.SeedSequence) -> None:
    """Fill `out` with means of resamples. Every array is made once: fresh memory costs more than the arithmetic."""
    generator = np.random.default_rng(seed)
    n = len(values)
    size = max(1, _CACHED // n)
    uniform, drawn = np.empty((size, n)), np.empty((size, n), np.int64)
    resampled = np.empty((size, n))
    for start in range(0, len(out), size):
        rows = min(size, len(out) - start)
        _positions(generator, uniform[:rows], out=drawn[:rows])
        np.take(values, drawn[:rows], out=resampled[:rows], mode="clip")
        out[start : start + rows] = resampled[:rows].mean(axis=1)


def interval(
    replicates: Float64,
    *,
    point: float | None = None,
    jackknife: Float64 | None = None,
    confidence: float = CONFIDENCE,
    method: Method = "percentile",
) -> Interval:
    """The interval that the replicates of a statistic give.

    Args:
        replicates: (resamples,) float64; NaN, from a resample on which the statistic is undefined, is left out.
        point: The statistic of the data itself; needed for `bca`.
        jackknife: (n,) float64, the statistic without each item in turn; needed for `bca`.
        confidence: The share of intervals that should hold the true value.
        method: `bca` corrects bias and skew, to second order; `percentile` needs nothing else.

    Raises:
        ValueError: no finite replicate, or `bca` without what it needs.
    """
    values = replicates[np.isfinite(replicates)]
    if not len(values):
        raise ValueError("no resample has a finite score, expected at least one")
    tail = (1 - confidence) / 2
    shares = np.array([tail, 1 - tail])
    if method == "bca":
        if point is None or jackknife is None:
            raise ValueError("bca needs the point estimate and the jackknife values")
        shares = _corrected(shares, values, point, jackknife)
    low, high = np.quantile(values, shares)
    return Interval(float(low), float(high))


def jackknife(statistic: Statistic, n: int) -> Float64:
    """The statistic without each item in turn: (n,) float64."""
    size = max(1, _BLOCK // max(n, 1))
    blocks = []
    for start in range(0, n, size):
        rows = min(size, n - start)
        counts = np.ones((rows, n))
        counts[np.arange(rows), start + np.arange(rows)] = 0
        blocks.append(statistic(counts))
    return np.concatenate(blocks)


def jackknife_mean(values: Float64) -> Float64:
    """The mean without each value in turn, in closed form: (n,) -> (n,)."""
    return (values.sum() - values) / (len(values) - 1)


def hierarchical(
    replicates: Sequence[Float64 | float], *, resamples: int = RESAMPLES, seed: int = 0
) -> NDArray[np.float64]:
    """The mean over tasks, tasks and items both drawn anew: (resamples,) float64.

    Args:
        replicates: For each task the replicates of its score over its items, or the score alone where its items are
            not known; then only the draw of tasks moves it.
        resamples, seed: As elsewhere.
    """
    generator = np.random.default_rng(seed)
    tasks = [np.atleast_1d(np.asarray(values, np.float64)) for values in replicates]
    lengths = np.array([len(values) for values in tasks])
    starts = np.cumsum(lengths) - lengths
    flat = np.concatenate(tasks)
    drawn = generator.integers(len(tasks), size=(resamples, len(tasks)))
    within = (generator.random((resamples, len(tasks))) * lengths[drawn]).astype(np.int64)
    return flat[starts[drawn] + within].mean(axis=1)


def _positions(generator: np.random.Generator, uniform: Float64, *, out: NDArray[np.int64]) -> None:
    """Fill `out` (rows, n) with positions below n; `uniform`, of the same shape, is overwritten."""
    generator.random(out=uniform)
    uniform *= uniform.shape[1]
    np.copyto(out, uniform, casting="unsafe")


def _corrected(shares: Float64, values: Float64, point: float, jackknifed: Float64) -> Float64:
    """BCa's shares in place of the nominal ones (Efron 1987, (3.3) to (6.6))."""
    from statistics import NormalDist

    normal = NormalDist()
    below = (np.count_nonzero(values < point) + np.count_nonzero(values == point) / 2) / len(values)
    if not 0 < below < 1:  # nothing varies, or the statistic is at its bound: no correction is defined
        return shares
    bias = normal.inv_cdf(float(below))
    distance = jackknifed.mean() - jackknifed
    spread = float((distance**2).sum())
    acceleration = float((distance**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    quantiles = bias + np.array([normal.inv_cdf(float(share)) for share in shares])
    moved = bias + quantiles / (1 - acceleration * quantiles)
    return np.array([normal.cdf(float(value)) for value in moved])
