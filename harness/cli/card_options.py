"""The options that several subcommands of `harness card` share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from harness.cli import shared_options
from harness.errors import UnknownName


def add_selection(command: argparse.ArgumentParser) -> None:
    """Declare the options of every subcommand that reads records."""
    shared_options.add(command, *shared_options.TASKS, "--results")
    command.add_argument(
        "--names",
        choices=("v1", "v2"),
        help="write metric names of mteb 2 (v2: cosine_spearman) or mteb 1 (v1: cos_sim_spearman); the default is that "
        "of the card, else v2; metrics that the card already has are renamed only if this option is given",
    )


def add_values(command: argparse.ArgumentParser) -> None:
    """`--metrics`, `--digits`."""
    command.add_argument(
        "--metrics",
        type=_metrics,
        default="main",
        metavar="main|all|NAME,...",
        help="the main metric of each task (main, the default), all metrics, or these",
    )
    command.add_argument(
        "--digits", type=_digits, default=None, metavar="N|full", help="decimals of the values (default: full)"
    )


def options(args: argparse.Namespace) -> Any:
    """The shared options as `cards.CardOptions`."""
    from harness.cards import CardOptions
    from harness.files.folders import existing_results

    return CardOptions(
        results=existing_results(args.results),
        tasks=args.tasks,
        suite=args.suite,
        tasks_dirs=args.tasks_dirs,
        metrics=getattr(args, "metrics", "main"),
        names=args.names,
        digits=getattr(args, "digits", None),
    )


def report_left_out(left_out: Sequence[Any]) -> None:
    """Print on stderr the tasks that are not on the card, with reasons."""
    for task, reason in left_out:
        print(f"harness: left out {task}: {reason}", file=sys.stderr)


def add_card(command: argparse.ArgumentParser) -> None:
    """Declare the options of merging: `--entry`, `--table`, `--compare`, `--prune`."""
    command.add_argument(
        "--entry",
        metavar="NAME",
        help="the model's name in the card's index (default: its name without the organisation)",
    )
    command.add_argument(
        "--table",
        nargs="?",
        const="scores",
        choices=("scores", "similarity"),
        help="also write a table in the card's text: main scores (default), or the similarity report of STS tasks",
    )
    command.add_argument(
        "--compare",
        type=shared_options.names,
        default=[],
        metavar="MODEL,...",
        help="more recorded models for the table",
    )
    command.add_argument(
        "--prune",
        action="store_true",
        help="remove results that the harness wrote and that are no longer recorded; keep all others",
    )


def card_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """The options of merging as keyword arguments of `cards.write`."""
    if args.compare and not args.table:
        raise UnknownName("--compare adds models to the table; add --table, or leave out --compare")
    return {"entry": args.entry, "table": args.table, "compare": args.compare, "prune": args.prune}


def _metrics(value: str) -> str | list[str]:
    return value if value in ("main", "all") else shared_options.names(value)


def _digits(value: str) -> int | None:
    if value == "full":
        return None
    if not value.isascii() or not value.isdigit() or int(value) > 20:
        raise argparse.ArgumentTypeError(f"found {value!r}; expected a whole number from 0 to 20, or full")
    return int(value)
