"""Bootstrap intervals: how much a score varies when its items are resampled.

- Percentile interval: Efron (1979), "Bootstrap methods: another look at the jackknife", Annals of Statistics 7. The
  reference is `scipy.stats.bootstrap` (scipy 1.17), which the tests compare with.
- Two levels, tasks and items within them: Davison and Hinkley (1997), "Bootstrap methods and their application", 3.8.
  Tasks are drawn with replacement, and for every task drawn its items are resampled too.

A statistic is a function of counts: it takes (b, n) float64, how often each of the n items was drawn in each of b
resamples, and returns the b scores. All metrics can be written so, and none has to sort once per resample.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float64

Statistic: TypeAlias = "Callable[[Float64], Float64]"

RESAMPLES = 10_000
CONFIDENCE = 0.95
_BLOCK = 1_000_000
"""Counts held at a time: 8 MB."""
_CACHED = 50_000
"""Draws made at a time by `replicate_mean`: as many as a processor's cache holds."""
_PIECES = 16
_WORTH_THREADS = 5_000_000
"""With fewer draws, starting the threads takes longer than it saves."""


class Interval(NamedTuple):
    """A confidence interval; `low` <= `high`, and equal where nothing varies."""

    low: float
    high: float


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
    """The mean of each resample of values (n,): (resamples,) float64.

    The draws are those of `draw`, so that this is `replicate` of a mean up to rounding, in a fifth of the time.
    """
    n = len(values)
    means = np.empty(resamples)
    pieces = np.array_split(means, _PIECES)  # views
    firsts = np.cumsum([0, *map(len, pieces[:-1])]) * n
    jobs = [(values, piece, seed, int(first)) for piece, first in zip(pieces, firsts, strict=True)]
    if resamples * n < _WORTH_THREADS:
        for job in jobs:
            _fill_means(*job)
    else:
        with ThreadPoolExecutor(min(_PIECES, os.cpu_count() or 1)) as pool:
            list(pool.map(_fill_means, *zip(*jobs, strict=True)))
    return means


def _fill_means(values: Float64, out: Float64, seed: int, first: int) -> None:
    """Fill `out` with means of resamples, from draw number `first` of the generator on.

    Every array is made once: fresh memory costs more than the arithmetic.
    """
    bits = np.random.PCG64(seed)
    bits.advance(first)
    generator = np.random.Generator(bits)
    n = len(values)
    size = max(1, _CACHED // n)
    uniform, drawn = np.empty((size, n)), np.empty((size, n), np.int64)
    resampled = np.empty((size, n))
    for start in range(0, len(out), size):
        rows = min(size, len(out) - start)
        _positions(generator, uniform[:rows], out=drawn[:rows])
        np.take(values, drawn[:rows], out=resampled[:rows], mode="clip")
        out[start : start + rows] = resampled[:rows].mean(axis=1)


def interval(replicates: Float64, *, confidence: float = CONFIDENCE) -> Interval:
    """The percentile interval that the replicates of a statistic give.

    Args:
        replicates: (resamples,) float64; NaN, from a resample on which the statistic is undefined, is left out.
        confidence: The share of intervals that should hold the true value.

    Raises:
        ValueError: no finite replicate.
    """
    values = replicates[np.isfinite(replicates)]
    if not len(values):
        raise ValueError("no resample has a finite score, expected at least one")
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, np.array([tail, 1 - tail]))
    return Interval(float(low), float(high))


def hierarchical(
    replicates: Sequence[Float64 | float], *, resamples: int = RESAMPLES, seed: int = 0
) -> NDArray[np.float64]:
    """The mean over tasks, tasks and items both resampled: (resamples,) float64.

    Args:
        replicates: For each task the replicates of its score over its items, or the score alone where its items are
            not recorded.
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
