"""`harness leaderboard`."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import shared_options
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.leaderboard.board import Leaderboard
    from harness.leaderboard.counted_tasks import ScopedTask
    from harness.leaderboard.file_index import Index

FORMATS = ("table", "markdown", "csv", "json", "parquet", "html")
"""Those of `outputs.leaderboard_text`, named here because `harness --help` must not load numpy; a test compares."""
MOST_REFUSALS = 20


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "leaderboard",
        help="rank recorded models, with intervals; write a site",
        description="Rank recorded models as mteb's leaderboard does (Borda rank, Mean (Task), Mean (TaskType), a mean "
        "per type), with 95% intervals and tie groups. Reads your own results, a clone of the public results "
        "repository, or both; what has not changed since the last time is not read again.",
    )
    command.add_argument("models", nargs="*", metavar="MODEL", help="default: every recorded model")
    add_scope(command)
    command.add_argument("--variants", action="store_true", help="rows for other precisions and lengths too")
    command.add_argument("--revisions", action="store_true", help="a row for every revision of a model")
    command.add_argument("--sort", metavar="COLUMN", help="a column or a task (default: Rank (Borda))")
    command.add_argument("--show-tasks", action="store_true", help="a column for every task")
    command.add_argument("--format", choices=FORMATS, default="table")
    command.add_argument("--digits", type=shared_options.positive, default=4, metavar="N", help="decimals (default 4)")
    command.add_argument("--output", metavar="FILE", help="write there instead of printing")
    command.add_argument("--site", metavar="DIR", help="write a site of static pages there, and print nothing else")
    add_results(command)
    command.set_defaults(do=do)


def add_scope(command: argparse.ArgumentParser) -> None:
    """`-t`, `--suite`, `--tasks-dir`, `--types`, `--languages`, `--splits`, `--exclude`."""
    shared_options.add_tasks(command)
    command.add_argument("--types", type=shared_options.names, metavar="TYPE,...", help="only tasks of these types")
    command.add_argument(
        "--languages",
        type=shared_options.names,
        metavar="LANG,...",
        help="only parts in these languages (de, deu-Latn)",
    )
    command.add_argument("--splits", type=shared_options.names, metavar="SPLIT,...", help="only these splits")
    command.add_argument("--exclude", type=shared_options.names, metavar="TASK,...", help="leave these tasks out")


def add_results(command: argparse.ArgumentParser) -> None:
    """`--results`, for several folders."""
    command.add_argument(
        "--results",
        action="append",
        metavar="DIR",
        help="a results folder; give it again for more, the first one counts where two hold the same "
        "(default: $HARNESS_RESULTS, else ./results)",
    )


def do(args: argparse.Namespace) -> int:
    """Read, rank, render."""
    if args.format == "parquet" and not args.output and not args.site:
        raise HarnessError("--format parquet is not text; name a file with --output FILE")
    # One short pass over many small objects: searching them for cycles would cost a third of the time.
    gc.disable()
    # Said before numpy is loaded: starting threads takes longer than all the sums of a leaderboard.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from harness.files.atomic import write_output
    from harness.leaderboard.uncertainty import with_uncertainty
    from harness.outputs import leaderboard_text

    board = with_uncertainty(ranked(args, models=args.models, variants=args.variants, revisions=args.revisions))
    _report(board)
    if args.site:
        from harness.outputs import site

        written = site.write(board, Path(args.site))
        print(f"{written.pages} pages in {args.site}; open {Path(args.site) / 'index.html'}")
        return 0
    if args.format == "parquet":
        content: str | bytes = leaderboard_text.parquet(board, sort=args.sort)
    else:
        content = leaderboard_text.render(
            board, format=args.format, sort=args.sort, digits=args.digits, tasks=args.show_tasks
        )
    if args.output:
        write_output(Path(args.output), content)
        print(f"wrote {args.output}")
    else:
        print(content, end="")
    return 0


def ranked(
    args: argparse.Namespace, *, models: Sequence[str] = (), variants: bool = False, revisions: bool = False
) -> Leaderboard:
    """The leaderboard of the results folders and tasks that the options name."""
    from harness.leaderboard import board

    indices = _indices(args.results)
    tasks, title = _scope(args, indices)
    return board.build(indices, tasks, title=title, models=models or None, variants=variants, revisions=revisions)


def _indices(folders: Sequence[str] | None) -> list[Index]:
    from harness.files.folders import results_folder
    from harness.leaderboard import file_index as index
    from harness.leaderboard import model_folders as places

    named = [results_folder(folder) for folder in folders or (None,)]
    for folder in named:
        if not folder.is_dir():
            raise HarnessError(f"no results folder {folder}; run `harness run` first, or name one with --results")
    return [index.read(places.results_root(folder)) for folder in named]


def _scope(args: argparse.Namespace, indices: Sequence[Index]) -> tuple[tuple[ScopedTask, ...], str]:
    from harness.leaderboard import board, counted_tasks
    from harness.tasks import registry

    known = registry.get_tasks(args.tasks_dir)
    tasks: list[ScopedTask] = []
    if args.suite:
        tasks += counted_tasks.of_suite(known, args.suite)
    if args.tasks or not args.suite:
        recorded = board.recorded_tasks(indices)
        names = args.tasks or list(recorded)
        if not names:
            folders = ", ".join(str(index.root) for index in indices)
            raise HarnessError(f"no record in {folders}; run `harness run` first, or name a folder with --results")
        tasks += [
            task
            for task in counted_tasks.of_names(known, names, recorded=recorded)
            if task.name not in {member.name for member in tasks}
        ]
    filters = counted_tasks.Filters(
        types=args.types, languages=args.languages, splits=args.splits, exclude=args.exclude
    )
    return counted_tasks.filtered(tasks, filters), args.suite or "All recorded tasks"


def _report(board: Leaderboard) -> None:
    """What was left out, and why, on standard error."""
    for refusal in board.refused[:MOST_REFUSALS]:
        print(f"harness: left out {refusal.path}: {refusal.reason}", file=sys.stderr)
    if len(board.refused) > MOST_REFUSALS:
        more = len(board.refused) - MOST_REFUSALS
        print(f"harness: left out {more} more files; --format json lists them all", file=sys.stderr)
    if board.variants_left_out:
        print(f"harness: left out {board.variants_left_out} variants; --variants shows them", file=sys.stderr)
