"""Further metrics of a search, which some tasks have beside the usual ones; most are made of groups of queries.

As mteb 2.26.24 computes them (`_evaluators.retrieval_metrics` and the tasks' own `task_specific_scores`):

- `R_cap_at_k`: recall at k over what can be found in k hits; a mean over the queries that have a relevant document.
- `max_over_subqueries_*`: every metric of the ranking that subqueries have in common, in which each document has its
  best score. Subqueries share the id but for what follows the last underscore.
- `paired_accuracy`: the share of pairs whose queries, `<pair>_q1` and `<pair>_q2`, both have a relevant document
  first (Weller et al. 2024, arXiv:2305.07614).
- `robustness_at_10`: the mean over queries of the worst nDCG@10 among their instructions; the ids of one query share
  what stands before the first underscore (Oh et al. 2024, arXiv:2402.14334).
- `level_scores`: nDCG@20 by level of instruction, whose name (`v1`, `v2`, `v3`) is part of the query's id.
- `p-MRR`: whether documents that a changed instruction makes irrelevant fall (up to 1) or rise (down to -1); a mean
  over queries of the mean over documents (Weller et al. 2024, arXiv:2403.15246). `og` and `changed` hold every
  metric of the queries with the first instruction, and of those with the changed one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.errors import DataError
from harness.evaluators import hit_scores, items, query_groups, search
from harness.evaluators.items import Items
from harness.evaluators.query_groups import CHANGED, ORIGINAL
from harness.evaluators.ranked import Ranked
from harness.evaluators.task_kind import Scored
from harness.types import Hits, Scores

if TYPE_CHECKING:
    from harness.types import Float64


class Searched(NamedTuple):
    """A scored search.

    Attributes:
        by_query: metric -> its value for each query, (n_queries,) float64.
    """

    gold: Ranked
    hits: Hits
    k_values: Sequence[int]
    by_query: Mapping[str, Float64]


def score(further: str, searched: Searched) -> Scored:
    """The scores and items of one of `query_groups.FurtherMetrics`."""
    return _SCORERS[further](searched)


def _capped_recall(searched: Searched) -> Scored:
    gold = searched.gold
    relevant = np.array([sum(gain > 0 for gain in gold.qrels.get(query, {}).values()) for query in gold.query_ids])
    rows = np.flatnonzero(relevant)
    scores: Scores = {}
    of_metrics: dict[str, Items] = {}
    for k in searched.k_values:
        metric = f"R_cap_at_{k}"
        hits = np.round(searched.by_query[f"precision_at_{k}"][rows] * k)
        values = hits / np.minimum(relevant[rows], k)
        scores[metric] = _mean(values) if len(rows) else 0.0
        of_metrics[metric] = _of_rows(values, rows, metric=metric)
    return Scored(scores, of_metrics)


def _paired_accuracy(searched: Searched) -> Scored:
    row_of = {query: row for row, query in enumerate(searched.gold.query_ids)}
    pairs = query_groups.grouped(searched.gold.query_ids, "paired_accuracy")
    both: list[float] = []
    for pair in pairs:
        rows = [row_of.get(f"{pair}_{number}") for number in ("q1", "q2")]
        if None in rows:
            raise DataError(
                f"paired_accuracy: the pair {pair!r} is not whole; expected queries {pair}_q1 and {pair}_q2"
            )
        both.append(float(all(searched.by_query["recall_at_1"][row] == 1 for row in rows)))
    return _of_groups("paired_accuracy", pairs, both)


def _robustness(searched: Searched) -> Scored:
    queries = query_groups.grouped(searched.gold.query_ids, "robustness_at_10")
    values = searched.by_query["ndcg_at_10"]
    return _of_groups("robustness_at_10", queries, [float(values[rows].min()) for rows in queries.values()])


def _levels(searched: Searched) -> Scored:
    by_level: dict[str, list[float]] = {f"level_{number}": [] for number in (1, 2, 3)}
    for query, value in zip(searched.gold.query_ids, searched.by_query["ndcg_at_20"].tolist(), strict=True):
        level = next((number for number in (1, 2, 3) if f"v{number}" in query), None)
        if level is not None:
            by_level[f"level_{level}"].append(value)
    means = {level: _mean(values) if values else None for level, values in by_level.items()}
    return Scored({"level_scores": means}, {})


def _max_over_subqueries(searched: Searched) -> Scored:
    gold, hits = searched.gold, searched.hits
    groups = query_groups.grouped(gold.query_ids, "max_over_subqueries")
    merged = [_best_scores(hits, rows) for rows in groups.values()]
    depth = max((len(best.positions) for best in merged), default=0)
    top = search.TopK(len(groups), k=depth, document_ids=gold.document_ids)
    for row, best in enumerate(merged):
        if len(best.positions):
            top.fold(best.scores[None], at=best.positions, first_query=row)
    last = [gold.query_ids[rows[-1]] for rows in groups.values()]
    of_groups = replace(
        gold,
        query_ids=list(groups),
        queries=[""] * len(groups),
        qrels={group: gold.qrels.get(query, {}) for group, query in zip(groups, last, strict=True)},
        candidates=None,
    )
    whole = hit_scores.of_queries(of_groups, top.hits(), k_values=searched.k_values)
    firsts = np.array([rows[0] for rows in groups.values()])
    name = "max_over_subqueries_{}".format
    return Scored(
        {name(metric): value for metric, value in whole.scores.items()},
        {name(metric): _of_rows(values, firsts, metric=name(metric)) for metric, values in whole.by_query.items()},
    )


class _Best(NamedTuple):
    """The documents of any subquery, each with its best score: positions (n,) and scores (n,) float32."""

    positions: Any
    scores: Any


def _best_scores(hits: Hits, rows: Sequence[int]) -> _Best:
    present = hits.indices[rows] >= 0
    positions, place = np.unique(hits.indices[rows][present], return_inverse=True)
    best = np.full(len(positions), -np.inf, dtype=np.float32)
    np.maximum.at(best, place, hits.scores[rows][present])
    return _Best(positions, best)


def _p_mrr(searched: Searched) -> Scored:
    gold, hits = searched.gold, searched.hits
    row_of = {query: row for row, query in enumerate(gold.query_ids)}
    position_of = {name: position for position, name in enumerate(gold.document_ids)}
    changes: dict[str, float] = {}
    for query, documents in (gold.changes or {}).items():
        before, after = row_of.get(query + ORIGINAL), row_of.get(query + CHANGED)
        if before is None or after is None or not documents:
            continue
        places = [position_of.get(name, -2) for name in documents]
        changes[query] = _mean([_change(_rank(hits, before, place), _rank(hits, after, place)) for place in places])
    rows = np.array([row_of[query + ORIGINAL] for query in sorted(changes)], dtype=np.int64)
    values = [changes[query] for query in sorted(changes)]
    scores: Scores = {"p-MRR": _mean(values) if values else None}
    original = [row for row, query in enumerate(gold.query_ids) if query.endswith(ORIGINAL)]
    others = [row for row, query in enumerate(gold.query_ids) if not query.endswith(ORIGINAL)]
    for name, kept in (("og", original), ("changed", others)):
        if not kept:
            raise DataError(f"p-MRR: no query has an id with the ending of {name!r}; expected -og and -changed")
        part = replace(
            gold, query_ids=[gold.query_ids[row] for row in kept], queries=[gold.queries[row] for row in kept]
        )
        taken = Hits(indices=hits.indices[kept], scores=hits.scores[kept])
        scores[name] = hit_scores.of_queries(part, taken, k_values=searched.k_values).scores
    return Scored(scores, {"p-MRR": _of_rows(values, rows, metric="p-MRR")} if values else {})


def _rank(hits: Hits, row: int, position: int) -> int:
    """The rank of a document among the hits, from 1; behind all of them where it is none."""
    places = np.flatnonzero(hits.indices[row] == position)
    return int(places[0]) + 1 if len(places) else int((hits.indices[row] >= 0).sum()) + 1


def _change(before: int, after: int) -> float:
    """Above 0 where the rank falls, below 0 where it rises."""
    if before >= after:
        return (1 / before) / (1 / after) - 1
    return 1 - (1 / after) / (1 / before)


def _of_groups(metric: str, groups: Mapping[str, Sequence[int]], values: Sequence[float]) -> Scored:
    rows = np.array([members[0] for members in groups.values()], dtype=np.int64)
    return Scored({metric: _mean(values)}, {metric: _of_rows(values, rows, metric=metric)})


def _of_rows(values: Any, rows: Any, *, metric: str) -> Items:
    """Items of which each stands for a query, at its row, or for a group of queries, at the row of the first."""
    return replace(items.values(values, metric=metric, unit="query"), position=rows)


def _mean(values: Any) -> float:
    return float(sum(values) / len(values))


_SCORERS: Mapping[str, Callable[[Searched], Scored]] = {
    "none": lambda searched: Scored({}, {}),
    "R_cap": _capped_recall,
    "max_over_subqueries": _max_over_subqueries,
    "paired_accuracy": _paired_accuracy,
    "robustness_at_10": _robustness,
    "level_scores": _levels,
    "p-MRR": _p_mrr,
}
