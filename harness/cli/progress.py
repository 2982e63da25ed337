"""The progress of a run on stderr: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.cli import standard_output
from harness.cli.report_text import refusal_text
from harness.files import log_lines
from harness.outputs.number_text import score_text
from harness.types.counted import counted

if TYPE_CHECKING:
    from harness.runner.events import Event


def show(events: Iterator[Event], *, total: int, quiet: bool) -> list[Event]:
    """Drain `events`, telling about each; they are returned for the final report."""
    if quiet:
        return list(events)
    if sys.stderr.isatty():
        return _live(events, total=total)
    return _lines(events, total=total)


def _lines(events: Iterator[Event], *, total: int) -> list[Event]:
    seen, done = [], 0
    started = time.monotonic()
    for event in events:
        seen.append(event)
        text = _line(event)
        if event.kind == "refused":
            done += len(event.cells.todo)
            text = "" if is_repeated(seen) else text
        if event.kind in ("recorded", "failed"):
            done += 1
            text = f"[{done}/{total} {time.monotonic() - started:.0f}s] {text}"
        if text:
            print(text, file=sys.stderr, flush=True)
    return seen


def _live(events: Iterator[Event], *, total: int) -> list[Event]:
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
    console = Console(file=standard_output.terminal(sys.stderr))

    def shown(text: str) -> str:
        return escape(standard_output.printable(text))

    with (
        Progress(*columns, console=console, transient=True) as progress,
        log_lines.passed_on(lambda line: console.print(shown(line), highlight=False)),
    ):
        bar = progress.add_task("starting", total=total)
        for event in events:
            seen.append(event)
            if event.kind == "open" and _remarks(event):
                progress.console.print(shown(_line(event)), highlight=False)
            if event.kind in ("load", "encode", "open"):
                where = f"{event.cells.task.name} {event.part}" if event.part else event.cells.model.name
                progress.update(bar, description=f"{event.kind} {shown(where)}")
            elif event.kind == "refused":
                if not is_repeated(seen):
                    progress.console.print(shown(_line(event)), highlight=False)
                progress.advance(bar, len(event.cells.todo))
            elif event.kind != "inapplicable":
                progress.console.print(shown(_line(event)), highlight=False)
                progress.advance(bar, 0 if event.kind == "kept" else 1)
    return seen


def is_repeated(seen: list[Event]) -> bool:
    """Whether an event before the last one has told of the same failure."""
    return any(event.failure == seen[-1].failure for event in seen[:-1])


def _line(event: Event) -> str:
    cells = event.cells
    what = f"{cells.model.name} {cells.task.name}"
    if event.kind == "open":
        remarks = _remarks(event)
        return f"opening {cells.model.name}" + (f" ({remarks})" if remarks else "")
    if event.kind == "kept":
        share = f" ({len(cells.done)} of {counted(len(cells.done) + len(cells.todo), 'part')})" if cells.todo else ""
        return f"kept {what}{share}: recorded with the same fingerprint"
    if event.kind == "recorded" and event.record is not None and event.part is not None:
        score = score_text(event.record.parts[event.part]["main_score"])
        return f"{what} {event.part}: {cells.task.main_metric} {score}"
    if event.kind == "failed" and event.failure is not None:
        return f"FAILED {event.failure.cell}: {event.failure.error}"
    if event.kind == "refused" and event.failure is not None:
        return f"harness: {refusal_text(event.failure)}"
    return ""


def _remarks(event: Event) -> str:
    """What a user must know about the model that is being opened; mostly nothing."""
    from harness import models

    cells = event.cells
    return "; ".join(filter(None, (cells.model.note, models.remark(cells.model, cells.options))))
