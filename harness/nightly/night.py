"""The straight line of a night: cells -> engine -> snapshot -> alerts, pages, branch, hub, hooks."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from harness import results
from harness.errors import RecordError
from harness.nightly import closing, entries, history, shards, snapshot, state
from harness.nightly import report as reports
from harness.nightly.cells import Agenda, Cell, agenda, selection
from harness.nightly.engine import Answer, Engine, Outcome, Searched, Shard, Work
from harness.nightly.order import Ordered, ordered
from harness.nightly.plan_file import Plan
from harness.nightly.report import Report
from harness.nightly.state import Journal
from harness.types import Part, TaskSpec

SHARDS = "shards"
_GRACE = 5.0
"""Seconds by which a clock may be behind the last night before that is worth a word."""


class News(NamedTuple):
    """What just happened, for whoever shows progress: a sentence, and the outcome that it is about."""

    text: str
    outcome: Outcome | None = None
    done: int = 0
    total: int = 0


OnNews = Callable[[News], None]


class Planned(NamedTuple):
    """A night before it begins."""

    tasks: list[tuple[TaskSpec, tuple[Part, ...]]]
    agenda: Agenda
    before: history.Night | None


def planned(plan: Plan) -> Planned:
    """What the night would do. Opens no model and writes nothing.

    Raises:
        HarnessError: a task, a suite or the last snapshot cannot be read.
    """
    tasks = selection(plan)
    found = agenda(plan, entries.resolve(plan), tasks, now=time.time())
    return Planned(tasks, found, history.last(plan.history))


def run(
    plan: Plan,
    *,
    until: float | None = None,
    engine: Callable[[Plan], Engine] | None = None,
    on_news: OnNews = lambda news: None,
) -> Report:
    """One night.

    Args:
        plan: what to do.
        until: seconds from now after which nothing more is started; the plan's budget holds besides.
        engine: makes the engine; the plan's own by default.
        on_news: called on every step.

    Raises:
        AlreadyRunning: another night holds the results or the history.
        HarnessError: the plan cannot be carried out at all; nothing was computed.
    """
    started, clock = time.time(), time.monotonic()
    limits = [limit for limit in (plan.budget, until) if limit is not None]
    deadline = clock + min(limits) if limits else None
    with state.only_one(plan):
        tasks, todo, before = planned(plan)
        if before is not None and snapshot.is_the_same(todo, before) and closing.is_complete(plan, before):
            return Report(night=before, nothing_to_do=True, seconds=time.monotonic() - clock)
        journal = Journal(plan, number=before.number + 1 if before else 1, started=started)
        try:
            report = _night(plan, Planned(tasks, todo, before), journal, deadline, engine or engine_of, on_news)
        except BaseException as err:
            interrupted = not isinstance(err, Exception)
            journal.finish(exit=130 if interrupted else 2, message=str(err) or type(err).__name__)
            raise
        report = dataclasses.replace(report, seconds=time.monotonic() - clock)
        journal.finish(exit=report.status, message=reports.sentence(report))
    return report


def engine_of(plan: Plan) -> Engine:
    """The engine that the plan names.

    Raises:
        HarnessError: Ray is not installed, or there is no cluster.
    """
    logs = plan.history / state.LOGS
    if plan.engine.kind == "ray":
        from harness.nightly.ray_engine import RayEngine

        return RayEngine(plan.engine)
    from harness.nightly.local import LocalEngine

    return LocalEngine(plan.engine, logs=logs)


def _night(
    plan: Plan,
    found: Planned,
    journal: Journal,
    deadline: float | None,
    engine: Callable[[Plan], Engine],
    on_news: OnNews,
) -> Report:
    before, todo, problems = found.before, found.agenda, []
    ran = _Ran()
    if todo.todo:
        results.check_writable(plan.results)
        order = ordered(todo)
        journal.status.total, journal.status.phase = len(order.cells), "cells"
        journal.show()
        own = engine(plan)
        try:
            ran = _compute(plan, own, order, journal, deadline, on_news)
        finally:
            own.close()
        problems += ran.problems
        todo = agenda(plan, entries.resolve(plan), found.tasks, now=time.time())
    journal.status.phase = "closing"
    journal.show()
    if before is None or not snapshot.is_the_same(todo, before):
        before = _snapshot(plan, todo, before, journal, ran)
    report = closing.close(
        plan, before, found.tasks, problems=problems, on_step=lambda name: on_news(News(f"closing: {name}"))
    )
    if plan.keep:
        history.prune(plan.history, keep=plan.keep)
    return report


def _snapshot(plan: Plan, todo: Agenda, before: history.Night | None, journal: Journal, ran: _Ran) -> history.Night:
    started = journal.status.started
    notes = []
    if before is not None and before.finished > time.time() + _GRACE:
        notes.append(
            f"the clock is {before.finished - time.time():,.0f} s behind the end of night {before.number}; "
            "nights are in the order of their numbers"
        )
    done = snapshot.Done(
        number=before.number + 1 if before else 1,
        started=started,
        finished=time.time(),
        plan=plan.file.name,
        computed=ran.computed,
        failures=ran.failures,
        left=ran.left,
        notes=tuple(notes),
    )
    night = snapshot.build(todo, before, done, history=plan.history)
    history.write(plan.history, night)
    return night


# --- cells -----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class _Ran:
    """How the cells went.

    Attributes:
        left: cells that were not started, or not finished, before the budget ended.
    """

    computed: int = 0
    left: int = 0
    failures: dict[str, str] = dataclasses.field(default_factory=dict)
    problems: list[str] = dataclasses.field(default_factory=list)


def _compute(
    plan: Plan, engine: Engine, order: Ordered, journal: Journal, deadline: float | None, on_news: OnNews
) -> _Ran:
    """Give the cells to the engine: whole ones and shards first, then the cells whose shards are complete."""
    ran, full = _Ran(), _Full()
    cut = _Cut(plan, order.cells)
    # A worker that sees this machine's disk records there itself; from elsewhere the record comes back in the answer.
    folder = plan.results if plan.engine.kind == "local" else None
    work = [
        Work(cell=cell, results=folder, timeout=plan.engine.timeout, shard=shard)
        for cell in order.cells
        for shard in cut.missing(cell)
    ]

    def stop() -> bool:
        return full.disk or (deadline is not None and time.monotonic() >= deadline)

    def outcomes() -> Iterator[Outcome]:
        if work:
            yield from engine.run(work, stop=stop)
        merges = [
            Work(cell=cell, results=folder, timeout=plan.engine.timeout, searched=searched)
            for cell, searched in cut.complete()
        ]
        if merges:
            yield from engine.run(merges, stop=stop)

    finished: set[str] = set()
    left = _Left(order)
    for outcome in outcomes():
        outcome = _taken(outcome, plan, cut)
        journal.take(outcome)
        cell, answer = outcome.work.cell, outcome.answer
        name = str(cell.key)
        if outcome.kind == "done" and answer.trouble:
            ran.failures[name] = answer.reason
            journal.status.failures[name] = answer.reason
            if answer.trouble == "disk" and not full.disk:
                full.disk = True
                ran.problems.append(f"the disk is full: nothing more was started ({answer.reason})")
        elif outcome.kind == "done" and outcome.work.shard is None:
            finished.add(name)
            ran.computed += 1
            cut.forget(cell)
        if outcome.kind == "done":
            journal.status.seconds_left = left.without(cell, deadline)
        on_news(News(_sentence(outcome), outcome, len(finished) + len(ran.failures), len(order.cells)))
    ran.left = len(order.cells) - len(finished | set(ran.failures))
    return ran


class _Full:
    """Whether the disk is."""

    disk = False


class _Cut:
    """The cells whose corpora are searched in shards, and the shards that are done."""

    def __init__(self, plan: Plan, cells: Sequence[Cell]) -> None:
        self._folder = plan.history / SHARDS
        self._shards = {cell.key: shards.cut(cell, plan.engine.shard_documents) for cell in cells}
        self._cells = {cell.key: cell for cell in cells if self._shards[cell.key]}
        self._done: dict[tuple[object, Shard], Searched] = {}
        for key, cell in self._cells.items():
            for shard in self._shards[key]:
                if (known := shards.load(shards.path(self._folder, cell, shard), shard)) is not None:
                    self._done[key, shard] = known

    def missing(self, cell: Cell) -> Sequence[Shard | None]:
        """The shards of a cell to search; `[None]` for one that stays whole."""
        own = self._shards[cell.key]
        return [shard for shard in own if (cell.key, shard) not in self._done] if own else [None]

    def add(self, cell: Cell, searched: Searched) -> None:
        """Keep a shard, on disk too.

        Raises:
            OSError: the disk refuses.
        """
        self._done[cell.key, searched.shard] = searched
        shards.save(shards.path(self._folder, cell, searched.shard), searched)

    def complete(self) -> list[tuple[Cell, tuple[Searched, ...]]]:
        """The cells all of whose shards are searched."""
        return [
            (cell, tuple(self._done[key, shard] for shard in self._shards[key]))
            for key, cell in self._cells.items()
            if all((key, shard) in self._done for shard in self._shards[key])
        ]

    def forget(self, cell: Cell) -> None:
        """The cell is recorded."""
        shards.forget(self._folder, cell, self._shards[cell.key])


def _taken(outcome: Outcome, plan: Plan, cut: _Cut) -> Outcome:
    """What came back is put where it belongs; a disk that refuses makes a failure of it."""
    answer = outcome.answer
    if outcome.kind != "done" or answer.trouble:
        return outcome
    try:
        if answer.delivered is not None:
            deliver(plan.results, answer)
        if answer.searched is not None:
            cut.add(outcome.work.cell, answer.searched)
    except (OSError, RecordError) as err:
        return outcome._replace(answer=Answer(trouble="disk", reason=str(err), seconds=answer.seconds))
    return outcome


def deliver(folder: Path, answer: Answer) -> Path:
    """Record what was computed out of reach of the results folder.

    Raises:
        RecordError: the disk refuses.
    """
    from harness.items import put_items

    own = answer.delivered
    assert own is not None
    path = results.put(folder, own.record, model_meta=own.model_meta)
    record = own.record
    whole = results.get(folder, model=record.model, revision=record.revision, task=record.task, variant=record.variant)
    if own.items:
        put_items(folder, dataclasses.replace(whole or record, path=str(path)), own.items)
    return path


class _Left:
    """How long the rest may take, as far as that is known."""

    def __init__(self, order: Ordered) -> None:
        self._seconds = dict(order.seconds)
        self._unknown = {cell.key for cell in order.cells} - self._seconds.keys()

    def without(self, cell: Cell, deadline: float | None) -> float | None:
        """Seconds, once this cell is done; None where some cell was never timed."""
        self._seconds.pop(cell.key, None)
        self._unknown.discard(cell.key)
        if self._unknown:
            return None
        left = sum(self._seconds.values())
        return left if deadline is None else max(0.0, min(left, deadline - time.monotonic()))


def _sentence(outcome: Outcome) -> str:
    what, answer = str(outcome.work), outcome.answer
    if outcome.kind == "started":
        return f"{what} on {outcome.worker}"
    if answer.trouble:
        return f"{'FAILED' if outcome.kind == 'done' else 'AGAIN'} {what}: {answer.reason}"
    return f"{what}: {answer.seconds:.1f} s"
