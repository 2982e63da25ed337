"""Metrics against values worked out by hand."""

from __future__ import annotations

from itertools import pairwise
from math import log2

import numpy as np
import pytest

from harness.evaluators import abstention, metrics
from harness.evaluators.metrics import BestF1, Judgments


def test_pearson_by_hand() -> None:
    """Deviations (-1, 0, 1) and (-1, 1, 0) have the product 1 and both the length sqrt(2)."""
    assert metrics.pearson([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 2)


@pytest.mark.parametrize(("x", "y"), [([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [7, 7, 7]), ([1], [2]), ([], [])])
def test_correlation_of_a_constant_is_undefined(x: list[float], y: list[float]) -> None:
    """Without spread on either side there is no correlation, and None says so."""
    assert metrics.pearson(x, y) is None
    assert metrics.spearman(x, y) is None


def test_pearson_of_tiny_numbers() -> None:
    """Values whose squares vanish in float64 still correlate."""
    assert metrics.pearson([1e-200, 2e-200, 3e-200], [1, 2, 3]) == pytest.approx(1)


def test_spearman_sees_order_only() -> None:
    """A monotone relation is perfect, however bent."""
    assert metrics.spearman([1, 10, 100], [-3, -2, 5]) == pytest.approx(1)
    assert metrics.spearman([1, 10, 100], [3, 2, -5]) == pytest.approx(-1)


def test_average_precision_by_hand() -> None:
    """Recall grows by a half at rank 1 (precision 1) and at rank 3 (precision 2/3)."""
    assert metrics.average_precision([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0]) == pytest.approx(5 / 6)


@pytest.mark.parametrize("positive", [[1, 0], [0, 1]])
def test_average_precision_takes_ties_together(positive: list[int]) -> None:
    """Which of two equal scores comes first changes nothing."""
    assert metrics.average_precision([0.9, 0.9], positive) == 1 / 2


def test_average_precision_at_the_extremes() -> None:
    """Nothing to find gives 0, and nothing but finds gives 1."""
    assert metrics.average_precision([2, 1], [0, 0]) == 0
    assert metrics.average_precision([2, 1], [1, 1]) == 1


@pytest.mark.parametrize(
    ("scores", "positive", "expected"),
    [
        ([4, 3, 2, 1], [1, 1, 0, 0], 1),
        ([4, 3, 2, 1], [0, 0, 1, 1], 1 / 4),
        ([2, 2, 1], [1, 0, 0], 2 / 3),  # the tie at the top cannot be split
        ([3, 2, 1], [1, 1, 1], 2 / 3),  # the lowest is always left out
        ([1, 1, 1], [1, 1, 0], 0),  # no threshold at all
        ([1], [1], 0),
    ],
)
def test_best_accuracy_by_hand(scores: list[float], positive: list[int], expected: float) -> None:
    """The best share of right answers over thresholds between distinct scores."""
    assert metrics.best_accuracy(scores, positive) == expected


@pytest.mark.parametrize(
    ("scores", "positive", "expected"),
    [
        ([4, 3, 2, 1], [1, 0, 1, 0], BestF1(4 / 5, 2 / 3, 1)),
        (
            [5, 4, 3, 2, 1],
            [1, 0, 0, 1, 0],
            BestF1(2 / 3, 1, 1 / 2),
        ),  # 2/3 at the fourth too: the highest wins
        ([2, 2, 1], [1, 0, 0], BestF1(2 / 3, 1 / 2, 1)),
        ([3, 2, 1], [0, 0, 1], BestF1(0, 0, 0)),  # the lowest is always left out
        ([2, 1], [0, 0], BestF1(0, 0, 0)),
    ],
)
def test_best_f1_by_hand(scores: list[float], positive: list[int], expected: BestF1) -> None:
    """The best F1 over thresholds between distinct scores, and precision and recall there."""
    assert metrics.best_f1(scores, positive) == pytest.approx(expected)


def test_classification_by_hand() -> None:
    """Three classes: right 1, 1, 0; true 2, 1, 1; predicted 1, 3, 0."""
    assert metrics.classification(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])) == pytest.approx(
        {
            "accuracy": 1 / 2,
            "precision": (1 + 1 / 3 + 0) / 3,
            "precision_weighted": (2 * 1 + 1 / 3 + 0) / 4,
            "recall": (1 / 2 + 1 + 0) / 3,
            "recall_weighted": (2 * 1 / 2 + 1 + 0) / 4,
            "f1": (2 / 3 + 1 / 2 + 0) / 3,
            "f1_weighted": (2 * 2 / 3 + 1 / 2 + 0) / 4,
        }
    )


def test_classification_counts_only_classes_that_occur() -> None:
    """Labels between those in use do not dilute a macro mean."""
    scores = metrics.classification(np.array([0, 5]), np.array([0, 5]))
    assert set(scores.values()) == {1.0}


def judgments(*gains: list[int]) -> Judgments:
    rows = [row for row, one in enumerate(gains) for _ in one]
    return Judgments(np.array(rows, dtype=np.int64), np.array([gain for one in gains for gain in one], dtype=np.int64))


def test_ranking_by_hand() -> None:
    """Hits of relevance 0, 2, 1, and one document of relevance 3 that was not found."""
    scores = metrics.ranking(np.array([[0, 2, 1]]), judgments([1, 3, 2]), (1, 3, 10))
    dcg, ideal = 2 / log2(3) + 1 / 2, 3 + 2 / log2(3) + 1 / 2
    assert scores["ndcg"][0] == pytest.approx([0, dcg / ideal, dcg / ideal])
    assert scores["map"][0] == pytest.approx([0, (1 / 2 + 2 / 3) / 3, (1 / 2 + 2 / 3) / 3])
    assert scores["recall"][0] == pytest.approx([0, 2 / 3, 2 / 3])
    assert scores["precision"][0] == pytest.approx([0, 2 / 3, 2 / 10])
    assert scores["hit_rate"][0].tolist() == [0, 1, 1]
    assert scores["mrr"][0].tolist() == [0, 1 / 2, 1 / 2]


def test_the_ideal_is_cut_at_k() -> None:
    """With more relevant documents than k a full page is perfect, but recall is not."""
    scores = metrics.ranking(np.array([[1, 1, 0]]), judgments([1, 1, 1, 1]), (2,))
    assert scores["ndcg"][0, 0] == 1
    assert scores["recall"][0, 0] == 1 / 2


def test_ranking_without_anything_relevant_is_zero() -> None:
    """A query without relevant documents scores 0 and leaves its neighbours alone."""
    scores = metrics.ranking(np.array([[0, 0], [1, 0], [0, 0]]), judgments([], [1], []), (1,))
    assert {name: values[:, 0].tolist() for name, values in scores.items()} == {name: [0, 1, 0] for name in scores}


def test_negative_relevance_is_not_relevant() -> None:
    """A hit judged below 0 counts like one that was not judged."""
    scores = metrics.ranking(np.array([[-1, 1]]), judgments([1]), (2,))
    assert scores["mrr"][0, 0] == 1 / 2
    assert scores["precision"][0, 0] == 1 / 2


def test_confidence_by_hand() -> None:
    """Scores past the count do not exist; what needs more of them than there are is 0."""
    scores = np.array([[4, 1, 99], [3, 99, 99], [99, 99, 99], [5, 4, 3]], dtype=np.float32)
    found = abstention.confidence(scores, np.array([2, 1, 0, 3]))
    assert found.max.tolist() == [4, 3, 0, 5]
    assert found.std == pytest.approx([3 / 2, 0, 0, (2 / 3) ** 0.5])
    assert found.diff1.tolist() == [3, 0, 0, 1]


@pytest.mark.parametrize(("confidence", "expected"), [([0.1, 0.9], 1), ([0.9, 0.1], -1), ([0.5, 0.5], 0)])
def test_nauc_by_hand(confidence: list[float], expected: float) -> None:
    """One bad and one good query: knowing which is which is worth 1, the opposite -1, and no idea 0."""
    assert abstention.nauc(np.array(confidence), np.array([0.0, 1.0])) == pytest.approx(expected)


def test_nauc_area_by_hand() -> None:
    """Four queries of value 0, 0, 0, 1, of which confidence puts the good one second from the top.

    Rounding the rates gives 0, 0, 1, 1, 2, 2, 2, 3, 3, 3 left out, so the curve is 1/4, 1/4, 1/3, 1/3, 1/2, 1/2, 1/2,
    0, 0, 0, and the oracle ends in 1, 1, 1 instead.
    """

    def area(curve: list[float]) -> float:
        return sum((a + b) / 20 for a, b in pairwise(curve))

    shared = [1 / 4, 1 / 4, 1 / 3, 1 / 3, 1 / 2, 1 / 2, 1 / 2]
    flat = 9 / 10 * 1 / 4
    expected = (area([*shared, 0, 0, 0]) - flat) / (area([*shared, 1, 1, 1]) - flat)
    assert abstention.nauc(np.array([1.0, 2.0, 4.0, 3.0]), np.array([0.0, 0.0, 0.0, 1.0])) == pytest.approx(expected)


def test_nauc_is_undefined_without_anything_to_avoid() -> None:
    """When all queries have the value 0, leaving some out cannot help."""
    assert abstention.nauc(np.array([1.0, 2.0, 3.0]), np.zeros(3)) is None
