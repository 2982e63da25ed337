"""The options that several subcommands of `harness card` share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from harness.cli import shared_options
from harness.errors import UnknownName


def add_selection(command: argparse.ArgumentParser) -> None:
    """The options of every subcommand that reads records."""
    shared_options.add_tasks(command)
    shared_options.add_results(command)
    command.add_argument(
        "--names",
        choices=("v1", "v2"),
        help="metric names: v2 (default), or v1 as cards had them until 2024 (cos_sim_spearman); a result that stands "
        "on the card keeps its name unless this is given",
    )


def add_values(command: argparse.ArgumentParser) -> None:
    """`--metrics`, `--digits`."""
    command.add_argument(
        "--metrics", type=_metrics, default="main", metavar="main|all|NAME,...", help="which metrics (default: main)"
    )
    command.add_argument(
        "--digits", type=_digits, default=None, metavar="N|full", help="decimals of the values (default: full)"
    )


def options(args: argparse.Namespace) -> Any:
    """The shared options as `cards.CardOptions`."""
    from harness.cards import CardOptions
    from harness.files.folders import results_folder

    folder = results_folder(args.results)
    if not folder.is_dir():
        raise UnknownName(f"no results folder {folder}; run `harness run` first, or name one with --results")
    return CardOptions(
        results=folder,
        tasks=args.tasks,
        suite=args.suite,
        tasks_dirs=args.tasks_dir,
        metrics=getattr(args, "metrics", "main"),
        names=args.names,
        digits=getattr(args, "digits", None),
    )


def say_left_out(left_out: Sequence[Any]) -> None:
    """On stderr: what is recorded, or was asked for, and is not on the card."""
    for task, reason in left_out:
        print(f"harness: left out {task}: {reason}", file=sys.stderr)


def add_card(command: argparse.ArgumentParser) -> None:
    """The options of merging: `--entry`, `--table`, `--compare`, `--prune`."""
    command.add_argument(
        "--entry", metavar="NAME", help="the model's name in the card's index (default: without its organisation)"
    )
    command.add_argument(
        "--table",
        nargs="?",
        const="scores",
        choices=("scores", "similarity"),
        help="keep a table in the card's text, too: main scores, or the similarity report of STS tasks",
    )
    command.add_argument(
        "--compare",
        type=shared_options.names,
        default=[],
        metavar="MODEL,...",
        help="further recorded models of the table",
    )
    command.add_argument(
        "--prune",
        action="store_true",
        help="take out results of our tasks, data and commits that are no longer recorded; others stay",
    )


def card_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """The options of merging as keyword arguments of `cards.write`."""
    if args.compare and not args.table:
        raise UnknownName("--compare names models of the table; add --table")
    return {"entry": args.entry, "table": args.table, "compare": args.compare, "prune": args.prune}


def _metrics(value: str) -> str | list[str]:
    return value if value in ("main", "all") else shared_options.names(value)


def _digits(value: str) -> int | None:
    if value == "full":
        return None
    if not value.isascii() or not value.isdigit() or int(value) > 20:
        raise argparse.ArgumentTypeError(f"found {value!r}; expected a whole number from 0 to 20, or full")
    return int(value)
