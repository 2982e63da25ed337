"""Ranks of values of which some are equal (pure numpy)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from harness.types import Float64


class SortedGroups(NamedTuple):
    """Groups of equal values.

    Attributes:
        order: (n,) int64, the positions of the values in ascending order.
        ends: (groups,) int64, where in this order the last value of each group stands.
    """

    order: NDArray[np.int64]
    ends: NDArray[np.int64]


def sorted_groups(values: NDArray[np.floating]) -> SortedGroups:
    """The groups of equal values of an (n,) array."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    return SortedGroups(order, ends[: len(values)])  # of no value there is no group


def mean_ranks(values: ArrayLike, *, counts: Float64 | None = None) -> Float64:
    """The rank of each value, the smallest first and from 1; equal values share the mean of the ranks that they fill.

    Args:
        values: (n,).
        counts: (b, n) float64, how often each value is there in each of b resamples; once if None.

    Returns:
        (n,) float64, or (b, n) with counts.
    """
    array = np.asarray(values)
    order, ends = sorted_groups(array)
    weights = np.ones(len(array)) if counts is None else counts
    last = np.cumsum(weights[..., order], axis=-1)[..., ends]
    size = np.diff(last, axis=-1, prepend=0)
    group = np.empty(len(array), np.int64)
    group[order] = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=-1))
    ranks: Float64 = (last - size + (size + 1) / 2)[..., group]
    return ranks
