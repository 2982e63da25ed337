"""What follows a snapshot: reports, site, branch, hub, hooks. Each step is noted when it is done.

A night that is killed in the middle of these, or whose hub is lost, leaves the rest to the next one, so that no alert
is forgotten and nothing stays unpublished.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness.errors import HarnessError
from harness.files import atomic
from harness.files.disk_errors import on_disk
from harness.nightly.history import alerts, snapshot_files
from harness.nightly.history import report as reports
from harness.nightly.history.changes import diff
from harness.nightly.history.report import Report
from harness.nightly.history.snapshot_files import Night
from harness.nightly.publish import destinations, hooks
from harness.nightly.schedule.schedule_contents import Schedule
from harness.types import Part, TaskSpec

FILE = "closing.json"


class Steps(msgspec.Struct):
    """Which steps are done for which night."""

    night: int = 0
    done: list[str] = []


def steps(schedule: Schedule) -> list[str]:
    """The steps that the schedule asks for, in order."""
    own = schedule.publish
    wanted = {"site": schedule.site is not None, "git": own.branch, "dataset": own.dataset, "space": own.space}
    return [
        *(name for name, given in wanted.items() if given),
        *(f"hook {number}" for number in range(len(schedule.notify))),
    ]


def is_complete(schedule: Schedule, night: Night) -> bool:
    """Whether nothing is left to do for the night."""
    known = _read(schedule.history)
    site_lost = schedule.site is not None and not (schedule.site / "site.json").is_file()
    return known.night == night.number and set(steps(schedule)) <= set(known.done) and not site_lost


def close(
    schedule: Schedule,
    night: Night,
    tasks: Sequence[tuple[TaskSpec, tuple[Part, ...]]],
    *,
    problems: Sequence[str],
    on_step: Callable[[str], None],
) -> Report:
    """Do what is left to do for the newest night.

    Args:
        schedule: the schedule.
        night: the snapshot, on disk already.
        tasks: of the schedule.
        problems: what has gone wrong so far.
        on_step: called with the name of every step that begins.
    """
    before = _before(schedule.history, night.number)
    report = Report(
        night=night,
        alerts=alerts.found(before, night, rules=schedule.alerts, history=schedule.history),
        diff=diff(before, night) if before is not None else None,
        problems=tuple(problems),
        seconds=night.finished - night.started,
    )
    known = _read(schedule.history)
    if known.night != night.number:
        known = Steps(night=night.number)
    redo_site = schedule.site is not None and not (schedule.site / "site.json").is_file()
    for name in steps(schedule):
        if name in known.done and not (name == "site" and redo_site):
            continue
        on_step(name)
        place = write(schedule, report)
        try:
            said, wrong = _step(name, schedule, report, tasks, place)
        except HarnessError as err:
            said, wrong = "", f"{name}: {err}"
        if wrong:
            report = dataclasses.replace(report, problems=(*report.problems, wrong))
            continue
        report = dataclasses.replace(report, published=(*report.published, said)) if said else report
        known.done.append(name)
        with contextlib.suppress(OSError):  # then the step is done once more, which does no harm
            atomic.write(schedule.history / FILE, msgspec.json.encode(known))
    if not steps(schedule):
        with contextlib.suppress(OSError):
            atomic.write(schedule.history / FILE, msgspec.json.encode(known))
    write(schedule, report)
    return report


def write(schedule: Schedule, report: Report) -> hooks.Files:
    """Write the report beside the snapshots.

    Raises:
        HarnessError: the disk refuses.
    """
    assert report.night is not None
    folder = schedule.history / snapshot_files.REPORTS
    made = hooks.Files(folder / f"{report.night.number:05}.json", folder / f"{report.night.number:05}.md")
    with on_disk(folder, "written"):
        folder.mkdir(parents=True, exist_ok=True)
    atomic.write_output(made.json, reports.as_json(report))
    atomic.write_output(made.markdown, reports.render(report))
    return made


def _step(
    name: str,
    schedule: Schedule,
    report: Report,
    tasks: Sequence[tuple[TaskSpec, tuple[Part, ...]]],
    place: hooks.Files,
) -> tuple[str, str]:
    """What was published, and what went wrong; either may be empty."""
    assert report.night is not None
    message = f"Nightly {report.night.number}: {reports.sentence(report).partition(': ')[2]}"
    if name == "site":
        return f"site {destinations.site(schedule, tasks)}", ""
    if name == "git":
        return destinations.branch(schedule, message), ""
    if name in ("dataset", "space"):
        return destinations.to_hub(schedule, space=name == "space", message=message), ""
    hook = schedule.notify[int(name.rpartition(" ")[2])]
    return "", hooks.tell(hook, report, schedule=schedule, files=place) if hooks.is_wanted(hook, report) else ""


def _before(folder: Path, number: int) -> Night | None:
    earlier = [path for at, path in snapshot_files.nights(folder).items() if at < number]
    return snapshot_files.read(earlier[-1]) if earlier else None


def _read(folder: Path) -> Steps:
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Steps)
    except (OSError, msgspec.DecodeError):
        return Steps()
