"""The steps after a snapshot: report, site, branch, hub, hooks. A step is recorded as done once it is done.

If a night is killed between these steps, or cannot reach the hub, the next night does the remaining ones. So every
alert is sent and everything is published in the end.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from harness.errors import HarnessError
from harness.files import atomic, kept
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


class CompletedSteps(msgspec.Struct):
    """The steps that are done for a night."""

    night: int = 0
    done: list[str] = []


class StepOutcome(NamedTuple):
    """What a step published, and what went wrong; either may be empty."""

    published: str = ""
    problem: str = ""


def steps(schedule: Schedule) -> list[str]:
    """The steps of the schedule, in order."""
    publish = schedule.publish
    targets = {
        "site": schedule.site is not None,
        "git": publish.branch,
        "dataset": publish.dataset,
        "space": publish.space,
    }
    return [
        *(name for name, target in targets.items() if target),
        *(f"hook {number}" for number in range(len(schedule.notify))),
    ]


def is_complete(schedule: Schedule, night: Night) -> bool:
    """Whether all steps of the night are done."""
    completed = _read(schedule.history)
    is_done = completed.night == night.number and set(steps(schedule)) <= set(completed.done)
    return is_done and not _lacks_site(schedule)


def close(
    schedule: Schedule,
    night: Night,
    tasks: Sequence[tuple[TaskSpec, tuple[Part, ...]]],
    *,
    problems: Sequence[str],
    on_step: Callable[[str], None],
) -> Report:
    """Do the remaining steps of the newest night.

    Args:
        schedule: the schedule.
        night: the snapshot, which is on disk already.
        tasks: of the schedule.
        problems: the problems of the night so far.
        on_step: called with the name of every step when it begins.
    """
    before = _before(schedule.history, night.number)
    report = Report(
        night=night,
        alerts=alerts.alerts_of(before, night, rules=schedule.alerts, history=schedule.history),
        diff=diff(before, night) if before is not None else None,
        problems=tuple(problems),
        seconds=night.finished - night.started,
    )
    completed = _read(schedule.history)
    if completed.night != night.number:
        completed = CompletedSteps(night=night.number)
    done = [name for name in completed.done if name != "site" or not _lacks_site(schedule)]
    for name in steps(schedule):
        if name in done:
            continue
        on_step(name)
        files = write(schedule, report)
        try:
            outcome = _step(name, schedule, report, tasks, files)
        except HarnessError as err:
            outcome = StepOutcome(problem=f"{name}: {err}")
        if outcome.problem:
            report = dataclasses.replace(report, problems=(*report.problems, outcome.problem))
            continue
        if outcome.published:
            report = dataclasses.replace(report, published=(*report.published, outcome.published))
        completed.done.append(name)
        _save(schedule.history, completed)
    if not steps(schedule):
        _save(schedule.history, completed)
    write(schedule, report)
    return report


def write(schedule: Schedule, report: Report) -> hooks.ReportFiles:
    """Write the report beside the snapshots.

    Raises:
        HarnessError: a file cannot be written.
    """
    assert report.night is not None
    folder = schedule.history / snapshot_files.REPORTS
    files = hooks.ReportFiles(folder / f"{report.night.number:05}.json", folder / f"{report.night.number:05}.md")
    with on_disk(folder, "written"):
        folder.mkdir(parents=True, exist_ok=True)
    atomic.write_output(files.json, reports.as_json(report))
    atomic.write_output(files.markdown, reports.render(report))
    return files


def _step(
    name: str,
    schedule: Schedule,
    report: Report,
    tasks: Sequence[tuple[TaskSpec, tuple[Part, ...]]],
    files: hooks.ReportFiles,
) -> StepOutcome:
    assert report.night is not None
    message = f"Nightly {report.night.number}: {reports.sentence(report).partition(': ')[2]}"
    if name == "site":
        return StepOutcome(published=f"site {destinations.site(schedule, tasks)}")
    if name == "git":
        return StepOutcome(published=destinations.branch(schedule, message))
    if name in ("dataset", "space"):
        return StepOutcome(published=destinations.to_hub(schedule, space=name == "space", message=message))
    hook = schedule.notify[int(name.rpartition(" ")[2])]
    if not hooks.applies(hook, report):
        return StepOutcome()
    return StepOutcome(problem=hooks.call(hook, report, schedule=schedule, files=files))


def _before(folder: Path, number: int) -> Night | None:
    earlier = [path for at, path in snapshot_files.nights(folder).items() if at < number]
    return snapshot_files.read(earlier[-1]) if earlier else None


def _read(folder: Path) -> CompletedSteps:
    """The steps that are done; none where the file is missing or damaged: a step that is done twice does no harm."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        content = kept.without_digest((folder / FILE).read_bytes()) if (folder / FILE).is_file() else None
        if content is not None:
            return msgspec.json.decode(content, type=CompletedSteps)
    return CompletedSteps()


def _lacks_site(schedule: Schedule) -> bool:
    """Whether the schedule has a site whose pages are missing."""
    return schedule.site is not None and not (schedule.site / "site.json").is_file()


def _save(folder: Path, completed: CompletedSteps) -> None:
    """Write the completed steps; if that fails, steps are repeated, which does no harm."""
    with contextlib.suppress(OSError):
        atomic.write(folder / FILE, kept.with_digest(msgspec.json.encode(completed)))
