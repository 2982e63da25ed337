"""What clustering computes its own way: the draws and the agreement are those of Python and scikit-learn."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_mutual_info_score, v_measure_score

from harness.evaluators import kmeans
from harness.evaluators.agreement import agreement

LABELS = st.integers(1, 60).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, 7), min_size=n, max_size=n) for _ in range(2)))
)


@settings(max_examples=150, deadline=None)
@given(LABELS)
def test_agreement(pair: tuple[list[int], list[int]]) -> None:
    """V-measure and adjusted mutual information are scikit-learn's, labels and clusters that do not occur included."""
    labels, clusters = (np.array(side) for side in pair)
    expected = v_measure_score(labels, clusters), adjusted_mutual_info_score(labels, clusters)
    assert agreement(labels, clusters) == pytest.approx(expected, abs=1e-12)


def test_agreement_of_opposites() -> None:
    """A perfect match under other names is 1, one cluster for two labels is 0."""
    assert agreement(np.array([0, 0, 1, 1]), np.array([2, 2, 0, 0])) == pytest.approx((1, 1))
    assert agreement(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 0])) == (0, 0)


@pytest.mark.parametrize("seed", [0, 42])
def test_choices(seed: int) -> None:
    """The draws are `random.choices`', and the generator goes on from where that would have left it."""
    ours, theirs = random.Random(seed), random.Random(seed)
    assert ours.sample(range(50), 7) == theirs.sample(range(50), 7)
    drawn = kmeans._choices(ours, 1004, 701, 3)
    assert drawn.tolist() == [theirs.choices(range(1004), k=701) for _ in range(3)]
    assert ours.choices(range(9), k=5) == theirs.choices(range(9), k=5)
    assert ours.getstate() == theirs.getstate()
