"""The names of metrics that mteb has put on cards (pure)."""

from __future__ import annotations

import re

from harness.cards.metric_names import RENAMED, to_v2
from harness.errors import UnknownName
from harness.evaluators import KINDS

_FAMILIES = r"(cos_sim|cosine|dot|euclidean|manhattan|max|similarity)"
_SUBQUERIES = "(max_over_subqueries_)?"
_USUAL_METRICS = re.compile(
    "|".join(
        (
            rf"{_SUBQUERIES}((nauc|nAUC)_)?(ndcg|map|mrr|recall|precision|hit_rate|cv_recall)_at_\d+(_(max|std|diff1))?",
            r"(nauc|nAUC)_(map|mrr|ndcg|recall|precision)_(max|std|diff1)",
            rf"({_FAMILIES}_)?(accuracy|f1|ap|precision|recall)(_(weighted|threshold|std))?",
            rf"({_FAMILIES}_)?(pearson|spearman)",
            r"(v_measure|ami)(_std)?",
            r"(accuracy|f1|ap)(_weighted)?_stderr",
            rf"main_score|map|mrr|p-MRR|hamming|lrap|jaccard|{_SUBQUERIES}accuracy",
        )
    )
)
"""Every metric that mteb has put on a card, whatever the task's type."""


def unknown_metric(metric: str, task_type: str, *, main_metric: str | None) -> UnknownName | None:
    """The error that mteb has no such metric for the type; None if it has, or if the type is not scored here."""
    kind = KINDS.get(task_type)
    if kind is None:
        return None
    names = kind.metrics(kind.settings())
    if to_v2(metric, task_type) in (*names, main_metric) or metric in RENAMED.get(task_type, {}):
        return None
    return None if _USUAL_METRICS.fullmatch(metric) else UnknownName.of(f"{task_type} metric", metric, names)
