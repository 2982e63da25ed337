"""The same items under two models: the difference of their scores, its interval and its p."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.evaluators.items import Items, replicates
from harness.stats import paired
from harness.stats.bootstrap import Interval, interval
from harness.types import Part

if TYPE_CHECKING:
    from harness.types import Float64

RESAMPLES = 4000


class PartItems(NamedTuple):
    """The same items of one part under two models."""

    task: str
    part: Part
    a: Items
    b: Items


class Tested(NamedTuple):
    """The difference of two task scores: its draws (resamples,), their 95% interval, and the two-sided p."""

    replicates: Float64
    interval: Interval
    p: float


def tested(parts: Sequence[PartItems]) -> Tested:
    """The difference of the task's scores, the means over its parts; the items of each part are resampled."""
    by_part = [
        replicates(pair.a, task=pair.task, part=pair.part, resamples=RESAMPLES)
        - replicates(pair.b, task=pair.task, part=pair.part, resamples=RESAMPLES)
        for pair in parts
    ]
    values = np.mean(by_part, axis=0)
    values = values[np.isfinite(values)]
    first = parts[0]
    if len(parts) == 1 and first.a.is_mean():
        p = paired.sign_flip(first.a.merit() - first.b.merit())
    else:
        p = paired.share_beyond_zero(values)
    return Tested(values, interval(values), p)


def same_items(a: Items, b: Items) -> bool:
    """Whether both are about the same items in the same order, as far as positions and gold show."""
    if (a.kind, a.metric, a.unit, len(a)) != (b.kind, b.metric, b.unit, len(b)):
        return False
    gold = [items.columns.get("gold") for items in (a, b)]
    same_gold = gold[0] is None or np.array_equal(np.asarray(gold[0]), np.asarray(gold[1]))
    return np.array_equal(a.position, b.position) and same_gold
