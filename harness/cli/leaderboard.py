"""`harness leaderboard`: recorded models ranked, as a table, data or a site."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import shared_options
from harness.cli.process_variables import default_variables
from harness.errors import HarnessError
from harness.types.counted import counted

if TYPE_CHECKING:
    from harness.leaderboard.api import Scope
    from harness.leaderboard.board_values import Leaderboard

FORMATS = ("table", "markdown", "csv", "json", "parquet", "html")
"""The formats of `outputs.leaderboard_text`, repeated because `harness --help` must not import numpy (tested)."""
MOST_REFUSALS = 20


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "leaderboard",
        help="rank recorded models, with intervals; or write a site",
        description="Rank recorded models as mteb's leaderboard does (Borda rank, Mean (Task), Mean (TaskType), a mean "
        "per type), with 95% intervals and tie groups. Reads your results, a clone of the public results repository, "
        "or both. Files that have not changed since the last time are not read again.",
    )
    command.add_argument("models", nargs="*", metavar="MODEL", help="models to rank (default: every recorded model)")
    add_scope(command)
    command.add_argument(
        "--variants", action="store_true", help="add rows for variants, such as other precisions and lengths"
    )
    command.add_argument("--revisions", action="store_true", help="add a row for every revision of a model")
    command.add_argument("--common", action="store_true", help="rank over the tasks that every one of the models has")
    command.add_argument("--sort", metavar="COLUMN", help="sort by this column or task (default: Rank (Borda))")
    command.add_argument("--show-tasks", action="store_true", help="add a column for every task")
    command.add_argument(
        "--wide", action="store_true", help="on a terminal, show all columns and not only those that fit"
    )
    command.add_argument("--format", choices=FORMATS, default="table", help="output format (default: table)")
    shared_options.add(command, "--digits")
    command.add_argument("--output", metavar="FILE", help="write to this file instead of printing")
    command.add_argument(
        "--site", metavar="DIR", help="write a site of static pages to this folder instead of printing"
    )
    add_results(command)
    command.set_defaults(do=do)


def add_scope(command: argparse.ArgumentParser) -> None:
    """`-t`, `--suite`, `--tasks-dir`, `--types`, `--languages`, `--splits`, `--exclude`."""
    shared_options.add(command, *shared_options.TASKS, "--types")
    shared_options.add(command, "--languages", help="only parts in these languages (de, deu-Latn)")
    shared_options.add(command, "--splits")
    command.add_argument("--exclude", type=shared_options.names, metavar="TASK,...", help="leave these tasks out")


def add_results(command: argparse.ArgumentParser) -> None:
    """`--results`, for several folders."""
    shared_options.add(
        command,
        "--results",
        action="append",
        help="a results folder (default: $HARNESS_RESULTS, else ./results); repeat the option for more folders; of "
        "equal records the first folder's counts",
    )


# Starting the threads of the linear algebra library takes longer than all the sums of a leaderboard.
@default_variables(OPENBLAS_NUM_THREADS="1")
def do(args: argparse.Namespace) -> int:
    """Rank the recorded models and print or write the board."""
    if args.format == "parquet" and not args.output and not args.site:
        raise HarnessError("--format parquet is not text; name a file with --output FILE")
    from harness.files.atomic import write_output
    from harness.leaderboard.api import ranked
    from harness.leaderboard.uncertainty import with_uncertainty
    from harness.outputs import leaderboard_text

    board = with_uncertainty(
        ranked(
            scope_of(args),
            models=args.models or None,
            **shared_options.given(args, "variants", "revisions", "common"),
        )
    )
    report(board)
    if args.site:
        from harness.outputs import site

        written = site.write(board, Path(args.site))
        print(f"{counted(written.pages, 'page')} in {args.site}; open {Path(args.site) / 'index.html'}")
        return 0
    if args.format == "parquet":
        content: str | bytes = leaderboard_text.parquet(board, sort=args.sort)
    else:
        shown = not args.output and sys.stdout.isatty()
        content = leaderboard_text.render(
            board,
            format=args.format,
            sort=args.sort,
            digits=args.digits,
            tasks=args.show_tasks,
            width=shutil.get_terminal_size().columns if shown and not args.wide else None,
        )
    if args.output:
        write_output(Path(args.output), content)
        print(f"wrote {args.output}")
    else:
        print(content, end="")
    return 0


def scope_of(args: argparse.Namespace) -> Scope:
    """The results folders and tasks that the options name."""
    from harness.leaderboard.api import Scope
    from harness.leaderboard.counted_tasks import Filters

    return Scope(
        results=args.results or (None,),
        tasks=args.tasks or (),
        suite=args.suite,
        filters=Filters(**shared_options.given(args, *Filters._fields)),
        tasks_dirs=args.tasks_dirs,
    )


def report(board: Leaderboard) -> None:
    """Print on stderr what was left out, with reasons, and what the reader had to decide."""
    for remark in board.remarks[:MOST_REFUSALS]:
        print(f"harness: {remark.path}: {remark.remark}", file=sys.stderr)
    if len(board.remarks) > MOST_REFUSALS:
        more = len(board.remarks) - MOST_REFUSALS
        print(f"harness: {counted(more, 'more remark')} about files; --format json lists all of them", file=sys.stderr)
    for refusal in board.refused[:MOST_REFUSALS]:
        print(f"harness: left out {refusal.path}: {refusal.reason}", file=sys.stderr)
    if len(board.refused) > MOST_REFUSALS:
        more = len(board.refused) - MOST_REFUSALS
        print(f"harness: left out {counted(more, 'more file')}; --format json lists all of them", file=sys.stderr)
    if board.variants_left_out:
        print(f"harness: left out {counted(board.variants_left_out, 'variant')}; --variants adds them", file=sys.stderr)
