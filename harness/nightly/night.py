"""The straight line of a night: cells -> engine -> snapshot -> alerts, pages, branch, hub, hooks."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import NamedTuple

from harness import results
from harness.errors import HANDLING, kind_of
from harness.nightly import night_state
from harness.nightly.cell_work import News, OnNews, Ran, compute
from harness.nightly.engines.protocol import Engine
from harness.nightly.history import new_snapshot, snapshot_files
from harness.nightly.history import report as reports
from harness.nightly.history.report import Report
from harness.nightly.night_state import Journal
from harness.nightly.publish import closing_steps
from harness.nightly.schedule import schedule_models
from harness.nightly.schedule.cell_order import ordered
from harness.nightly.schedule.night_plan import NightPlan, plan_night, tasks_of
from harness.nightly.schedule.schedule_file import Plan
from harness.nightly.schedule.schedule_models import Entry
from harness.runner.selection import ChosenTask

_GRACE = 5.0
"""Seconds by which a clock may be behind the last night before that is worth a word."""


class Planned(NamedTuple):
    """A night before it begins."""

    tasks: list[ChosenTask]
    entries: tuple[Entry, ...]
    cells: NightPlan
    before: snapshot_files.Night | None


def planned(plan: Plan) -> Planned:
    """What the night would do. Opens no model and writes nothing.

    Raises:
        HarnessError: a task, a suite or the last snapshot cannot be read.
    """
    tasks, entries = tasks_of(plan), schedule_models.resolve(plan)
    cells = plan_night(plan, entries, tasks, now=time.time())
    return Planned(tasks, entries, cells, snapshot_files.last(plan.history))


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
    with night_state.only_one(plan):
        found = planned(plan)
        before = found.before
        if (
            before is not None
            and new_snapshot.is_the_same(found.cells, before)
            and closing_steps.is_complete(plan, before)
        ):
            return Report(night=before, nothing_to_do=True, seconds=time.monotonic() - clock)
        journal = Journal(plan, number=before.number + 1 if before else 1, started=started)
        try:
            report = _night(plan, found, journal, deadline, engine or engine_of, on_news)
        except BaseException as err:
            status = HANDLING[kind_of(err)].exit_status if isinstance(err, Exception) else 130
            journal.finish(exit=status, message=str(err) or type(err).__name__)
            raise
        report = dataclasses.replace(report, seconds=time.monotonic() - clock)
        journal.finish(exit=report.status, message=reports.sentence(report))
    return report


def engine_of(plan: Plan) -> Engine:
    """The engine that the plan names.

    Raises:
        HarnessError: Ray is not installed, or there is no cluster.
    """
    logs = plan.history / night_state.LOGS
    if plan.engine.kind == "ray":
        from harness.nightly.engines.ray_cluster import RayEngine

        return RayEngine(plan.engine)
    from harness.nightly.engines.local import LocalEngine

    return LocalEngine(plan.engine, logs=logs)


def _night(
    plan: Plan,
    found: Planned,
    journal: Journal,
    deadline: float | None,
    engine: Callable[[Plan], Engine],
    on_news: OnNews,
) -> Report:
    before, todo, problems = found.before, found.cells, []
    ran = Ran()
    if todo.todo:
        results.check_writable(plan.results)
        order = ordered(todo)
        journal.status.total, journal.status.phase = len(order.cells), "cells"
        journal.show()
        own = engine(plan)
        try:
            ran = compute(plan, own, order, journal, deadline, on_news)
        finally:
            own.close()
        problems += ran.problems
        todo = plan_night(plan, found.entries, found.tasks, now=time.time())
    journal.status.phase = "closing"
    journal.show()
    if before is None or not new_snapshot.is_the_same(todo, before):
        before = _snapshot(plan, todo, before, journal, ran)
    report = closing_steps.close(
        plan, before, found.tasks, problems=problems, on_step=lambda name: on_news(News(f"closing: {name}"))
    )
    if plan.keep:
        snapshot_files.prune(plan.history, keep=plan.keep)
    return report


def _snapshot(
    plan: Plan, todo: NightPlan, before: snapshot_files.Night | None, journal: Journal, ran: Ran
) -> snapshot_files.Night:
    started = journal.status.started
    notes = []
    if before is not None and before.finished > time.time() + _GRACE:
        notes.append(
            f"the clock is {before.finished - time.time():,.0f} s behind the end of night {before.number}; "
            "nights are in the order of their numbers"
        )
    done = new_snapshot.Done(
        number=before.number + 1 if before else 1,
        started=started,
        finished=time.time(),
        plan=plan.file.name,
        computed=ran.computed,
        failures=ran.failures,
        left=ran.left,
        notes=tuple(notes),
    )
    night = new_snapshot.build(todo, before, done, history=plan.history)
    snapshot_files.write(plan.history, night)
    return night
