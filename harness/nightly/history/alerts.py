"""Alerts about scores that fell or changed without a reason, by the rules of the schedule.

A regression is a drop that chance does not explain: the items of both nights are compared in pairs, the 95% interval of
the difference lies below zero, and p is below 0.05 after Holm's correction for all tasks tested that night. There is no
threshold to set. Where model, data and settings are the same, the score must be the same: any difference is an alert.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, NamedTuple

from harness.errors import RecordError
from harness.nightly.history.changes import Cause, causes, same_settings
from harness.nightly.history.snapshot_files import Night, NightCell, RunEnvironment, items_place
from harness.nightly.schedule.schedule_contents import AlertRules
from harness.types import Part, model_label

if TYPE_CHECKING:
    from harness.evaluators.items import Items
    from harness.evaluators.paired_items import Tested

ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One task of one model whose score fell or changed without a reason.

    Attributes:
        parts: the parts concerned, as text.
        before, after: the task's score, a mean over the parts.
        low, high: the 95% interval of the difference, where items were compared.
        p: corrected by Holm's method.
        n: how many items were compared.
        causes: every recorded value that differs.
    """

    kind: Literal["regression", "unexplained"]
    label: str
    variant: str
    task: str
    metric: str
    parts: tuple[str, ...]
    before: float
    after: float
    causes: tuple[Cause, ...]
    low: float | None = None
    high: float | None = None
    p: float | None = None
    n: int = 0

    @property
    def model(self) -> str:
        """The model as reports name it."""
        return model_label(self.label, self.variant)

    @property
    def difference(self) -> float:
        """After minus before."""
        return self.after - self.before


class Untested(NamedTuple):
    """A task whose score fell, but whose items cannot be compared; `why` says what is missing."""

    model: str
    task: str
    difference: float
    why: str


class Alerts(NamedTuple):
    """The alerts of a night, the largest drop first, and the drops that could not be tested."""

    alerts: tuple[Alert, ...]
    untested: tuple[Untested, ...]


NO_ALERTS = Alerts((), ())


def alerts_of(before: Night | None, after: Night, *, rules: AlertRules, history: Path) -> Alerts:
    """The alerts of a night against the one before it.

    Args:
        before: the night before; None where there is none, which gives no alerts.
        after: the night. Its stale cells are left out.
        rules: which alerts are wanted.
        history: the folder with the nights' items files.
    """
    unexplained: list[Alert] = []
    tested: list[tuple[Alert, float]] = []
    untested: list[Untested] = []
    for pairs in _moved(before, after):
        same = [
            pair for pair in pairs if pair.before.score != pair.after.score and same_settings(pair.before, pair.after)
        ]
        if same:
            if rules.unexplained:
                unexplained.append(_alert("unexplained", same))
            continue
        alert = _alert("regression", pairs)
        if not rules.regressions or alert.difference >= 0:
            continue
        test = _test(pairs, history)
        if isinstance(test, str):
            untested.append(Untested(alert.model, alert.task, alert.difference, test))
            continue
        low, high = test.test.interval
        tested.append((replace(alert, low=low, high=high, n=test.n), _p(test.test, alert.difference)))
    regressions = []
    if tested:
        from harness.stats import multiple

        corrected = multiple.holm([p for _, p in tested]).tolist()
        regressions = [
            replace(alert, p=p)
            for (alert, _), p in zip(tested, corrected, strict=True)
            if p < ALPHA and alert.high is not None and alert.high < 0
        ]
    return Alerts(
        tuple(sorted([*unexplained, *regressions], key=lambda alert: (alert.difference, alert.model, alert.task))),
        tuple(sorted(untested, key=lambda drop: (drop.difference, drop.model, drop.task))),
    )


class _Pair(NamedTuple):
    before: NightCell
    was: RunEnvironment
    after: NightCell
    now: RunEnvironment


def _moved(before: Night | None, after: Night) -> list[list[_Pair]]:
    """All parts that both nights have of every task with a part whose score changed."""
    if before is None:
        return []
    old = before.by_key()
    tasks: dict[tuple[str, str, str], list[_Pair]] = {}
    for cell in after.cells:
        was = old.get(cell.key)
        if was is not None and not cell.stale:
            pair = _Pair(was, before.environment_of(was), cell, after.environment_of(cell))
            tasks.setdefault((cell.label, cell.variant, cell.task), []).append(pair)
    return [pairs for pairs in tasks.values() if any(pair.before.score != pair.after.score for pair in pairs)]


def _alert(kind: Literal["regression", "unexplained"], pairs: Sequence[_Pair]) -> Alert:
    first = pairs[0].after
    moved = [pair for pair in pairs if pair.before.score != pair.after.score]
    reasons = dict.fromkeys(cause for pair in moved for cause in causes(*pair))
    return Alert(
        kind=kind,
        label=first.label,
        variant=first.variant,
        task=first.task,
        metric=first.metric,
        parts=tuple(str(pair.after.part) for pair in pairs),
        before=math.fsum(pair.before.score for pair in pairs) / len(pairs),
        after=math.fsum(pair.after.score for pair in pairs) / len(pairs),
        causes=tuple(reasons),
    )


class _Test(NamedTuple):
    test: Tested
    n: int


def _test(pairs: Sequence[_Pair], history: Path) -> _Test | str:
    """The paired test of a task, or why there is none."""
    from harness.evaluators.paired_items import PartItems, same_items, tested

    if any(pair.before.data != pair.after.data for pair in pairs):
        return "the data changed, so the items are not the same"
    try:
        old = _items([pair.before for pair in pairs], history)
        new = _items([pair.after for pair in pairs], history)
    except RecordError as err:
        return str(err)
    parts = []
    for pair in pairs:
        part = pair.after.part
        if part not in old or part not in new:
            return f"no per-item scores of {part} for both nights"
        if not same_items(new[part], old[part]):
            return f"the settings changed, so the items of {part} are not the same"
        parts.append(PartItems(pair.after.task, part, new[part], old[part]))
    return _Test(tested(parts), sum(len(part.a) for part in parts))


def _items(cells: Sequence[NightCell], history: Path) -> Mapping[Part, Items]:
    """The items of one task in one night, by part."""
    from harness.results.items import read

    first = cells[0]
    if first.items is None or len({cell.items for cell in cells}) > 1:
        return {}
    main_scores = {cell.part: cell.score for cell in cells}
    place = items_place(history, first.items)
    return read(place, fingerprint=first.fingerprint, main_scores=main_scores, sha256=first.items) or {}


def _p(test: Tested, difference: float) -> float:
    """The test's p; where all draws show a drop, the tail of a normal distribution with their standard error.

    The least p of a bootstrap of 4,000 draws is 1 in 2,000. Holm's correction for many tasks would raise that above
    0.05 however clear the drop is.
    """
    draws = test.replicates
    if len(draws) < 2 or (draws >= 0).any() or not draws.std() > 0:
        return test.p
    return min(test.p, 2 * NormalDist().cdf(-abs(difference) / float(draws.std(ddof=1))))
