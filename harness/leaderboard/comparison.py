"""Two recorded models, task by task: how much they differ, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from harness import results
from harness.errors import RecordError, UnknownName
from harness.evaluators.items import Items, replicates
from harness.leaderboard.board import Leaderboard, Row
from harness.results.items import get_items
from harness.stats import multiple, paired
from harness.stats.bootstrap import Interval, hierarchical, interval
from harness.types import Part, Record

if TYPE_CHECKING:
    from harness.types import Float64

RESAMPLES = 4000
ALPHA = 0.05
Verdict = Literal["A", "B", "not separable", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDifference:
    """One task: A's score minus B's.

    Attributes:
        n: items that were compared; 0 where the items of one of them are not known.
        interval, p: of the difference, None where items are not known.
        corrected: p after Holm's correction over the tasks that have one.
        verdict: `A` or `B` where one is better after correction; `unknown` without items.
        why: of an unknown verdict.
    """

    task: str
    type: str
    a: float
    b: float
    n: int = 0
    interval: Interval | None = None
    p: float | None = None
    corrected: float | None = None
    verdict: Verdict = "unknown"
    why: str = ""

    @property
    def difference(self) -> float:
        """A's score minus B's."""
        return self.a - self.b


class Overall(NamedTuple):
    """The difference of the means over the tasks that both have.

    Attributes:
        interval, p: tasks drawn anew, and items where they are known. Below some twenty tasks the interval is a little
            too narrow, as percentile intervals of few draws are.
        on_these: the interval with the tasks fixed and the items drawn anew; None unless all items are known.
    """

    a: float
    b: float
    tasks: int
    interval: Interval | None
    p: float | None
    on_these: Interval | None
    verdict: Verdict


class PartItems(NamedTuple):
    """The same items of one part under two models."""

    task: str
    part: Part
    a: Items
    b: Items


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two models on the tasks that both have.

    Attributes:
        only_a, only_b: tasks that the other one lacks.
        items: of the parts whose items are known for both.
    """

    a: str
    b: str
    tasks: tuple[TaskDifference, ...]
    overall: Overall
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    items: tuple[PartItems, ...]


def compare(board: Leaderboard, a: Row, b: Row) -> Comparison:
    """Two rows of a leaderboard.

    Raises:
        UnknownName: they have no task in common.
    """
    common = [task for task in board.tasks if task.name in a.scores and task.name in b.scores]
    if not common:
        raise UnknownName(f"{a.label} and {b.label} have no task in common that is recorded in full")
    parts_of = dict(zip((task.name for task in board.tasks), board.parts, strict=True))
    found: list[TaskDifference] = []
    draws: list[Float64 | float] = []
    items: list[PartItems] = []
    for task in common:
        plain = TaskDifference(task=task.name, type=task.type, a=a.scores[task.name], b=b.scores[task.name])
        own = _items(board, a, b, task.name, parts_of[task.name])
        if isinstance(own, str):
            found.append(replace(plain, why=own))
            draws.append(plain.difference)
            continue
        items += own
        found_here = tested(own)
        draws.append(found_here.replicates)
        n = sum(len(part.a) for part in own)
        found.append(replace(plain, n=n, interval=found_here.interval, p=found_here.p))
    return Comparison(
        a=a.label,
        b=b.label,
        tasks=_corrected(found),
        overall=_overall(found, draws),
        only_a=tuple(sorted(set(a.scores).difference(b.scores))),
        only_b=tuple(sorted(set(b.scores).difference(a.scores))),
        items=tuple(items),
    )


class Tested(NamedTuple):
    """The difference of two task scores: its draws (resamples,), their 95% interval, and the two-sided p."""

    replicates: Float64
    interval: Interval
    p: float


def tested(parts: Sequence[PartItems]) -> Tested:
    """The difference of the task's scores, which are means over its parts; every part's items are drawn by itself."""
    by_part = [
        replicates(own.a, task=own.task, part=own.part, resamples=RESAMPLES)
        - replicates(own.b, task=own.task, part=own.part, resamples=RESAMPLES)
        for own in parts
    ]
    values = np.mean(by_part, axis=0)
    values = values[np.isfinite(values)]
    first = parts[0]
    if len(parts) == 1 and first.a.is_mean():
        p = paired.sign_flip(first.a.merit() - first.b.merit())
    else:
        p = paired.share_beyond_zero(values)
    return Tested(values, interval(values), p)


def _items(board: Leaderboard, a: Row, b: Row, task: str, parts: Sequence[Part]) -> list[PartItems] | str:
    """The items of all parts of a task under both, or why there is no comparing them."""
    loaded: list[Mapping[Part, Items]] = []
    for row in (a, b):
        own = _load(board, row, task)
        if isinstance(own, str):
            return own
        missing = [part for part in parts if part not in own]
        if missing:
            return f"no items of {missing[0]} for {row.label}"
        loaded.append(own)
    pairs = [PartItems(task, part, loaded[0][part], loaded[1][part]) for part in parts]
    different = [str(pair.part) for pair in pairs if not same_items(pair.a, pair.b)]
    if different:
        return f"the items of {different[0]} are not the same: another revision of the data, or another setting"
    return pairs


def _load(board: Leaderboard, row: Row, task: str) -> Mapping[Part, Items] | str:
    path = board.path(row.files[task])
    try:
        record: Record = results.from_json(path.read_text(encoding="utf-8"), path=path)
        return get_items(record) or f"no items recorded for {row.label}"
    except (OSError, RecordError) as err:
        return f"the items of {row.label} cannot be read: {err}"


def same_items(a: Items, b: Items) -> bool:
    """Whether both are about the same items in the same order, by what is known of them."""
    if (a.kind, a.metric, a.unit, len(a)) != (b.kind, b.metric, b.unit, len(b)):
        return False
    gold = [own.columns.get("gold") for own in (a, b)]
    same_gold = gold[0] is None or np.array_equal(np.asarray(gold[0]), np.asarray(gold[1]))
    return np.array_equal(a.position, b.position) and same_gold


def _corrected(found: Sequence[TaskDifference]) -> tuple[TaskDifference, ...]:
    tested = [number for number, task in enumerate(found) if task.p is not None]
    corrected = multiple.holm([found[number].p or 0.0 for number in tested]).tolist()
    by_number = dict(zip(tested, corrected, strict=True))
    return tuple(
        task
        if number not in by_number
        else replace(task, corrected=by_number[number], verdict=_verdict(task.difference, by_number[number]))
        for number, task in enumerate(found)
    )


def _verdict(difference: float, p: float) -> Verdict:
    if p >= ALPHA or difference == 0:
        return "not separable"
    return "A" if difference > 0 else "B"


def _overall(found: Sequence[TaskDifference], draws: Sequence[Float64 | float]) -> Overall:
    count = len(found)
    a, b = (math.fsum(getattr(task, name) for task in found) / count for name in "ab")
    whole, p = None, None
    if count >= 3:  # two tasks can be drawn in three ways: no interval comes of that
        values = hierarchical(draws, resamples=RESAMPLES, seed=0)
        whole, p = interval(values), paired.share_beyond_zero(values)
    on_these = None
    if all(isinstance(values, np.ndarray) for values in draws):
        of_tasks = [np.atleast_1d(values) for values in draws]
        length = min(map(len, of_tasks))
        on_these = interval(np.mean([values[:length] for values in of_tasks], axis=0))
    return Overall(
        a=a,
        b=b,
        tasks=count,
        interval=whole,
        p=p,
        on_these=on_these,
        verdict="unknown" if p is None else _verdict(a - b, p),
    )
