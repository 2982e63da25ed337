"""`harness nightly`: one night of the schedule, its plan, its check and its status."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import nightly_files, shared_options
from harness.errors import HarnessError
from harness.outputs.number_text import difference_text
from harness.types.counted import counted

if TYPE_CHECKING:
    from harness.nightly.cell_work import News
    from harness.nightly.history.report import Report
    from harness.nightly.night import PlannedNight
    from harness.nightly.night_state import Status
    from harness.nightly.schedule.schedule_contents import Schedule

DEFAULT = "nightly.yaml"


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "nightly",
        usage="harness nightly [SCHEDULE] [options] | harness nightly status [SCHEDULE] | "
        "harness nightly init [FILE] | harness nightly install [FILE] [--systemd | --cron]",
        help="keep a leaderboard up to date from a schedule, and report what got worse",
        description="Compute what has changed since the last night, save a snapshot, publish it, and raise an alert if "
        "something got worse. `status` shows the night that is running, or the last one. `init` writes a schedule to "
        "start from, with a GitHub workflow, a cron line and a systemd timer. `install` shows the timer or the cron "
        "line, asks, and puts it in place.",
        epilog="Exit status: 0 success; 1 some cell or step failed and is tried again the next night; 2 the schedule "
        "is wrong, or another night is running; 3 an alert: something got worse; 130 interrupted.",
    )
    command.add_argument(
        "words",
        nargs="*",
        metavar="SCHEDULE",
        help=f"the schedule file (default: {DEFAULT}), after `status`, `init` or `install` if given",
    )
    command.add_argument("--check", action="store_true", help="only check the schedule: names, models, folders, tools")
    command.add_argument("--plan", action="store_true", help="only print what would run, why, and how long it may take")
    command.add_argument("--until", metavar="HH:MM", help="start no cell after this time of day")
    command.add_argument("--engine", choices=("local", "ray"), help="engine to use instead of the schedule's")
    command.add_argument(
        "--address", metavar="ADDRESS", help="address of the Ray cluster; auto: the one running on this machine"
    )
    shared_options.add(command, "--offline")
    command.add_argument("--quiet", action="store_true", help="print no progress")
    command.add_argument("--force", action="store_true", help="init: replace files that exist")
    way = command.add_mutually_exclusive_group()
    way.add_argument("--systemd", dest="way", action="store_const", const="systemd", help="install: as a timer")
    way.add_argument("--cron", dest="way", action="store_const", const="cron", help="install: as a line of the crontab")
    command.add_argument("--yes", action="store_true", help="install: without asking")
    shared_options.add(command, "--json")
    command.set_defaults(do=do)


def do(args: argparse.Namespace) -> int:
    """Run a night, or show its plan, check or status."""
    words = list(args.words)
    mode = words.pop(0) if words[:1] in (["status"], ["init"], ["install"]) else ""
    if len(words) > 1:
        raise HarnessError(f"expected one schedule file, found {' '.join(words)}")
    file = Path(words[0] if words else DEFAULT)
    if mode == "init":
        return nightly_files.init(file, force=args.force)
    if mode == "install":
        return nightly_files.install(file, args)
    schedule = _read(file, args)
    if mode == "status":
        return _status(schedule, as_json=args.json)
    if args.check:
        return _check(schedule)
    if args.plan:
        return _plan(schedule, as_json=args.json)
    return _run(schedule, args)


def _read(file: Path, args: argparse.Namespace) -> Schedule:
    from dataclasses import replace

    from harness.nightly.schedule import schedule_file

    if not file.is_file():
        raise HarnessError(f"{file}: no such schedule; `harness nightly init {file}` writes one to start from")
    schedule = schedule_file.read(file)
    engine = schedule.engine
    if args.engine:
        engine = replace(engine, kind=args.engine)
    if args.address:
        if engine.kind != "ray":
            raise HarnessError("--address is the address of a Ray cluster; add --engine ray")
        engine = replace(engine, address=args.address)
    return replace(schedule, engine=engine)


# --- run -------------------------------------------------------------------------------------------------------------


def _run(schedule: Schedule, args: argparse.Namespace) -> int:
    from harness.nightly import night
    from harness.nightly.history import report

    until = _seconds_until(args.until) if args.until else None
    quiet = args.quiet or args.json
    night_report = night.run(schedule, until=until, on_news=(lambda news: None) if quiet else _print_news)
    if args.json:
        print(report.as_json(night_report), end="")
    else:
        _print_report(night_report, schedule)
    _append_to_job_page(night_report)
    return night_report.status


def _print_news(news: News) -> None:
    if news.outcome is None or news.outcome.kind != "started":
        count = f"[{news.done}/{news.total}] " if news.outcome else ""
        print(f"{count}{news.text}", file=sys.stderr, flush=True)


def _print_report(night_report: Report, schedule: Schedule) -> None:
    from harness.nightly.history import report

    print(f"{report.sentence(night_report)} in {night_report.seconds:.1f} s")
    if night_report.nothing_to_do or night_report.night is None:
        return
    for alert in night_report.alerts.alerts:
        print(report.alert_line(alert))
    for drop in night_report.alerts.untested:
        print(f"LOWER {drop.model} {drop.task}: {difference_text(drop.difference)}, not tested: {drop.why}")
    for name, why in night_report.night.failures.items():
        print(f"FAILED {name}: {why}")
    for problem in night_report.problems:
        print(f"PROBLEM {problem}")
    for place in night_report.published:
        print(place)
    print(f"report: {schedule.history / 'reports' / f'{night_report.night.number:05}.md'}")


def _append_to_job_page(night_report: Report) -> None:
    """Append the report to the job's page of GitHub Actions, if there is one."""
    from harness.nightly.history import report

    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if page and not night_report.nothing_to_do:
        try:
            with Path(page).open("a", encoding="utf-8") as file:
                file.write(report.render(night_report) + "\n")
        except OSError as err:
            print(f"harness: {page}: cannot be written: {err.strerror or err}", file=sys.stderr)


def _seconds_until(clock: str) -> float:
    """Seconds from now until the local time is next `HH:MM`."""
    from datetime import datetime, timedelta

    try:
        hour, minute = (int(part) for part in clock.split(":"))
        now = datetime.now().astimezone()
        today = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    except ValueError:
        raise HarnessError(f"--until {clock!r}: expected a time of day such as 06:00") from None
    return ((today if today > now else today + timedelta(days=1)) - now).total_seconds()


# --- look ------------------------------------------------------------------------------------------------------------


def _check(schedule: Schedule) -> int:
    from harness.nightly.schedule import schedule_check, schedule_models

    models = schedule_models.resolve(schedule)
    problems = schedule_check.problems(schedule, models)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print(f"harness: {schedule.file.name}: {counted(len(problems), 'problem')}", file=sys.stderr)
        return 2
    print(f"{schedule.file.name}: {schedule_check.summary(schedule, models)}")
    return 0


def _plan(schedule: Schedule, *, as_json: bool) -> int:
    from harness.nightly import night
    from harness.nightly.schedule.cell_order import ordered
    from harness.types import model_label

    tonight = night.planned(schedule)
    order = ordered(tonight.plan)
    rows = [
        {
            "model": model_label(cell.label, cell.variant),
            "task": cell.task.name,
            "part": str(cell.part),
            "why": cell.why,
            "seconds": order.seconds.get(cell.key),
        }
        for cell in order.cells
    ]
    if as_json:
        failed = {model.label: model.problem for model in tonight.plan.problems}
        shared_options.print_json({"cells": rows, "recorded": len(tonight.plan.recorded), "unresolved": failed})
        return 0
    _print_plan(rows, tonight, schedule)
    return 0


def _print_plan(rows: list[dict[str, Any]], tonight: PlannedNight, schedule: Schedule) -> None:
    from harness.outputs import text_table

    shown = [
        {**row, "seconds": "?" if row["seconds"] is None else f"{row['seconds']:,.1f}", "why": _cut(row["why"])}
        for row in rows
    ]
    if shown:
        print(text_table.plain_records(shown, right=[4]))
    for model in tonight.plan.problems:
        print(f"not resolved: {model.label}: {model.problem}")
    forecasts = [row["seconds"] for row in rows if row["seconds"] is not None]
    unknown = len(rows) - len(forecasts)
    print(
        f"{counted(len(rows), 'cell')} to run, {len(tonight.plan.recorded)} recorded"
        + (f": about {sum(forecasts):,.0f} s, estimated from records" if forecasts else "")
        + (f"; {unknown} of unknown duration" if unknown else "")
        + (f"; the budget is {schedule.budget:,.0f} s" if schedule.budget else "")
    )


def _cut(text: str, *, most: int = 80) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _status(schedule: Schedule, *, as_json: bool) -> int:
    from harness.nightly import night_state
    from harness.nightly.history import snapshot_files

    status, running = night_state.read_status(schedule.history), night_state.is_running(schedule.history)
    night = snapshot_files.last(schedule.history)
    if as_json:
        from msgspec import to_builtins

        current = None if status is None else to_builtins(status)
        summary = None if night is None else {"night": night.number, "cells": len(night.cells)}
        shared_options.print_json({"running": running, "status": current, "last": summary})
        return 0
    if status is None:
        print(f"no night in {schedule.history} yet; run: harness nightly {schedule.file.name}")
        return 0
    _print_status(status, running=running)
    if night is not None:
        failed = f", {len(night.failures)} failed" if night.failures else ""
        left = f", {night.left} left for the next night" if night.left else ""
        print(f"last night: {night.name}, {counted(len(night.cells), 'cell')}, {night.computed} computed{failed}{left}")
    return 0


def _print_status(status: Status, *, running: bool) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(status.started))
    if not running:
        if status.finished is None:
            print(f"no night is running; the one of {since} (process {status.pid}) was killed; the next one resumes it")
        else:
            ended = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(status.finished))
            print(f"no night is running; the last one ended {ended} with status {status.exit}: {status.message}")
    else:
        left = f", about {status.seconds_left:,.0f} s left" if status.seconds_left is not None else ""
        print(f"running since {since} (process {status.pid}): {status.phase}, {status.done} of {status.total}{left}")
        for worker, (what, began) in status.running.items():
            print(f"  {worker}: {what}, for {max(0.0, time.time() - began):.0f} s")
    for name, why in status.failures.items():
        print(f"  FAILED {name}: {why}")
