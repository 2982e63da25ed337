"""What `harness run` prints at its end: scores, failures and costs, or all of it as JSON."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import shared_options
from harness.outputs.number_text import score_text
from harness.types.counted import counted, listed

if TYPE_CHECKING:
    from harness.errors import Failure
    from harness.runner.events import Event

_NAMED = 3
"""How many parts are named beside a note."""


def tell(events: list[Event], results: Path, *, seconds: float, as_json: bool, similarity: bool) -> None:
    """Print the outcome of a run that took `seconds`; tracebacks go to a log file."""
    log = _log(list(dict.fromkeys(event.failure for event in events if event.failure)))
    if as_json:
        final = ("kept", "recorded", "failed", "refused", "inapplicable")
        cells = [_cell(event) for event in events if event.kind in final]
        shared_options.print_json({"results": str(results), "cells": cells})
        return
    _report(events, results, seconds, log)
    if similarity:
        _report_similarity(events)


def _cell(event: Event) -> dict[str, Any]:
    cells = event.cells
    cell: dict[str, Any] = {
        "model": cells.model.name,
        "revision": cells.model.revision,
        "variant": cells.variant,
        "task": cells.task.name,
        "type": cells.task.type,
        "status": event.kind,
    }
    if event.part:
        cell |= {"split": event.part.split, "subset": event.part.subset}
    if event.record is not None:
        cell["record"] = event.record.path
        cell["main_metric"] = cells.task.main_metric
        parts = event.record.parts
        measured = [event.part] if event.part else cells.done
        cell["scores"] = {str(part): parts[part]["main_score"] for part in measured}
        if notes := [note for _, note in _notes(event)]:
            cell["notes"] = list(dict.fromkeys(notes))
    if event.failure:
        cell["error"] = event.failure.error
    if event.message:
        cell["reason"] = event.message
    return cell


def _report(events: list[Event], results: Path, seconds: float, log: Path | None) -> None:
    from harness.outputs import text_table

    rows = []
    for event in events:
        if event.record is None or event.kind not in ("kept", "recorded"):
            continue
        for part in [event.part] if event.part else event.cells.done:
            entry = event.record.parts[part]
            details = event.record.harness.get("parts", {}).get(str(part), {})
            took = sum(details.get("seconds", {}).values())
            rows.append(
                [
                    event.cells.model_label,
                    event.cells.task.name,
                    event.cells.task.type,
                    str(part),
                    event.cells.task.main_metric,
                    score_text(entry["main_score"]),
                    f"{took:.1f}" if event.kind == "recorded" else "kept",
                ]
            )
    headers = ["model", "task", "type", "split", "main metric", "score", "seconds"]
    if len({row[0] for row in rows}) == 1:
        print(f"model: {rows[0][0]}\n")
        headers, rows = headers[1:], [row[1:] for row in rows]
    if rows:
        print(text_table.plain(headers, rows, right=[len(headers) - 2, len(headers) - 1]), end="")
    kinds = [event.kind for event in events]
    _report_notes(events)
    _report_inapplicable(events)
    failures = [event.failure for event in events if event.kind == "failed" and event.failure]
    for failure in failures:
        print(f"FAILED {failure.cell}: {failure.error}")
    left_out = _left_out(events)
    for failure, count in left_out.items():
        print(f"FAILED {refusal_text(failure)}; left out {counted(count, 'cell')}")
    if log is not None:
        print(f"tracebacks: {log}")
    _report_costs(events)
    kept = sum(len(event.cells.done) for event in events if event.kind == "kept")
    print(
        f"\n{kinds.count('recorded')} computed, {kept} already recorded, {len(failures) + left_out.total()} failed "
        f"in {seconds:.1f} s; records in {results}"
    )


def _notes(event: Event) -> Iterator[tuple[str, str]]:
    """(part, note) of the parts that an event is about: what a reader of their scores should know."""
    if event.record is None:
        return
    details = event.record.harness.get("parts", {})
    for part in [event.part] if event.part else event.cells.done:
        of_part = details.get(str(part), {})
        for note in (*of_part.get("notes", ()), *of_part.get("defects", ())):
            yield str(part), note


def _report_notes(events: list[Event]) -> None:
    """Print each note once, with the parts that it is about."""
    places: dict[str, dict[str, None]] = {}
    for event in events:
        for part, note in _notes(event):
            places.setdefault(note, {})[f"{event.cells.task.name} {part}"] = None
    for note, cells in places.items():
        print(f"note: {listed(list(cells), most=_NAMED)}: {note}")


def refusal_text(failure: Failure) -> str:
    """Why a model could not be opened, with its name."""
    return failure.error if failure.error.startswith("model ") else f"model {failure.cell}: {failure.error}"


def _left_out(events: list[Event]) -> Counter[Failure]:
    """Why a model could not be opened -> how many cells are left out for that."""
    left_out: Counter[Failure] = Counter()
    for event in events:
        if event.kind == "refused" and event.failure:
            left_out[event.failure] += len(event.cells.todo)
    return left_out


def _report_costs(events: list[Event]) -> None:
    from harness.outputs import run_costs

    by_model: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if event.kind == "recorded" and event.record is not None:
            by_model.setdefault(event.cells.model_label, []).append(event.record.harness["parts"][str(event.part)])
    if by_model:
        print()
    for model, parts in by_model.items():
        print(f"{model}: {run_costs.line(parts)}")


def _report_similarity(events: list[Event]) -> None:
    from harness.evaluators import KINDS
    from harness.outputs import trainer_report as similarity

    columns: dict[str, list[similarity.ModelScores]] = {}
    for event in events:
        if event.record is None or not KINDS[event.cells.task.type].similarity_report:
            continue
        for part in [event.part] if event.part else event.cells.done:
            column = similarity.ModelScores(model=event.cells.model_label, scores=event.record.parts[part])
            columns.setdefault(f"{event.cells.task.name} {part}", []).append(column)
    for title, group in columns.items():
        print("\n" + similarity.render(title, group), end="")


def _report_inapplicable(events: list[Event]) -> None:
    left_out: dict[str, set[str]] = {}
    for event in events:
        if event.kind == "inapplicable":
            left_out.setdefault(f"{event.cells.model.name}: {event.message}", set()).add(event.cells.task.name)
    for reason, names in left_out.items():
        print(f"\n{reason}; left out {counted(len(names), 'task')}")


def _log(failures: list[Failure]) -> Path | None:
    traces = [f"{failure.cell}\n{failure.traceback}" for failure in failures if failure.traceback]
    if not traces:
        return None
    from harness.files.folders import cache_folder

    folder = cache_folder() / "logs"
    path = folder / f"run-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(traces), encoding="utf-8")
    except OSError:
        print("\n".join(traces), file=sys.stderr)
        return None
    return path
