"""The interval in which the score of an equal run would lie, estimated from a record.

Most tasks give the same score again to five decimals or more. Two do not, and their records show by how much:

- Clustering (`v2`): mteb draws from one generator for all parts of a task, so a score depends on the parts that ran
  before. The spread of a record's draws gives the interval for the mean of as many other draws (Student's t).
- Pair classification: with near ties, average precision depends on the last bit of a float. For unit vectors, cosine,
  dot product and Euclidean distance give the same ranking, so small differences between their average precisions come
  from rounding.

The level is 99 %, because a card holds many claims.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from harness.types import Part, Record

ScoreRange: TypeAlias = "tuple[float, float]"
Intervals: TypeAlias = Callable[[Record, Part, str], "ScoreRange | None"]
"""(record, part, metric) -> the interval (0-1) of an equal run's score; None if unknown."""

_T_995 = (63.66, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169, 3.106, 3.055, 3.012, 2.977, 2.947)
"""The 99.5 % quantile of Student's t for 1, 2, ... degrees of freedom."""
_NORMAL_995 = 2.576
_SAME_RANKING = ("cosine", "similarity", "dot", "euclidean")
_ROUNDING = 0.01
"""Average precisions that differ by more than this differ for another reason."""


def of_record(record: Record, part: Part, metric: str) -> ScoreRange | None:
    """The interval estimated from a record, see the module's docstring."""
    entry = record.parts.get(part, {})
    if metric == "v_measure":
        return _of_draws(_draws(entry))
    return _of_rounding(entry) if metric == "ap" or metric.endswith("_ap") else None


def _of_draws(values: list[float]) -> ScoreRange | None:
    if len(values) < 2:
        return None
    freedom = len(values) - 1
    quantile = _T_995[freedom - 1] if freedom <= len(_T_995) else _NORMAL_995
    reach = quantile * statistics.stdev(values) * math.sqrt(2 / len(values))
    middle = statistics.fmean(values)
    return middle - reach, middle + reach


def _draws(entry: Mapping[str, Any]) -> list[float]:
    """The value of each draw, averaged over the levels of a hierarchy; empty for the legacy protocol, without draws."""
    listed = entry.get("v_measures")
    levels = list(listed.values()) if isinstance(listed, Mapping) else []
    if not levels or not all(isinstance(level, list) for level in levels):
        return []
    return [statistics.fmean(values) for values in zip(*levels, strict=False)]


def _of_rounding(entry: Mapping[str, Any]) -> ScoreRange | None:
    precisions = [entry.get(f"{family}_ap") for family in _SAME_RANKING]
    values = [float(value) for value in precisions if isinstance(value, int | float)]
    if len(values) < len(_SAME_RANKING) or max(values) - min(values) > _ROUNDING:
        return None
    return min(values), max(values)
