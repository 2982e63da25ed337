"""`harness history` and `harness diff`: what nights recorded, and what changed between two of them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import shared_options
from harness.errors import HarnessError, UnknownName

if TYPE_CHECKING:
    from harness.nightly.history.snapshot_files import Night, NightCell


def add(commands: Any) -> None:
    """Declare both commands."""
    command = commands.add_parser(
        "history",
        help="a model's scores, night by night",
        description="What a model scored in every night of `harness nightly`, and at which commit.",
    )
    command.add_argument("model", metavar="MODEL", help="as nights name it; see harness nightly --plan")
    command.add_argument(
        "-t", "--tasks", type=shared_options.names, action="extend", metavar="TASK,...", help="these only"
    )
    _add_folder(command)
    command.set_defaults(do=do_history)

    command = commands.add_parser(
        "diff",
        help="two nights: what changed in scores, and in the world",
        description="What changed from one night to another: scores, and what they were measured with (model commit, "
        "data, versions, device, precision). Nights are named by number (12), date (2026-01-31), or `latest` and "
        "`previous`.",
    )
    command.add_argument("before", metavar="NIGHT", nargs="?", default="previous", help="default: previous")
    command.add_argument("after", metavar="NIGHT", nargs="?", default="latest", help="default: latest")
    _add_folder(command)
    command.set_defaults(do=do_diff)


def _add_folder(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--history", metavar="DIR", help="the nights' folder (default: $HARNESS_HISTORY, else ./history)"
    )
    shared_options.add_json(command)


def do_history(args: argparse.Namespace) -> int:
    """A row for every night."""
    from harness.nightly.history import snapshot_files

    nights = [snapshot_files.read(path) for path in snapshot_files.nights(_folder(args)).values()]
    cells = [(night, _cells(night, args.model)) for night in nights]
    if not any(own for _, own in cells):
        known = dict.fromkeys(cell.label for night in reversed(nights) for cell in night.cells)
        raise UnknownName.of("model in these nights", args.model, known)
    tasks = list(dict.fromkeys(cell.task for _, own in cells for cell in own))
    for name in args.tasks or ():
        if name not in tasks:
            raise UnknownName.of(f"task of {args.model} in these nights", name, tasks)
    wanted = args.tasks or tasks
    rows = [_row(night, variant, own, wanted) for night, every in cells for variant, own in _by_variant(every).items()]
    if args.json:
        shared_options.print_json(rows)
        return 0
    from harness.outputs import text_table

    shown_tasks = wanted if args.tasks or len(wanted) <= 6 else []
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
    """Markdown, or JSON."""
    from harness.nightly.history import changes, report, snapshot_files

    folder = _folder(args)
    found = changes.diff(snapshot_files.find(folder, args.before), snapshot_files.find(folder, args.after))
    if args.json:
        shared_options.print_json(report.diff_json(found))
    else:
        print(report.render_diff(found), end="")
    return 0


def _folder(args: argparse.Namespace) -> Path:
    folder = Path(args.history or os.environ.get("HARNESS_HISTORY") or "history").expanduser()
    if not folder.is_dir():
        raise HarnessError(f"no folder of nights {folder}; run `harness nightly` first, or name it with --history")
    return folder


def _cells(night: Night, model: str) -> list[NightCell]:
    return [cell for cell in night.cells if cell.label == model]


def _by_variant(cells: list[NightCell]) -> dict[str, list[NightCell]]:
    found: dict[str, list[NightCell]] = {}
    for cell in cells:
        found.setdefault(cell.variant, []).append(cell)
    return found


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
    return "" if value is None else f"{value:.4f}"
