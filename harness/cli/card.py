"""`harness card`: results into model cards and out of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from harness.cli import arguments, card_check
from harness.errors import UnknownName


def add(commands: Any) -> None:
    """Declare the group."""
    group = commands.add_parser(
        "card",
        help="write results into model cards, read, check and verify them",
        description="Results in model cards (README.md): write, read, check, and measure again.",
    )
    kinds = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_show(kinds)
    _add_write(kinds)
    card_check.add(kinds)


def add_selection(command: argparse.ArgumentParser) -> None:
    """The options of every subcommand that reads records."""
    arguments.add_tasks(command)
    arguments.add_results(command)
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
    """The shared options as `cards.Options`."""
    from harness.cards import Options
    from harness.plan import results_folder

    folder = results_folder(args.results)
    if not folder.is_dir():
        raise UnknownName(f"no results folder {folder}; run `harness run` first, or name one with --results")
    return Options(
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


def _add_show(kinds: Any) -> None:
    command = kinds.add_parser(
        "show",
        help="print the model-index block",
        description="Print a model's results as the `model-index` block of a model card: YAML, values times 100.",
    )
    command.add_argument("model", metavar="MODEL[@REVISION]", help="a recorded model")
    add_selection(command)
    add_values(command)
    command.set_defaults(do=_show)


def _show(args: argparse.Namespace) -> int:
    from harness import cards

    text, left_out = cards.show(args.model, options(args))
    say_left_out(left_out)
    print(text, end="")
    return 0


def _add_write(kinds: Any) -> None:
    command = kinds.add_parser(
        "write",
        help="merge results into a card's front matter",
        description="Merge a model's results into a card. Values that stand on the card are updated in place, others "
        "are added; everything else keeps its bytes. A card that does not exist is made.",
    )
    command.add_argument("model", metavar="MODEL[@REVISION]", help="a recorded model")
    command.add_argument("card", metavar="README.md")
    add_selection(command)
    add_values(command)
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
        "--compare", type=arguments.names, default=[], metavar="MODEL,...", help="further recorded models of the table"
    )
    command.add_argument(
        "--prune",
        action="store_true",
        help="take out results of our tasks, data and commits that are no longer recorded; others stay",
    )
    command.add_argument("--dry-run", action="store_true", help="print the change as a diff; write nothing")
    command.set_defaults(do=_write)


def _write(args: argparse.Namespace) -> int:
    from harness import cards

    if args.compare and not args.table:
        raise UnknownName("--compare names models of the table; add --table")
    written = cards.write(
        args.model,
        args.card,
        options(args),
        entry=args.entry,
        table=args.table,
        compare=args.compare,
        prune=args.prune,
        dry_run=args.dry_run,
    )
    say_left_out(written.left_out)
    if written.beside:
        print(f"harness: left alone in the index: {', '.join(written.beside)} (see --entry)", file=sys.stderr)
    if args.dry_run:
        print(written.diff, end="")
        return 0
    added, changed, kept, pruned = written.changes
    print(f"{args.card}: {added} added, {changed} changed, {kept} unchanged" + (f", {pruned} pruned" if pruned else ""))
    return 0


def _metrics(value: str) -> str | list[str]:
    return value if value in ("main", "all") else arguments.names(value)


def _digits(value: str) -> int | None:
    if value == "full":
        return None
    if not value.isascii() or not value.isdigit() or int(value) > 20:
        raise argparse.ArgumentTypeError(f"found {value!r}; expected a whole number from 0 to 20, or full")
    return int(value)
