"""`harness card`: writing results into model cards, and reading and checking them."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from harness.cli import card_check, card_options, card_publish


def add(commands: Any) -> None:
    """Declare the group."""
    group = commands.add_parser(
        "card",
        help="write, read, check and verify results in model cards",
        description="Write results into model cards (README.md), read them, check them, and measure them again.",
    )
    kinds = group.add_subparsers(title="commands", metavar="COMMAND")
    _add_show(kinds)
    _add_write(kinds)
    card_check.add(kinds)
    card_publish.add(kinds)


def _add_show(kinds: Any) -> None:
    command = kinds.add_parser(
        "show",
        help="print results as a model-index block",
        description="Print a model's results as the `model-index` block of a model card: YAML, with scores times 100.",
    )
    command.add_argument("model", metavar="MODEL[@REVISION]", help="a recorded model")
    card_options.add_selection(command)
    card_options.add_values(command)
    command.set_defaults(do=_show)


def _show(args: argparse.Namespace) -> int:
    from harness import cards

    text, left_out = cards.show(args.model, card_options.options(args))
    card_options.report_left_out(left_out)
    print(text, end="")
    return 0


def _add_write(kinds: Any) -> None:
    command = kinds.add_parser(
        "write",
        help="merge results into a card's front matter",
        description="Merge a model's results into a card. Values that the card has are updated in place, others are "
        "added, and the rest of the file keeps its bytes. A card that does not exist is created.",
    )
    command.add_argument("model", metavar="MODEL[@REVISION]", help="a recorded model")
    command.add_argument("card", metavar="README.md", help="the card")
    card_options.add_selection(command)
    card_options.add_values(command)
    card_options.add_card(command)
    command.add_argument("--dry-run", action="store_true", help="print the changes as a diff and write nothing")
    command.add_argument(
        "--eval-results", action="store_true", help="also write .eval_results/*.yaml files beside the card"
    )
    command.set_defaults(do=_write)


def _write(args: argparse.Namespace) -> int:
    from harness import cards

    if args.eval_results:
        _check_eval_results(args)
    written = cards.write(
        args.model,
        args.card,
        options=card_options.options(args),
        dry_run=args.dry_run,
        **card_options.card_arguments(args),
    )
    card_options.report_left_out(written.left_out)
    if written.other_models:
        print(
            f"harness: other models in the index, not changed: {', '.join(written.other_models)} (see --entry)",
            file=sys.stderr,
        )
    if args.dry_run:
        print(written.diff, end="")
        return 0
    if args.eval_results:
        _write_eval_results(args)
    added, changed, unchanged, pruned = written.counts
    print(
        f"{args.card}: {added} added, {changed} changed, {unchanged} unchanged"
        + (f", {pruned} pruned" if pruned else "")
    )
    return 0


def _check_eval_results(args: argparse.Namespace) -> None:
    """Raise the errors of the evaluation results before the card is written."""
    from harness.cards import eval_results

    eval_results.files(args.model, card_options.options(args))


def _write_eval_results(args: argparse.Namespace) -> None:
    from pathlib import Path

    from harness.cards import eval_results

    changed, left_out = eval_results.write(args.model, Path(args.card).parent, options=card_options.options(args))
    card_options.report_left_out(left_out)
    for path in changed:
        print(path)
