"""Metrics as functions of arrays: correlation, pairs, classification, ranking.

numpy only, vectorised, without state. A value that is not defined is None, never NaN. Each task type's file says which
of them it reports, under which names.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.stats.tied_ranks import mean_ranks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from harness.types import Float64, Int64


class BestF1(NamedTuple):
    """The best F1 over all thresholds, and precision and recall at that threshold."""

    f1: float
    precision: float
    recall: float


class Judgments(NamedTuple):
    """Every relevant document of every query, retrieved or not.

    Attributes:
        query: (m,) int64, row of the query.
        gain: (m,) int64, relevance of the document, greater than 0.
    """

    query: Int64
    gain: Int64


# --- correlation ---------------------------------------------------------------------------------------------------


def pearson(x: ArrayLike, y: ArrayLike) -> float | None:
    """Pearson's correlation of two (n,) arrays; None when either is constant or n < 2.

    Agrees with `scipy.stats.pearsonr` (scipy 1.17).
    """
    left, right = _standardised(x), _standardised(y)
    if left is None or right is None:
        return None
    return float(np.clip(np.dot(left, right), -1.0, 1.0))


def spearman(x: ArrayLike, y: ArrayLike) -> float | None:
    """Pearson's correlation of the ranks, ties sharing their mean rank; None as for `pearson`.

    Agrees with `scipy.stats.spearmanr` (scipy 1.17).
    """
    return pearson(mean_ranks(x), mean_ranks(y))


def _standardised(x: ArrayLike) -> Float64 | None:
    """The values less their mean, scaled to length 1; None when they are all equal."""
    values = np.asarray(x, dtype=np.float64)
    if len(values) < 2 or np.all(values == values[0]):
        return None
    centred = values - values.mean()
    centred /= np.abs(centred).max()  # squares of tiny numbers would vanish
    standardised: Float64 = centred / np.linalg.norm(centred)
    return standardised


# --- pairs: scores against yes and no ------------------------------------------------------------------------------


class _Cuts(NamedTuple):
    """One entry per distinct score, highest first: how many rows have at least this score, and how many of them are
    positive."""

    taken: Int64
    positive: Int64


def average_precision(scores: ArrayLike, positive: ArrayLike) -> float:
    """Average precision of (n,) `scores`, higher meaning yes, against (n,) 0/1 `positive`; 0 without positives.

    The sum over distinct scores, from the highest, of (recall gained) x (precision there), which is
    `sklearn.metrics.average_precision_score` (scikit-learn 1.9): rows of equal score count as one step.
    """
    cuts = _cuts(scores, positive)
    total = cuts.positive[-1]
    if total == 0:
        return 0.0
    gained = np.diff(cuts.positive, prepend=0)
    return float(np.sum(gained / total * (cuts.positive / cuts.taken)))


def best_accuracy(scores: ArrayLike, positive: ArrayLike) -> float:
    """The best accuracy of "score above a threshold", over all thresholds between two distinct scores.

    A threshold always leaves the lowest score out (mteb 2.26), so that calling every pair positive is not allowed;
    nor is calling every pair negative. 0 when all scores are equal.
    """
    cuts, n = _cuts(scores, positive), np.size(positive)
    negatives_left = (n - cuts.positive[-1]) - (cuts.taken - cuts.positive)
    correct = (cuts.positive + negatives_left)[:-1]
    return float(np.max(correct, initial=0) / n)


def best_f1(scores: ArrayLike, positive: ArrayLike) -> BestF1:
    """The best F1 of "score above a threshold", the highest such threshold, thresholds as in `best_accuracy`.

    All 0 when no threshold finds a positive.
    """
    cuts = _cuts(scores, positive)
    has_hits = cuts.positive[:-1] > 0
    taken, hits = cuts.taken[:-1][has_hits], cuts.positive[:-1][has_hits]
    if not len(hits):
        return BestF1(0.0, 0.0, 0.0)
    precision, recall = hits / taken, hits / cuts.positive[-1]
    f1 = 2 * precision * recall / (precision + recall)
    best = int(np.argmax(f1))
    return BestF1(float(f1[best]), float(precision[best]), float(recall[best]))


def _cuts(scores: ArrayLike, positive: ArrayLike) -> _Cuts:
    values = np.asarray(scores, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    last_of_ties = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    hits = np.cumsum(np.asarray(positive)[order].astype(np.int64))
    return _Cuts(last_of_ties + 1, hits[last_of_ties])


# --- classification ------------------------------------------------------------------------------------------------


def classification(true: Int64, predicted: Int64) -> dict[str, float]:
    """Accuracy, and precision, recall and F1 as macro and support-weighted means, of (n,) labels counted from 0.

    The classes are those that occur in either array; a ratio without a denominator is 0. Agrees with scikit-learn 1.9
    (`precision_recall_fscore_support`, average `macro` and `weighted`).
    """
    n_labels = int(max(true.max(), predicted.max())) + 1
    correct = np.bincount(true[true == predicted], minlength=n_labels)
    support = np.bincount(true, minlength=n_labels)
    claimed = np.bincount(predicted, minlength=n_labels)
    seen = (support + claimed) > 0
    correct, support, claimed = correct[seen], support[seen], claimed[seen]
    by_class = {
        "f1": _ratio(2 * correct, support + claimed),
        "precision": _ratio(correct, claimed),
        "recall": _ratio(correct, support),
    }
    scores = {"accuracy": float(correct.sum() / len(true))}
    for name, values in by_class.items():
        scores[name] = float(values.mean())
        scores[f"{name}_weighted"] = float(np.average(values, weights=support))
    return scores


# --- ranking -------------------------------------------------------------------------------------------------------


def ranking(relevance: Int64, judged: Judgments, k_values: Sequence[int]) -> dict[str, Float64]:
    """nDCG, MAP, recall, precision, hit rate and MRR of every query at every k.

    nDCG: gain = relevance, discount = log2(rank + 1), ideal over all judgments of the query (Järvelin & Kekäläinen,
    2002). MAP: precision at each relevant hit, over the number of relevant documents. Semantics and order of the sums
    are those of trec_eval 9 (`ndcg_cut`, `map_cut`, `recall`, `P`, `success`), so that values agree bit for bit.

    Args:
        relevance: (n, depth) relevance of each query's hits, best hit first; not above 0 means not relevant. A row of
            fewer hits ends in zeros.
        judged: every relevant document of the n queries.
        k_values: cutoffs; one may be greater than depth.

    Returns:
        `ndcg`, `map`, `recall`, `precision`, `hit_rate`, `mrr`, each (n, len(k_values)); 0 for a query without
        relevant documents.
    """
    n, deepest = len(relevance), max(k_values)
    row, rank = np.nonzero(relevance[:, :deepest] > 0)
    ideal_row, ideal_rank, ideal_gain = _ideal(judged)
    discount = _discount(max(deepest, int(ideal_rank.max(initial=0)) + 1))
    hit = _NonZero(row, rank, np.ones(len(row)))
    gain = _NonZero(row, rank, relevance[row, rank] / discount[rank])
    ideal = _NonZero(ideal_row, ideal_rank, ideal_gain / discount[ideal_rank])
    precision = _NonZero(row, rank, (_position_in_group(row) + 1) / (rank + 1))
    relevant = np.bincount(judged.query, minlength=n)
    first = np.full(n, deepest)
    np.minimum.at(first, row, rank)

    columns: dict[str, list[Float64]] = {name: [] for name in ("ndcg", "map", "recall", "precision", "hit_rate", "mrr")}
    for k in k_values:
        hits = _row_sums(hit, k=k, n=n)
        columns["ndcg"].append(_ratio(_row_sums(gain, k=k, n=n), _row_sums(ideal, k=k, n=n)))
        columns["map"].append(_ratio(_row_sums(precision, k=k, n=n), relevant))
        columns["recall"].append(_ratio(hits, relevant))
        columns["precision"].append(hits / k)
        columns["hit_rate"].append((hits > 0).astype(np.float64))
        columns["mrr"].append(np.where(first < k, 1 / (first + 1), 0.0))
    return {name: np.stack(values, axis=1) for name, values in columns.items()}


class _NonZero(NamedTuple):
    """The few values of an (n, depth) matrix that are not zero, in row order."""

    row: Int64
    rank: Int64
    value: Any


def _row_sums(values: _NonZero, *, k: int, n: int) -> Float64:
    """The sum of the first k ranks of each of n rows, added up from the left."""
    inside = values.rank < k
    sums: Any = np.bincount(values.row[inside], weights=values.value[inside], minlength=n)
    return sums


def _ideal(judged: Judgments) -> _NonZero:
    """The best possible ranking of every query; values are gains."""
    order = np.lexsort((-judged.gain, judged.query))
    row = judged.query[order]
    return _NonZero(row, _position_in_group(row), judged.gain[order])


def _discount(depth: int) -> Float64:
    """log2(rank + 1) for the first ranks; from `math`, since numpy's may differ from C's in the last bit."""
    return np.array([math.log2(rank + 2) for rank in range(depth)])


def _position_in_group(sorted_groups: Int64) -> Int64:
    """0, 1, 2 ... within each run of equal values."""
    positions = np.arange(len(sorted_groups))
    starts = np.flatnonzero(np.r_[True, sorted_groups[1:] != sorted_groups[:-1]][: len(sorted_groups)])
    sizes = np.diff(np.r_[starts, len(sorted_groups)])
    return positions - np.repeat(starts, sizes)


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> Float64:
    """part / whole, 0 where whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
