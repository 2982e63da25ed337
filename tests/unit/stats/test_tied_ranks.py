"""Ranks of values of which some are equal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.tied_ranks import mean_ranks


def test_ties_share_their_mean_rank() -> None:
    """The two twenties fill ranks 3 and 4."""
    assert mean_ranks([10, 20, 20, 5]).tolist() == [2, 7 / 2, 7 / 2, 1]


@given(st.lists(st.sampled_from([-2.5, -0.0, 0.0, 1.0, 1e300]) | st.floats(allow_nan=False), max_size=30))
def test_ranks_are_those_of_scipy(values: list[float]) -> None:
    """Of any values, none included, the ranks are equal to `scipy.stats.rankdata` (average)."""
    from scipy import stats

    assert mean_ranks(np.array(values)).tolist() == stats.rankdata(values, method="average").tolist()


@pytest.mark.parametrize("seed", range(5))
def test_counts_stand_for_repeated_values(seed: int) -> None:
    """A value that is counted k times has the rank of each of its k copies."""
    generator = np.random.default_rng(seed)
    values, counts = generator.integers(0, 6, 20).astype(float), generator.integers(0, 4, (3, 20)).astype(float)
    for row, ranks in zip(counts, mean_ranks(values, counts=counts), strict=True):
        copies = row.astype(int)
        assert np.array_equal(np.repeat(ranks, copies), mean_ranks(np.repeat(values, copies)))
