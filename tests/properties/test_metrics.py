"""Metrics on arbitrary input: against scikit-learn, scipy and plain loops, and by their invariances."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.evaluators import abstention, metrics
from harness.evaluators.metrics import Judgments

thoroughly = settings(max_examples=60, deadline=None)

values = st.one_of(st.integers(-4, 4).map(float), st.floats(-1e6, 1e6, allow_subnormal=False))
columns = st.integers(2, 30).flatmap(
    lambda n: st.tuples(st.lists(values, min_size=n, max_size=n), st.lists(values, min_size=n, max_size=n))
)
scored = st.lists(st.tuples(st.one_of(st.integers(0, 4).map(float), st.floats(-2, 2)), st.booleans()), min_size=1)
labels = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40)


@st.composite
def rankings(draw: st.DrawFn) -> tuple[np.ndarray, list[list[int]]]:
    """The relevance of hits, and the gains of all that is relevant to each query."""
    n, depth = draw(st.integers(1, 5)), draw(st.integers(0, 8))
    relevance = np.array(
        draw(st.lists(st.lists(st.integers(-1, 3), min_size=depth, max_size=depth), min_size=n, max_size=n)),
        dtype=np.int64,
    ).reshape(n, depth)
    missed = draw(st.lists(st.lists(st.integers(1, 3), max_size=5), min_size=n, max_size=n))
    return relevance, [[*(int(gain) for gain in row if gain > 0), *more] for row, more in zip(relevance, missed)]


def judgments(gains: list[list[int]]) -> Judgments:
    rows = [row for row, one in enumerate(gains) for _ in one]
    return Judgments(np.array(rows, dtype=np.int64), np.array([gain for one in gains for gain in one], dtype=np.int64))


@thoroughly
@given(columns)
def test_correlations_equal_those_of_scipy(pair: tuple[list[float], list[float]]) -> None:
    """Pearson to 1e-9 and Spearman to 1e-12, ties included; undefined in the same places."""
    x, y = pair
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spearman = float(scipy.stats.spearmanr(x, y)[0])
        pearson = float(scipy.stats.pearsonr(x, y)[0])
    found = metrics.spearman(x, y)
    assert (found is None) == math.isnan(spearman)
    if found is not None:
        assert found == pytest.approx(spearman, abs=1e-12)
        assert metrics.pearson(x, y) == pytest.approx(pearson, abs=1e-9)


@thoroughly
@given(scored)
def test_average_precision_equals_that_of_sklearn(pairs: list[tuple[float, bool]]) -> None:
    """The same sum over distinct thresholds, with ties and without positives."""
    scores, positive = zip(*pairs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = sklearn.metrics.average_precision_score(positive, scores)
    assert metrics.average_precision(scores, positive) == pytest.approx(expected, abs=1e-12)


@thoroughly
@given(scored)
def test_best_thresholds_equal_an_exhaustive_search(pairs: list[tuple[float, bool]]) -> None:
    """No cut between distinct scores does better, and the one reported is among them."""
    scores, positive = map(np.array, zip(*pairs))
    accuracies, f1s = [0.0], [(0.0, 0.0, 0.0)]
    for threshold in sorted(set(scores.tolist()), reverse=True)[:-1]:
        yes = scores >= threshold
        right = int((yes & positive).sum())
        accuracies.append(float((yes == positive).mean()))
        if right:
            precision, recall = right / int(yes.sum()), right / int(positive.sum())
            f1s.append((2 * precision * recall / (precision + recall), precision, recall))
    assert metrics.best_accuracy(scores, positive) == pytest.approx(max(accuracies))
    assert metrics.best_f1(scores, positive) == pytest.approx(max(f1s, key=lambda found: found[0]))


@thoroughly
@given(scored, st.randoms(use_true_random=False))
def test_pair_metrics_ignore_the_order_of_the_rows(pairs: list[tuple[float, bool]], random: object) -> None:
    """Shuffled rows give the same numbers, which is what handling ties means."""
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for metric in (metrics.average_precision, metrics.best_accuracy, metrics.best_f1):
        assert metric(*zip(*pairs)) == metric(*zip(*shuffled))


@thoroughly
@given(labels)
def test_classification_equals_sklearn(pairs: list[tuple[int, int]]) -> None:
    """Macro and weighted means over the union of the labels, 0 where a ratio is undefined."""
    true, predicted = map(np.array, zip(*pairs))
    expected = {"accuracy": sklearn.metrics.accuracy_score(true, predicted)}
    for suffix, average in (("", "macro"), ("_weighted", "weighted")):
        precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(
            true, predicted, average=average, zero_division=0
        )
        expected |= {f"precision{suffix}": precision, f"recall{suffix}": recall, f"f1{suffix}": f1}
    assert metrics.classification(true, predicted) == pytest.approx(expected, abs=1e-12)


def slow_ranking(relevance: list[int], gains: list[int], k: int) -> dict[str, float]:
    """One query, by the textbook."""
    top = [max(gain, 0) for gain in relevance[:k]]
    found = [rank for rank, gain in enumerate(top, start=1) if gain > 0]
    dcg = sum(gain / math.log2(rank + 1) for rank, gain in enumerate(top, start=1))
    ideal = sum(gain / math.log2(rank + 1) for rank, gain in enumerate(sorted(gains, reverse=True)[:k], start=1))
    return {
        "ndcg": dcg / ideal if ideal else 0.0,
        "map": sum(seen / rank for seen, rank in enumerate(found, start=1)) / len(gains) if gains else 0.0,
        "recall": len(found) / len(gains) if gains else 0.0,
        "precision": len(found) / k,
        "hit_rate": float(bool(found)),
        "mrr": 1 / found[0] if found else 0.0,
    }


@thoroughly
@given(rankings(), st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_ranking_equals_plain_loops(given_: tuple[np.ndarray, list[list[int]]], k_values: list[int]) -> None:
    """All queries at once give what each gives alone, at any cutoffs in any order."""
    relevance, gains = given_
    found = metrics.ranking(relevance, judgments(gains), k_values)
    for query, (row, relevant) in enumerate(zip(relevance.tolist(), gains)):
        for column, k in enumerate(k_values):
            one = {name: values[query, column] for name, values in found.items()}
            assert one == pytest.approx(slow_ranking(row, relevant, k), abs=1e-12)


@thoroughly
@given(rankings())
def test_ranking_is_bounded_and_grows_with_k(given_: tuple[np.ndarray, list[list[int]]]) -> None:
    """Every value lies in 0-1; looking deeper never lowers recall, hit rate, MAP or MRR."""
    relevance, gains = given_
    found = metrics.ranking(relevance, judgments(gains), (1, 2, 3, 5, 8))
    assert all(np.all((values >= 0) & (values <= 1 + 1e-12)) for values in found.values())
    for name in ("recall", "hit_rate", "map", "mrr"):
        assert np.all(np.diff(found[name], axis=1) >= 0)


@thoroughly
@given(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=6), min_size=1, max_size=4))
def test_the_ideal_order_is_perfect(gains: list[list[int]]) -> None:
    """Hits in order of relevance with nothing missing have nDCG, MRR and hit rate 1 at every k."""
    relevance = np.zeros((len(gains), 6), dtype=np.int64)
    for row, one in enumerate(gains):
        relevance[row, : len(one)] = sorted(one, reverse=True)
    found = metrics.ranking(relevance, judgments(gains), (1, 3, 10))
    for name in ("ndcg", "mrr", "hit_rate"):
        assert found[name] == pytest.approx(1)


quarters = st.integers(0, 4).map(lambda value: value / 4)
queries = st.lists(st.tuples(st.integers(-3, 3), quarters), min_size=1, max_size=40)


@thoroughly
@given(queries)
def test_nauc_is_at_most_one_and_reached_by_the_oracle(pairs: list[tuple[int, float]]) -> None:
    """No confidence beats knowing the values."""
    confidence, by_query = (np.array(column, dtype=np.float64) for column in zip(*pairs))
    assume(np.ptp(by_query) > 0)
    best = abstention.nauc(by_query, by_query)
    assume(best is not None)
    found = abstention.nauc(confidence, by_query)
    assert best == 1
    assert found is not None
    assert found <= 1 + 1e-9


@thoroughly
@given(queries, st.randoms(use_true_random=False))
def test_nauc_depends_on_the_order_of_confidence_only(pairs: list[tuple[int, float]], random: object) -> None:
    """Neither the scale of the confidence nor the order of the queries matters, even among ties."""
    confidence, by_query = (np.array(column, dtype=np.float64) for column in zip(*pairs))
    assume(np.ptp(by_query) > 0)
    order = list(range(len(pairs)))
    random.shuffle(order)  # type: ignore[attr-defined]
    found = abstention.nauc(confidence, by_query)
    other = abstention.nauc(np.exp(confidence)[order], by_query[order])
    assert other == (None if found is None else pytest.approx(found, abs=1e-9))
