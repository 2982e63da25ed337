"""Retrieval and reranking: are the documents that answer a query found, and ranked first?

nDCG, MAP, recall, precision, hit rate and MRR at each k, means over queries; `accuracy`, which is recall at 1; and
`nauc_{metric}_at_{k}_{max,std,diff1}`: how well a confidence guess predicts good rankings (see `abstention.nauc`).
Reference: mteb 2.26.24 (`AbsTaskRetrieval`) over pytrec_eval-terrier 0.5.11, that is trec_eval 9. As there, means are
rounded to 5 digits, but for MRR and nAUC. A query without relevant documents scores 0 and counts. Reranking is the same
among each query's own candidates.

`ignore_identical_ids` removes the hit with the id of the query after the search, so that the query has one hit less.
`skip_first_result` then removes the first hit.

Deliberate differences: None where mteb has NaN; with `skip_first_result` and equal scores at the top, the first hit is
the one of higher document id, where in mteb it depends on the order of the corpus.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from harness.evaluators import ranked, tables
from harness.evaluators.ranked import Ranked
from harness.evaluators.tables import Filed
from harness.evaluators.task_kind import (
    Fit,
    FromMteb,
    ReadPart,
    ReadTable,
    Scored,
    SearchProblem,
    SettingProblem,
    TaskKind,
    crossed,
    settings_from_mteb,
)
from harness.types import Hits, Part, TaskSpec, Texts

if TYPE_CHECKING:
    from harness.types import Int64

METRICS = ("ndcg", "map", "mrr", "recall", "precision", "hit_rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalSettings:
    """Metrics are cut at each of `k_values`; the largest is the depth of the search."""

    k_values: tuple[int, ...] = (1, 3, 5, 10, 20, 100, 1000)
    ignore_identical_ids: bool = False
    skip_first_result: bool = False


def texts(gold: Ranked, settings: RetrievalSettings) -> dict[str, Texts]:
    """`queries` in the role of queries and `documents` in the role of documents."""
    return {
        "queries": Texts(items=gold.queries, role="query"),
        "documents": Texts(items=gold.documents, role="document"),
    }


def search(gold: Ranked, settings: RetrievalSettings) -> SearchProblem:
    """The search in the corpus, or among each query's candidates; its depth is the largest of `k_values`."""
    depth = max(settings.k_values)
    if gold.candidates is None:
        return SearchProblem(gold.document_ids, depth, None)
    return SearchProblem(gold.document_ids, depth, _places(gold, gold.candidates))


def _places(gold: Ranked, candidates: Mapping[str, Sequence[str]]) -> list[Int64]:
    """The positions of each query's candidates in the corpus."""
    import numpy as np

    place = {name: position for position, name in enumerate(gold.document_ids)}
    return [np.array([place[name] for name in candidates.get(query, ())], dtype=np.int64) for query in gold.query_ids]


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
    from harness.evaluators import hit_scores

    return hit_scores.score(
        gold,
        given,
        k_values=settings.k_values,
        ignore_identical_ids=settings.ignore_identical_ids,
        skip_first_result=settings.skip_first_result,
    )


def _read(task: TaskSpec, part: Part, table: ReadTable) -> ReadPart:
    where = f"{task.name} {part}"
    if task.source.layout == "dpr":
        loaded = ranked.dpr(table(part.split), where=where)
    else:
        loaded = {name: table(name) for name in ("corpus", "queries", "qrels")}
    qrels = loaded["qrels"]
    judged = ranked.read_ranked(
        loaded["corpus"],
        loaded["queries"],
        qrels,
        where=where,
        strict=task.source.kind == "local",
        shared_queries=isinstance(qrels, Filed) and PurePath(qrels.file).parent.name == "qrels",
    )
    rows = {name: tables.length(content) for name, content in loaded.items()}
    return ReadPart(judged.gold, rows, judged.notes)


def _read_candidates(task: TaskSpec, part: Part, table: ReadTable) -> ReadPart:
    gold, rows, notes = _read(task, part, table)
    candidates = table("candidates")
    assert isinstance(gold, Ranked)
    judged = ranked.with_candidates(gold, candidates, where=f"{task.name} {part}, candidates")
    return ReadPart(judged.gold, {**rows, "candidates": tables.length(candidates)}, (*notes, *judged.notes))


def _setting_problems(settings: RetrievalSettings, given: Collection[str]) -> Iterator[SettingProblem]:
    if list(settings.k_values) != sorted(set(settings.k_values)):
        yield SettingProblem("k_values", "expected ascending numbers, none of them twice")


def _metrics(settings: RetrievalSettings) -> tuple[str, ...]:
    return (*crossed(METRICS, [f"at_{k}" for k in settings.k_values]), "accuracy")


def _fit_reranking(values: Mapping[str, Sequence[Any]], rows: int) -> Fit:
    if max(values["relevance"]) <= 1:
        return Fit(RetrievalSettings())
    return Fit(RetrievalSettings(), main_metric="ndcg_at_10", why_metric="the judgements are graded")


def _from_mteb(task: Any) -> FromMteb:
    return FromMteb({}, replace(settings_from_mteb(RetrievalSettings, task), k_values=tuple(task.k_values)))


RETRIEVAL = TaskKind(
    settings=RetrievalSettings,
    setting_problems=_setting_problems,
    main_metric="ndcg_at_10",
    metrics=_metrics,
    columns={},
    tables=("corpus", "queries", "qrels"),
    layouts=("dpr",),
    read=_read,
    texts=texts,
    takes="hits",
    search=search,
    score=score,
    ranks="corpus",
    shards=True,
    description="Search for the documents that answer a query",
    instruction="Retrieve text based on user query.",
    recognizes=lambda values, trainable: "corpus, queries and qrels",
    from_mteb=_from_mteb,
)
RERANKING = replace(
    RETRIEVAL,
    main_metric="map_at_1000",
    tables=(*RETRIEVAL.tables, "candidates"),
    read=_read_candidates,
    ranks="candidates",
    shards=False,
    description="Rank each query's candidates",
    instruction="Retrieve text based on user query.",
    recognizes=lambda values, trainable: "corpus, queries and qrels, with candidates to rank for each query",
    fit=_fit_reranking,
    former_metrics={"map": "map_at_1000", "mrr": "mrr_at_1000"},
)
