"""Groups of queries that are scored together: what their ids mean for each group of further metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias

FurtherMetrics: TypeAlias = Literal[
    "none", "R_cap", "max_over_subqueries", "paired_accuracy", "robustness_at_10", "level_scores", "p-MRR"
]
"""Metrics that some tasks have beside the usual ones of a search; see `group_scores`."""

ORIGINAL, CHANGED = "-og", "-changed"
"""Endings of the ids of a query with its first instruction, and of the same query with another one."""

_GROUP_OF: Mapping[str, Callable[[str], str]] = {
    "max_over_subqueries": lambda query: query.rpartition("_")[0],
    "paired_accuracy": lambda query: query.partition("_")[0],
    "robustness_at_10": lambda query: query.partition("_")[0],
    "p-MRR": lambda query: query.removesuffix(ORIGINAL).removesuffix(CHANGED),
}
_FUNCTIONS_OF_MTEB: Mapping[str, FurtherMetrics] = {
    "recall_cap": "R_cap",
    "max_over_subqueries": "max_over_subqueries",
    "paired_accuracy": "paired_accuracy",
    "robustness_at_10": "robustness_at_10",
    "evaluate_p_mrr_change": "p-MRR",
}
_LEVEL_OF_MTEB = "level_1"


def grouped(queries: Iterable[str], further: str) -> dict[str, list[int]]:
    """Group -> the rows of its queries, in the order of the queries. Without groups, every query is one."""
    name = _GROUP_OF.get(further, str)
    groups: dict[str, list[int]] = {}
    for row, query in enumerate(queries):
        groups.setdefault(name(query), []).append(row)
    return groups


def of_mteb(task: Any) -> FurtherMetrics | None:
    """The further metrics of a search task of mteb; None where it has some that are not computed here.

    mteb names them nowhere but in the code of the task's method `task_specific_scores`.
    """
    method = type(task).task_specific_scores
    if method.__module__.startswith("mteb.abstasks"):
        return "none"
    for name in method.__code__.co_names:
        if name in _FUNCTIONS_OF_MTEB:
            return _FUNCTIONS_OF_MTEB[name]
    return "level_scores" if _LEVEL_OF_MTEB in method.__code__.co_consts else None
