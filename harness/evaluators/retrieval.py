"""Retrieval: are the documents that answer a query found, and ranked first?

nDCG, MAP, recall, precision, hit rate and MRR at each k, means over queries; `accuracy`, which is recall at 1; and
`nauc_{metric}_at_{k}_{max,std,diff1}`: how well a confidence guess tells good rankings from bad (see `metrics.nauc`).
Reference: mteb 2.26.24 (`AbsTaskRetrieval`) over pytrec_eval-terrier 0.5.11, that is trec_eval 9. As there, means are
rounded to 5 digits, but for MRR and nAUC. A query without relevant documents scores 0 and counts.

`ignore_identical_ids` removes the hit with the id of the query, after the search: no other hit moves up from below
the depth. `skip_first_result` then removes the first hit.

Deliberate differences: None where mteb has NaN; with `skip_first_result` and equal scores at the top, the first hit is
the one of higher document id, where in mteb it depends on the order of the corpus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError
from harness.evaluators import items, metrics
from harness.evaluators.items import Items
from harness.evaluators.task_kind import Scored
from harness.types import Hits, Ranked, RetrievalSettings, Scores, Texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.types import Float64, Int64

ROUNDED = ("ndcg", "map", "recall", "precision", "hit_rate")
WITH_NAUC = ("ndcg", "map", "recall", "precision", "mrr")


def texts(gold: Ranked, settings: RetrievalSettings) -> dict[str, Texts]:
    """`queries` in the role of queries and `documents` in the role of documents."""
    return {
        "queries": Texts(items=gold.queries, role="query"),
        "documents": Texts(items=gold.documents, role="document"),
    }


def score(gold: Ranked, given: Hits, *, settings: RetrievalSettings) -> Scored:
    """Every metric at every k, as means over the queries, which are the items.

    Args:
        gold: queries, documents and judgments.
        given: hits, best first, equal scores by document id descending; `max(settings.k_values)` deep, or all
            documents.
        settings: cutoffs, and what to remove from the hits.

    Raises:
        DataError: there are no queries.
    """
    if not gold.query_ids:
        raise DataError(
            "there are no queries to score, but retrieval needs at least 1; check the query and qrels files"
        )
    positions = _positions(gold)
    hits = _reported(gold, given, positions, settings)
    by_query = metrics.ranking(*_judged(gold, hits, positions), settings.k_values)
    confidence = metrics.confidence(hits.scores, (hits.indices >= 0).sum(axis=1))
    scores: Scores = {}
    of_metrics: dict[str, Items] = {}
    for column, k in enumerate(settings.k_values):
        at_k = {name: values[:, column] for name, values in by_query.items()}
        for name, values in at_k.items():
            metric = f"{name}_at_{k}"
            scores[metric] = _mean(values, rounded=name in ROUNDED)
            of_metrics[metric] = items.values(values, metric=metric, unit="query")
        for name in WITH_NAUC:
            for guess, trust in confidence._asdict().items():
                scores[f"nauc_{name}_at_{k}_{guess}"] = metrics.nauc(trust, at_k[name])
    scores["accuracy"] = scores.get("recall_at_1")
    return Scored(scores, of_metrics)


def _positions(gold: Ranked) -> dict[str, int]:
    """Document id -> position, for the documents that are judged or share the id of a query."""
    wanted = set(gold.query_ids).union(*gold.qrels.values())
    return {name: position for position, name in enumerate(gold.document_ids) if name in wanted}


def _reported(gold: Ranked, hits: Hits, positions: Mapping[str, int], settings: RetrievalSettings) -> Hits:
    """The hits that count, left-aligned."""
    if settings.ignore_identical_ids:
        own = np.array([positions.get(name, -2) for name in gold.query_ids])
        hits = _without(hits, own)
    if settings.skip_first_result:
        hits = Hits(indices=hits.indices[:, 1:], scores=hits.scores[:, 1:])
    return hits


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


def _judged(gold: Ranked, hits: Hits, positions: Mapping[str, int]) -> tuple[Int64, metrics.Judgments]:
    """The relevance of each hit, (n_queries, k); and all that is relevant."""
    relevance = np.zeros(hits.indices.shape, dtype=np.int64)
    by_position = np.zeros(len(gold.document_ids) + 1, dtype=np.int64)  # the last entry is for the -1 of no hit
    rows: list[int] = []
    gains: list[int] = []
    for row, query in enumerate(gold.query_ids):
        relevant = {name: gain for name, gain in gold.qrels.get(query, {}).items() if gain > 0}
        rows += [row] * len(relevant)
        gains += relevant.values()
        known = {positions[name]: gain for name, gain in relevant.items() if name in positions}
        places = list(known)
        by_position[places] = list(known.values())
        relevance[row] = by_position[hits.indices[row]]
        by_position[places] = 0
    return relevance, metrics.Judgments(np.array(rows, dtype=np.int64), np.array(gains, dtype=np.int64))


def _mean(values: Float64, *, rounded: bool) -> float:
    # Python's sum, because a sum in another order may be rounded to another fifth digit.
    mean = sum(values.tolist()) / len(values)
    return round(mean, 5) if rounded else mean
