"""The scores of hits: which hits count, how relevant they are, and every metric at every cutoff."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.evaluators import abstention, metrics
from harness.evaluators.ranked import Ranked
from harness.types import Hits, Scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.types import Float64, Int64

ROUNDED = ("ndcg", "map", "recall", "precision", "hit_rate")
WITH_NAUC = ("ndcg", "map", "recall", "precision", "mrr")


class QueryScores(NamedTuple):
    """The metrics of a search.

    Attributes:
        scores: metric -> its mean over the queries, and nAUC.
        by_query: metric -> its value for each query, (n_queries,) float64.
    """

    scores: Scores
    by_query: Mapping[str, Float64]


def without_identical(gold: Ranked, hits: Hits) -> Hits:
    """The hits but for the document that has the id of the query."""
    positions = _positions(gold)
    return _without(hits, np.array([positions.get(name, -2) for name in gold.query_ids]))


def without_repeated(gold: Ranked, hits: Hits) -> Hits:
    """The hits with each document id once for a query, at the position of its last document.

    Documents that share an id share their place in mteb's answer too: its hits of a query lie in a heap, and the score
    of an id is that of its last hit in the order of the heap (mteb 2.26.24, `chunked_full_corpus_search`, for a corpus
    of one chunk and scores without ties, whose order torch leaves open). What such hits take of the depth is not
    filled up.
    """
    names = gold.document_ids
    last = {name: position for position, name in enumerate(names)}
    if len(last) == len(names):
        return hits
    place_of = np.array([*(last[name] for name in names), -1])
    indices, scores = place_of[hits.indices], hits.scores.copy()
    for row, places in enumerate(indices):
        hit_places = places[places >= 0].tolist()
        if len(set(hit_places)) == len(hit_places):
            continue
        heap: list[tuple[float, str]] = []
        for score, place in zip(scores[row].tolist(), hit_places, strict=False):
            heapq.heappush(heap, (score, names[place]))
        score_of = {name: score for score, name in heap}
        ranked = sorted(score_of, key=lambda name: (score_of[name], name), reverse=True)
        indices[row] = -1
        indices[row, : len(ranked)] = [last[name] for name in ranked]
        scores[row, : len(ranked)] = [score_of[name] for name in ranked]
    return Hits(indices=indices, scores=scores)


def of_queries(gold: Ranked, hits: Hits, *, k_values: Sequence[int]) -> QueryScores:
    """Every metric at every k."""
    values_at = metrics.ranking(*_judged(gold, hits, _positions(gold)), k_values)
    confidence = abstention.confidence(hits.scores, (hits.indices >= 0).sum(axis=1))
    scores: Scores = {}
    by_query: dict[str, Float64] = {}
    for column, k in enumerate(k_values):
        at_k = {name: values[:, column] for name, values in values_at.items()}
        for name, values in at_k.items():
            scores[f"{name}_at_{k}"] = _mean(values, rounded=name in ROUNDED)
            by_query[f"{name}_at_{k}"] = values
        for name in WITH_NAUC:
            for guess, trust in confidence._asdict().items():
                scores[f"nauc_{name}_at_{k}_{guess}"] = abstention.nauc(trust, at_k[name])
    scores["accuracy"] = scores.get("recall_at_1")
    if "recall_at_1" in by_query:
        by_query["accuracy"] = by_query["recall_at_1"]
    return QueryScores(scores, by_query)


def _positions(gold: Ranked) -> dict[str, int]:
    """Document id -> position, for the documents that are judged or share the id of a query."""
    wanted = set(gold.query_ids).union(*gold.qrels.values())
    return {name: position for position, name in enumerate(gold.document_ids) if name in wanted}


def _without(hits: Hits, documents: Int64) -> Hits:
    """The hits but for one document of each query; hits below it move up and -1 fills the end."""
    removed = hits.indices == documents[:, None]
    rows = np.flatnonzero(removed.any(axis=1))
    order = np.argsort(removed[rows], axis=1, kind="stable")
    indices, scores = hits.indices.copy(), hits.scores.copy()
    indices[rows] = np.take_along_axis(indices[rows], order, axis=1)
    indices[rows, -1] = -1
    scores[rows] = np.take_along_axis(scores[rows], order, axis=1)
    return Hits(indices=indices, scores=scores)


class _Judged(NamedTuple):
    relevance: Int64
    judgments: metrics.Judgments


def _judged(gold: Ranked, hits: Hits, positions: Mapping[str, int]) -> _Judged:
    """The relevance of each hit, (n_queries, k), and every relevant document of every query."""
    relevance = np.zeros(hits.indices.shape, dtype=np.int64)
    by_position = np.zeros(len(gold.document_ids) + 1, dtype=np.int64)  # the last entry is for the -1 of no hit
    rows: list[int] = []
    gains: list[int] = []
    for row, query in enumerate(gold.query_ids):
        relevant = {name: gain for name, gain in gold.qrels.get(query, {}).items() if gain > 0}
        rows += [row] * len(relevant)
        gains += relevant.values()
        in_corpus = {positions[name]: gain for name, gain in relevant.items() if name in positions}
        places = list(in_corpus)
        by_position[places] = list(in_corpus.values())
        relevance[row] = by_position[hits.indices[row]]
        by_position[places] = 0
    return _Judged(relevance, metrics.Judgments(np.array(rows, dtype=np.int64), np.array(gains, dtype=np.int64)))


def _mean(values: Float64, *, rounded: bool) -> float:
    # Python's sum, as in mteb: a sum in another order may round to another fifth digit.
    mean = sum(values.tolist()) / len(values)
    return round(mean, 5) if rounded else mean
