"""Retrieval and reranking by instruction: is it followed, when the query alone does not say what is asked?

Everything is as in `retrieval`, and each query is read together with its instruction (see `query_texts`). Instruction
reranking has every query with two instructions, `<query>-og` and `<query>-changed`, and is scored by `p-MRR`: whether
the documents that the change makes irrelevant fall. Reference: mteb 2.26.24 (`AbsTaskRetrieval`, tasks of FollowIR,
mFollowIR, IFIR and InstructIR).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from harness.evaluators import retrieval
from harness.evaluators.query_groups import FurtherMetrics
from harness.evaluators.retrieval import RERANKING, RETRIEVAL, RetrievalSettings
from harness.evaluators.task_kind import Fit


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionRerankingSettings(RetrievalSettings):
    """As for retrieval, but with p-MRR."""

    further_metrics: FurtherMetrics = field(default="p-MRR", metadata={"called": "group of further metrics"})


def _fit(values: Mapping[str, Sequence[Any]], rows: int) -> Fit:
    if "changes" in values["tables"]:
        return Fit(InstructionRerankingSettings())
    usual = retrieval.fit_reranking(values, rows)
    return Fit(
        InstructionRerankingSettings(further_metrics="none"),
        "no table of changes, without which there is no p-MRR",
        usual.main_metric or RERANKING.main_metric,
        usual.why_metric or "there is no p-MRR",
    )


INSTRUCTION_RETRIEVAL = replace(
    RETRIEVAL,
    main_metric="ndcg_at_20",
    tables=(*RETRIEVAL.tables, "instructions"),
    optional_tables=("candidates", "changes"),
    layouts=(),
    read=partial(retrieval.read, reads=("instructions",)),
    description="Search for the documents that answer a query as its instruction asks",
    recognizes=lambda values, trainable: "corpus, queries and qrels, with an instruction for each query",
)
INSTRUCTION_RERANKING = replace(
    RERANKING,
    settings=InstructionRerankingSettings,
    main_metric="p-MRR",
    near_zero="often",
    former_type="InstructionRetrieval",
    tables=(*RERANKING.tables, "instructions"),
    optional_tables=("changes",),
    layouts=(),
    read=partial(retrieval.read, reads=("candidates", "instructions")),
    description="Rank each query's candidates as its instruction asks",
    recognizes=lambda values, trainable: (
        "corpus, queries and qrels, with candidates to rank and an instruction for each query"
    ),
    fit=_fit,
    from_mteb=partial(retrieval.from_mteb, settings=InstructionRerankingSettings),
    former_metrics={},
)
