"""One night from start to end: cells -> engine -> snapshot -> alerts, pages, branch, hub, hooks."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from typing import NamedTuple

from harness import results
from harness.errors import HANDLING, kind_of
from harness.nightly import night_state
from harness.nightly.cell_work import CellsRun, News, OnNews, compute
from harness.nightly.engines.protocol import Engine
from harness.nightly.history import new_snapshot, snapshot_files
from harness.nightly.history import report as reports
from harness.nightly.history.report import Report
from harness.nightly.night_state import Journal
from harness.nightly.publish import closing_steps, hooks
from harness.nightly.schedule import schedule_models
from harness.nightly.schedule.cell_order import ordered
from harness.nightly.schedule.night_plan import NightPlan, plan_night, tasks_of
from harness.nightly.schedule.schedule_contents import Schedule
from harness.nightly.schedule.schedule_models import ScheduledModel
from harness.tasks.registry import ChosenTask

_RAISED = frozenset({"request", "defect"})
"""Kinds of errors that are raised once the hooks are told; after others the next night goes on where this one ended."""


class PlannedNight(NamedTuple):
    """What a night is about to do.

    Attributes:
        tasks: the tasks of the schedule, each with its parts.
        models: looked up once for the whole night; a commit made during the night is measured the next night.
        plan: the cells to compute and the recorded cells.
        before: the snapshot of the last night; None where there is none.
    """

    tasks: list[ChosenTask]
    models: tuple[ScheduledModel, ...]
    plan: NightPlan
    before: snapshot_files.Night | None


def planned(schedule: Schedule) -> PlannedNight:
    """Plan the next night. Opens no model and writes nothing.

    Raises:
        HarnessError: a task, a suite or the last snapshot cannot be read.
    """
    tasks, models = tasks_of(schedule), schedule_models.resolve(schedule)
    plan = plan_night(schedule, models, tasks, now=time.time())
    return PlannedNight(tasks, models, plan, snapshot_files.last(schedule.history))


def run(
    schedule: Schedule,
    *,
    until: float | None = None,
    engine: Callable[[Schedule], Engine] | None = None,
    on_news: OnNews = lambda news: None,
) -> Report:
    """Run one night.

    Args:
        schedule: what to do.
        until: seconds from now after which no cell is started; the schedule's budget applies too.
        engine: makes the engine; by default the one that the schedule names.
        on_news: called on every step.

    Raises:
        AlreadyRunning: another night uses the results or the history.
        HarnessError: the schedule cannot be run at all; nothing was computed. The hooks are told; so they are of a full
            disk and whatever else ends a night, of which the report then tells.
    """
    started, clock = time.time(), time.monotonic()
    journal = Journal(schedule, started=started)
    try:
        with night_state.only_one(schedule):
            report = _night(schedule, journal, until, engine or engine_of, on_news)
    except night_state.AlreadyRunning:
        raise
    except Exception as err:
        told = hooks.tell_of_early_end(schedule, str(err) or type(err).__name__)
        ends_well = kind_of(err) not in _RAISED
        status = told.status if ends_well else HANDLING[kind_of(err)].exit_status
        journal.finish(exit=status, message=reports.sentence(told))
        if not ends_well:
            raise
        return dataclasses.replace(told, seconds=time.monotonic() - clock)
    except BaseException as err:
        journal.finish(exit=130, message=str(err) or type(err).__name__)
        raise
    report = dataclasses.replace(report, seconds=time.monotonic() - clock)
    if not report.nothing_to_do:
        journal.finish(exit=report.status, message=reports.sentence(report))
    return report


def _night(
    schedule: Schedule,
    journal: Journal,
    until: float | None,
    engine: Callable[[Schedule], Engine],
    on_news: OnNews,
) -> Report:
    """A night that runs alone; the caller holds the lock."""
    limits = [limit for limit in (schedule.budget, until) if limit is not None]
    deadline = time.monotonic() + min(limits) if limits else None
    tasks, models, plan, before = planned(schedule)
    if before is not None and new_snapshot.is_the_same(plan, before) and closing_steps.is_complete(schedule, before):
        return Report(night=before, nothing_to_do=True)
    journal.open_log(before.number + 1 if before else 1)
    ran = CellsRun()
    if plan.todo:
        results.check_writable(schedule.results)
        order = ordered(plan)
        journal.status.total, journal.status.phase = len(order.cells), "cells"
        journal.show()
        with contextlib.closing(engine(schedule)) as cell_engine:
            ran = compute(schedule, cell_engine, order, journal, deadline, on_news)
        plan = plan_night(schedule, models, tasks, now=time.time())
    journal.status.phase = "closing"
    journal.show()
    if before is None or not new_snapshot.is_the_same(plan, before):
        before = new_snapshot.build(schedule, plan, before, ran, started=journal.status.started)
        snapshot_files.write(schedule.history, before)
    report = closing_steps.close(
        schedule, before, tasks, problems=ran.problems, on_step=lambda name: on_news(News(f"closing: {name}"))
    )
    if schedule.keep:
        snapshot_files.prune(schedule.history, keep=schedule.keep)
    return report


def engine_of(schedule: Schedule) -> Engine:
    """The engine that the schedule names.

    Raises:
        HarnessError: Ray is not installed, or there is no cluster at the address.
    """
    logs = schedule.history / night_state.LOGS
    if schedule.engine.kind == "ray":
        from harness.nightly.engines.ray_cluster import RayEngine

        return RayEngine(schedule.engine)
    from harness.nightly.engines.local import LocalEngine

    return LocalEngine(schedule.engine, logs=logs)
