"""Stratified draws of rows, with the generators of the programs that mteb draws with.

`sample` draws what the stratified split of `datasets` 5.2 draws, which follows scikit-learn's `StratifiedShuffleSplit`;
`quantile_bins` are those of pandas 3 (`qcut`); `multilabel_sample` is the iterative stratification over pairs of labels
of Sechidis et al., 2011, and Szymański and Kajdanowicz, 2017, as scikit-multilearn 0.2 has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from harness.types import Float64, Int64


def quantile_bins(values: Float64, *, count: int) -> Int64:
    """The bin of each value, of `count` bins that hold equally many; bins with equal edges are one: (n,) -> (n,)."""
    shares = np.linspace(0, 1, count + 1)
    inexact = count * shares != np.arange(count + 1)
    shares[inexact] = np.nextafter(shares[inexact], 1)
    edges = np.unique(np.quantile(values, shares))
    bins = np.searchsorted(edges, values, side="left")
    bins[values == edges[0]] = 1
    return bins.astype(np.int64) - 1


def sample(strata: Int64, *, size: int, seed: int) -> Int64:
    """`size` rows, of each stratum in proportion, in the order of the draw: (n,) -> (size,).

    The rows that are left over are drawn first, as the training part of a split.
    """
    generator = np.random.default_rng(seed)
    _, stratum = np.unique(strata, return_inverse=True)
    counts = np.bincount(stratum)
    others = _shares(counts, len(strata) - size, generator)
    wanted = _shares(counts - others, size, generator)
    by_stratum = np.split(np.argsort(stratum, kind="stable"), np.cumsum(counts)[:-1])
    left, drawn = [], []
    for rows, n_left, n_drawn in zip(by_stratum, others, wanted, strict=True):
        shuffled = rows[generator.permutation(len(rows))]
        left.append(shuffled[:n_left])
        drawn.append(shuffled[n_left : n_left + n_drawn])
    generator.permutation(np.concatenate(left))
    return generator.permutation(np.concatenate(drawn)).astype(np.int64)


def _shares(counts: Int64, size: int, generator: np.random.Generator) -> Int64:
    """How many rows each stratum gives to `size` rows in all: its share, rounded down or, by largest remainder, up."""
    exact = size * counts / counts.sum()
    shares = np.floor(exact)
    missing, remainders = int(size - shares.sum()), exact - shares
    for remainder in np.unique(remainders)[::-1]:
        if missing == 0:
            break
        equal = np.flatnonzero(remainders == remainder)
        raised = generator.choice(equal, size=min(len(equal), missing), replace=False)
        shares[raised] += 1
        missing -= len(raised)
    return shares.astype(np.int64)


class _Stratum:
    """The rows that have a pair of labels: those still to be given away, and how many each side should still get."""

    def __init__(self, pair: tuple[int, int]) -> None:
        self.labels = len(set(pair))
        self.rows: dict[int, None] = {}
        self.wanted = [0.0, 0.0]


def multilabel_sample(labels: Sequence[Sequence[int]], *, size: int, seed: int) -> Int64:
    """About `size` of the rows, ascending, in which each pair of labels is as frequent as in all: (n,) -> (m,).

    Args:
        labels: the distinct labels of each row, ascending.
        size: the number of rows to draw, less than n; it need not be met exactly.
        seed: of the generator, which decides where both sides want a row equally.
    """
    generator = np.random.RandomState(seed)
    share = size / len(labels)
    shares = (share, 1.0 - share)
    strata: dict[tuple[int, int], _Stratum] = {}
    of_row: list[list[_Stratum]] = []
    for row, of_text in enumerate(labels):
        pairs = combinations_with_replacement(of_text, 2)
        of_row.append([strata.setdefault(pair, _Stratum(pair)) for pair in pairs])
        for stratum in of_row[row]:
            stratum.rows[row] = None
    for stratum in strata.values():
        stratum.wanted = [len(stratum.rows) * part for part in shares]
    side_of = np.full(len(labels), -1)
    wanted = [len(labels) * part for part in shares]
    for stratum in _in_turn(list(strata.values())):
        while stratum.rows:
            row, _ = stratum.rows.popitem()
            most = max(stratum.wanted)
            sides = [side for side in (0, 1) if stratum.wanted[side] == most]
            side = sides[0] if len(sides) == 1 else int(generator.choice(sides, 1)[0])
            side_of[row] = side
            wanted[side] -= 1
            for other in of_row[row]:
                other.rows.pop(row, None)
                other.wanted[side] -= 1
    for row in np.flatnonzero(side_of < 0)[::-1]:
        side = int(generator.choice([side for side in (0, 1) if wanted[side] > 0], 1)[0])
        side_of[row] = side
        wanted[side] -= 1
    return np.flatnonzero(side_of == 0)


def _in_turn(strata: list[_Stratum]) -> Iterator[_Stratum]:
    """The strata with rows left, in the order of giving away.

    That is the first one; or, if that is of one label, the first one of two labels with fewer rows.
    """
    while strata := [stratum for stratum in strata if stratum.rows]:
        first = strata[0]
        rarer = (other for other in strata if other.labels > first.labels and len(other.rows) < len(first.rows))
        yield next(rarer, first)
