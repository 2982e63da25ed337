"""Retrieval and reranking: are the documents that answer a query found, and ranked first?

nDCG, MAP, recall, precision, hit rate and MRR at each k, means over queries; `accuracy`, which is recall at 1; and
`nauc_{metric}_at_{k}_{max,std,diff1}`: how well a confidence guess predicts good rankings (see `abstention.nauc`).
Reference: mteb 2.26.24 (`AbsTaskRetrieval`) over pytrec_eval-terrier 0.5.11, that is trec_eval 9. As there, means are
rounded to 5 digits, but for MRR and nAUC. A query without relevant documents scores 0 and counts. Reranking is the same
among each query's own candidates.

`ignore_identical_ids` removes the hit with the id of the query after the search, so that the query has one hit less.
`skip_first_result` then removes the first hit. `further_metrics` are those of `group_scores`, made of all hits.

As in mteb, a task whose data on the hub name candidates ranks those, whatever its type; and a reranking task of mteb
without any ranks the whole corpus.

Deliberate differences: None where mteb has NaN; with `skip_first_result` and equal scores at the top, the first hit is
the one of higher document id, where in mteb it depends on the order of the corpus.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from harness.errors import DataError
from harness.evaluators import dpr_layout, query_groups, ranked, tables
from harness.evaluators.query_groups import FurtherMetrics
from harness.evaluators.query_texts import INSTRUCTION, without_instructions
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
_FURTHER_TABLES = ("instructions", "candidates")
_CUTOFF_OF = {"paired_accuracy": 1, "robustness_at_10": 10, "level_scores": 20}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalSettings:
    """Metrics are cut at each of `k_values`; the largest is the depth of the search."""

    k_values: tuple[int, ...] = (1, 3, 5, 10, 20, 100, 1000)
    ignore_identical_ids: bool = False
    skip_first_result: bool = False
    further_metrics: FurtherMetrics = field(default="none", metadata={"called": "group of further metrics"})


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
    from harness.evaluators import group_scores, hit_scores, items

    if not gold.query_ids:
        raise DataError(
            "there are no queries to score, but retrieval needs at least 1; check the query and qrels files"
        )
    given = hit_scores.without_repeated(gold, given)
    hits = hit_scores.without_identical(gold, given) if settings.ignore_identical_ids else given
    ranking = Hits(indices=hits.indices[:, 1:], scores=hits.scores[:, 1:]) if settings.skip_first_result else hits
    usual = hit_scores.of_queries(gold, ranking, k_values=settings.k_values)
    of_metrics = {name: items.values(values, metric=name, unit="query") for name, values in usual.by_query.items()}
    searched = group_scores.Searched(gold, hits, settings.k_values, usual.by_query)
    further = group_scores.score(settings.further_metrics, searched)
    return Scored({**usual.scores, **further.scores}, {**of_metrics, **further.items})


def read(task: TaskSpec, part: Part, table: ReadTable, *, reads: Collection[str]) -> ReadPart:
    """The gold of a search problem.

    Args:
        task: with settings of this file.
        part: of the task.
        table: reads a table.
        reads: which tables the type reads from local data beside corpus, queries and qrels. Elsewhere, what the data
            have is read, as in mteb.
    """
    where = f"{task.name} {part}"
    if task.source.layout == "dpr":
        loaded = dpr_layout.dpr(table(part.split), where=where)
    else:
        loaded = {name: table(name) for name in ("corpus", "queries", "qrels")}
        of_query = INSTRUCTION in loaded["queries"]  # then there is no table of instructions
        wanted = [name for name in _FURTHER_TABLES if name in reads or task.source.kind != "local"]
        for name in wanted:
            content = table(name) if name != "instructions" or not of_query else {}
            loaded |= {name: content} if content else {}
        if of_query and "instructions" not in wanted:
            loaded["queries"] = without_instructions(loaded["queries"])
    qrels = loaded["qrels"]
    judged = ranked.read_ranked(
        loaded["corpus"],
        loaded["queries"],
        qrels,
        where=where,
        strict=task.source.kind == "local",
        shared_queries=isinstance(qrels, Filed) and PurePath(qrels.file).parent.name == "qrels",
        instructions=loaded.get("instructions", {}),
    )
    gold, notes = judged.gold, judged.notes
    if "candidates" in loaded:
        gold, more_notes, _ = ranked.with_candidates(gold, loaded["candidates"], where=f"{where}, candidates")
        notes += more_notes
    elif "candidates" in reads:
        notes += ("the data name no candidates, so the whole corpus is ranked, as in mteb",)
    if task.settings.further_metrics == "p-MRR":
        loaded["changes"] = table("changes")
        gold, more_notes, _ = ranked.with_changes(gold, loaded["changes"], where=f"{where}, changes")
        notes += more_notes
    return ReadPart(gold, {name: tables.length(content) for name, content in loaded.items()}, notes, judged.defects)


def _setting_problems(settings: RetrievalSettings, given: Collection[str]) -> Iterator[SettingProblem]:
    if list(settings.k_values) != sorted(set(settings.k_values)):
        yield SettingProblem("k_values", "expected ascending numbers, none of them twice")
    needed = _CUTOFF_OF.get(settings.further_metrics)
    if needed is not None and needed not in settings.k_values:
        yield SettingProblem("k_values", f"{settings.further_metrics} is computed at {needed}; add {needed}")


def metrics(settings: RetrievalSettings) -> tuple[str, ...]:
    """The metrics that a task may name as its main one."""
    cutoffs = [f"at_{k}" for k in settings.k_values]
    usual = (*crossed(METRICS, cutoffs), "accuracy")
    further = settings.further_metrics
    if further == "max_over_subqueries":
        return (*usual, *crossed([further], usual))
    if further in ("none", "level_scores"):
        return usual
    return (*usual, *(crossed([further], cutoffs) if further == "R_cap" else [further]))


def fit_reranking(values: Mapping[str, Sequence[Any]], rows: int) -> Fit:
    """nDCG where judgements have grades, and the default elsewhere."""
    if max(values["relevance"]) <= 1:
        return Fit(RetrievalSettings())
    return Fit(RetrievalSettings(), main_metric="ndcg_at_10", why_metric="the judgements are graded")


def from_mteb(task: Any, *, settings: type[RetrievalSettings]) -> FromMteb:
    """mteb's settings; a task whose further metrics are not computed here has scores of its own."""
    further = query_groups.of_mteb(task)
    values = replace(
        settings_from_mteb(settings, task), k_values=tuple(task.k_values), further_metrics=further or "none"
    )
    return FromMteb({}, values, None if further else "own_scores")


RETRIEVAL = TaskKind(
    settings=RetrievalSettings,
    setting_problems=_setting_problems,
    main_metric="ndcg_at_10",
    metrics=metrics,
    columns={},
    tables=("corpus", "queries", "qrels"),
    layouts=("dpr",),
    optional_tables=("instructions", "candidates", "changes"),
    read=partial(read, reads=()),
    texts=texts,
    takes="hits",
    search=search,
    score=score,
    ranks="corpus",
    near_zero="often",
    shards=True,
    description="Search for the documents that answer a query",
    instruction="Retrieve text based on user query.",
    recognizes=lambda values, trainable: "corpus, queries and qrels",
    from_mteb=partial(from_mteb, settings=RetrievalSettings),
)
RERANKING = replace(
    RETRIEVAL,
    main_metric="map_at_1000",
    tables=(*RETRIEVAL.tables, "candidates"),
    optional_tables=("instructions", "changes"),
    read=partial(read, reads=("candidates",)),
    ranks="candidates",
    near_zero="seldom",
    shards=False,
    description="Rank each query's candidates",
    instruction="Retrieve text based on user query.",
    recognizes=lambda values, trainable: "corpus, queries and qrels, with candidates to rank for each query",
    fit=fit_reranking,
    former_metrics={"map": "map_at_1000", "mrr": "mrr_at_1000"},
)
ANY_TO_ANY = replace(
    RETRIEVAL, description="Search for the documents that answer a query, of a type for all modalities"
)
