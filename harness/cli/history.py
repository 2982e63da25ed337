"""`harness history` and `harness diff`: the scores of nights, and the changes between two nights."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import shared_options
from harness.errors import HarnessError, UnknownName
from harness.files.folders import expanded
from harness.outputs.number_text import score_text

if TYPE_CHECKING:
    from harness.nightly.history.snapshot_files import Night, NightCell
    from harness.results.asked_names import RecordedName


def add(commands: Any) -> None:
    """Declare both commands."""
    command = commands.add_parser(
        "history",
        help="show a model's scores, night by night",
        description="Show what a model scored in every night of `harness nightly`, and at which commit.",
    )
    command.add_argument("model", metavar="MODEL", help="its name in the reports, or one that harness run takes")
    shared_options.add(command, "--tasks", help="only these tasks")
    _add_folder(command)
    shared_options.add(command, "--results")
    command.set_defaults(do=do_history)

    command = commands.add_parser(
        "diff",
        help="show what changed between two nights",
        description="Show what changed between two nights: scores, and what they were measured with (model commit, "
        "data, versions, device, precision). A night is named by its number (12), its date (2026-01-31), `latest` "
        "or `previous`.",
    )
    command.add_argument(
        "before", metavar="NIGHT", nargs="?", default="previous", help="the earlier night (default: previous)"
    )
    command.add_argument(
        "after", metavar="NIGHT", nargs="?", default="latest", help="the later night (default: latest)"
    )
    _add_folder(command)
    command.set_defaults(do=do_diff)


def _add_folder(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--history", metavar="DIR", help="folder with the nights (default: $HARNESS_HISTORY, else ./history)"
    )
    shared_options.add(command, "--json")


def do_history(args: argparse.Namespace) -> int:
    """Print a row for every night."""
    from harness.files.folders import results_folder
    from harness.nightly.history import snapshot_files
    from harness.results.asked_names import recorded_name

    nights = [snapshot_files.read(path) for path in snapshot_files.nights(_folder(args)).values()]
    labels: dict[str, set[str]] = {}
    for cell in (cell for night in nights for cell in night.cells):
        labels.setdefault(cell.label, set()).add(cell.revision)
    asked = recorded_name(args.model, labels, folders=[results_folder(args.results)], what="model in these nights")
    cells = [(night, _cells(night, asked)) for night in nights]
    tasks = list(dict.fromkeys(cell.task for _, model_cells in cells for cell in model_cells))
    UnknownName.refuse(f"task of {asked.name} in these nights", args.tasks, tasks)
    tasks = args.tasks or tasks
    rows = [
        _row(night, variant, variant_cells, tasks)
        for night, model_cells in cells
        for variant, variant_cells in _by_variant(model_cells).items()
    ]
    if args.json:
        shared_options.print_json(rows)
        return 0
    from harness.outputs import text_table

    shown_tasks = tasks if args.tasks or len(tasks) <= 6 else []
    header = ["night", "date", "variant", "commit", "cells", "mean", *shown_tasks]
    table = [
        [
            *(row["night"], row["date"], row["variant"], ", ".join(commit[:10] for commit in row["commits"])),
            *(row["cells"], _score(row["mean"]), *(_score(row["scores"].get(task)) for task in shown_tasks)),
        ]
        for row in rows
    ]
    if not any(row["variant"] for row in rows):
        header, table = [*header[:2], *header[3:]], [[*line[:2], *line[3:]] for line in table]
    print(text_table.plain(header, table), end="")
    return 0


def do_diff(args: argparse.Namespace) -> int:
    """Print the changes as Markdown or JSON."""
    from harness.nightly.history import changes, report, snapshot_files

    folder = _folder(args)
    night_diff = changes.diff(snapshot_files.find(folder, args.before), snapshot_files.find(folder, args.after))
    if args.json:
        shared_options.print_json(report.diff_json(night_diff))
    else:
        print(report.render_diff(night_diff), end="")
    return 0


def _folder(args: argparse.Namespace) -> Path:
    folder = expanded(args.history or os.environ.get("HARNESS_HISTORY") or "history")
    if not folder.is_dir():
        raise HarnessError(
            f"{folder}: no such folder of nights; run `harness nightly` first, or name the folder with --history"
        )
    return folder


def _cells(night: Night, model: RecordedName) -> list[NightCell]:
    return [cell for cell in night.cells if model.covers(cell.label, cell.revision)]


def _by_variant(cells: list[NightCell]) -> dict[str, list[NightCell]]:
    by_variant: dict[str, list[NightCell]] = {}
    for cell in cells:
        by_variant.setdefault(cell.variant, []).append(cell)
    return by_variant


def _row(night: Night, variant: str, cells: list[NightCell], tasks: list[str]) -> dict[str, Any]:
    from harness.nightly.history.snapshot_files import day

    by_task: dict[str, list[float]] = {}
    for cell in cells:
        if cell.task in tasks:
            by_task.setdefault(cell.task, []).append(cell.score)
    scores = {task: sum(values) / len(values) for task, values in by_task.items()}
    return {
        "night": night.number,
        "date": day(night.started),
        "variant": variant,
        "commits": list(dict.fromkeys(cell.revision for cell in cells)),
        "cells": len(cells),
        "mean": sum(scores.values()) / len(scores) if scores else None,
        "scores": scores,
        "stale": sorted({cell.task for cell in cells if cell.stale}),
    }


def _score(value: float | None) -> str:
    return "" if value is None else score_text(value)
