"""What a run tells while it runs: a live line on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.runner.events import Event
    from harness.runner.plan import Job


def show(events: Iterator[Event], jobs: Sequence[Job], *, quiet: bool) -> list[Event]:
    """Drain `events`, telling about each; they are returned for the final report."""
    if quiet:
        return list(events)
    if sys.stderr.isatty():
        return _live(events, jobs)
    return _lines(events, jobs)


def _lines(events: Iterator[Event], jobs: Sequence[Job]) -> list[Event]:
    seen, total, done = [], _total(jobs), 0
    started = time.monotonic()
    for event in events:
        seen.append(event)
        text = _line(event)
        if event.kind in ("recorded", "failed"):
            done += 1
            text = f"[{done}/{total} {time.monotonic() - started:.0f}s] {text}"
        if text:
            print(text, file=sys.stderr, flush=True)
    return seen


def _live(events: Iterator[Event], jobs: Sequence[Job]) -> list[Event]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    seen = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("starting", total=_total(jobs))
        for event in events:
            seen.append(event)
            if event.kind in ("load", "encode", "score", "open"):
                where = f"{event.job.task.name} {event.part}" if event.part else event.job.model.name
                progress.update(bar, description=f"{event.kind} {escape(where)}")
            elif event.kind != "inapplicable":
                progress.console.print(escape(_line(event)), highlight=False)
                progress.advance(bar, 0 if event.kind == "kept" else 1)
    return seen


def _total(jobs: Sequence[Job]) -> int:
    return sum(len(job.todo) for job in jobs if job.applies)


def _line(event: Event) -> str:
    job = event.job
    what = f"{job.model.name} {job.task.name}"
    if event.kind == "open":
        return f"opening {job.model.name}" + (f" ({job.model.note})" if job.model.note else "")
    if event.kind == "kept":
        share = f" ({len(job.done)} of {len(job.done) + len(job.todo)} parts)" if job.todo else ""
        return f"kept {what}{share}: recorded with the same fingerprint"
    if event.kind == "recorded" and event.record is not None and event.part is not None:
        return f"{what} {event.part}: {job.task.main_metric} {event.record.parts[event.part]['main_score']:.4f}"
    if event.kind == "failed" and event.failure is not None:
        return f"FAILED {event.failure.cell}: {event.failure.error}"
    return ""
