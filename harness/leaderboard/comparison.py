"""Two recorded models, task by task: how much they differ, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from harness import results
from harness.errors import RecordError, UnknownName
from harness.evaluators.items import Items
from harness.evaluators.paired_items import RESAMPLES, PartItems, same_items, tested
from harness.leaderboard.board_values import Leaderboard, Row
from harness.results.items import get_items
from harness.stats import multiple, paired
from harness.stats.bootstrap import Interval, hierarchical, interval
from harness.types import Part, Record
from harness.types.data_frame import data_frame, notebook_html

if TYPE_CHECKING:
    import pandas

    from harness.types import Float64

ALPHA = 0.05
Verdict = Literal["A", "B", "not separable", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDifference:
    """One task: A's score minus B's.

    Attributes:
        n: number of items that were compared; 0 where one of the records has no items.
        interval, p: of the difference; None where one of the records has no items.
        corrected: p after Holm's correction over the tasks that have one.
        verdict: `A` or `B` if one is better after correction; `unknown` without items.
        why: the reason of an unknown verdict.
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
        interval: by resampled tasks, and resampled items where both records have them; None with fewer than three
            tasks. With fewer than about twenty it is a little too narrow, as percentile intervals of small samples are.
        p: of the difference on similar tasks; with fewer than three tasks on these tasks, where all records have items.
        on_these: the interval of these tasks by resampled items alone; None unless all records have items.
    """

    a: float
    b: float
    tasks: int
    interval: Interval | None
    p: float | None
    on_these: Interval | None
    verdict: Verdict

    @property
    def difference(self) -> float:
        """A's mean minus B's."""
        return self.a - self.b

    @property
    def span(self) -> Interval | None:
        """The interval of the difference: on similar tasks where there is one, else on these tasks."""
        return self.interval or self.on_these


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two models on the tasks that both have.

    Attributes:
        only_a, only_b: tasks that the other model lacks.
        items: of the parts whose items both records have.
    """

    a: str
    b: str
    tasks: tuple[TaskDifference, ...]
    overall: Overall
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    items: tuple[PartItems, ...]

    def to_pandas(self) -> pandas.DataFrame:
        """One row for each task that both have; scores and differences 0-1."""
        return data_frame(
            {
                "task": task.task,
                "type": task.type,
                "a": task.a,
                "b": task.b,
                "difference": task.difference,
                "low": task.interval.low if task.interval else None,
                "high": task.interval.high if task.interval else None,
                "p": task.p,
                "p_holm": task.corrected,
                "items": task.n,
                "verdict": task.verdict,
            }
            for task in self.tasks
        )

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return notebook_html(self.to_pandas())


def compare(board: Leaderboard, a: Row, b: Row, *, tasks: Collection[str] | None = None) -> Comparison:
    """Two rows of a leaderboard, on the tasks that both have, or on those of them that are named.

    Raises:
        UnknownName: they have no task in common.
    """
    common = [
        task
        for task in board.tasks
        if task.name in a.scores and task.name in b.scores and (tasks is None or task.name in tasks)
    ]
    if not common:
        raise UnknownName(f"{a.label} and {b.label} have no task in common that is recorded in full")
    parts_of = dict(zip((task.name for task in board.tasks), board.parts, strict=True))
    differences: list[TaskDifference] = []
    draws: list[Float64 | float] = []
    items: list[PartItems] = []
    for task in common:
        scores = TaskDifference(task=task.name, type=task.type, a=a.scores[task.name], b=b.scores[task.name])
        pairs = _items(board, a, b, task.name, parts_of[task.name])
        if isinstance(pairs, str):
            differences.append(replace(scores, why=pairs))
            draws.append(scores.difference)
            continue
        items += pairs
        test = tested(pairs)
        draws.append(test.replicates)
        n = sum(len(pair.a) for pair in pairs)
        differences.append(replace(scores, n=n, interval=test.interval, p=test.p))
    return Comparison(
        a=a.label,
        b=b.label,
        tasks=_corrected(differences),
        overall=_overall(differences, draws),
        only_a=tuple(sorted(set(a.scores).difference(b.scores))),
        only_b=tuple(sorted(set(b.scores).difference(a.scores))),
        items=tuple(items),
    )


def _items(board: Leaderboard, a: Row, b: Row, task: str, parts: Sequence[Part]) -> list[PartItems] | str:
    """The items of all parts of a task under both models, or the reason why they cannot be compared."""
    loaded: list[Mapping[Part, Items]] = []
    for row in (a, b):
        of_row = _load(board, row, task)
        if isinstance(of_row, str):
            return of_row
        missing = [part for part in parts if part not in of_row]
        if missing:
            return f"no items of {missing[0]} for {row.label}"
        loaded.append(of_row)
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


def _corrected(differences: Sequence[TaskDifference]) -> tuple[TaskDifference, ...]:
    tested = [number for number, task in enumerate(differences) if task.p is not None]
    corrected = multiple.holm([differences[number].p or 0.0 for number in tested]).tolist()
    by_number = dict(zip(tested, corrected, strict=True))
    return tuple(
        task
        if number not in by_number
        else replace(task, corrected=by_number[number], verdict=verdict_of(task.difference, by_number[number]))
        for number, task in enumerate(differences)
    )


def verdict_of(difference: float, p: float) -> Verdict:
    """Which of two models is better, given the p-value of their difference."""
    if p >= ALPHA or difference == 0:
        return "not separable"
    return "A" if difference > 0 else "B"


def _overall(differences: Sequence[TaskDifference], draws: Sequence[Float64 | float]) -> Overall:
    count = len(differences)
    a, b = (math.fsum(getattr(task, name) for task in differences) / count for name in "ab")
    whole, p = None, None
    if count >= 3:  # two tasks have only three different resamples, which give no interval
        values = hierarchical(draws, resamples=RESAMPLES, seed=0)
        whole, p = interval(values), paired.share_beyond_zero(values)
    on_these = None
    if all(isinstance(values, np.ndarray) for values in draws):
        of_tasks = [np.atleast_1d(values) for values in draws]
        length = min(map(len, of_tasks))
        means = np.mean([values[:length] for values in of_tasks], axis=0)
        on_these = interval(means)
        if whole is None:
            p = differences[0].p if count == 1 else paired.share_beyond_zero(means)
    return Overall(
        a=a,
        b=b,
        tasks=count,
        interval=whole,
        p=p,
        on_these=on_these,
        verdict="unknown" if p is None else verdict_of(a - b, p),
    )
