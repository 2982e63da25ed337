"""`harness compare`: two recorded models, task by task."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from harness.cli import leaderboard, shared_options
from harness.errors import HarnessError
from harness.outputs.number_text import difference_text
from harness.outputs.text_table import one_line

if TYPE_CHECKING:
    from harness.evaluators.paired_items import PartItems
    from harness.leaderboard.comparison import Comparison
    from harness.types import Loaded


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "compare",
        help="compare recorded models: difference, interval, p and verdict per task",
        description="Compare recorded models on the tasks that all of them have: the difference, its 95% interval, p "
        "with Holm's correction and a verdict per task, and over all tasks. Tests need the items that `harness run` "
        "records beside its results; without them the tasks alone are compared.",
    )
    command.add_argument("a", metavar="A", help="a recorded model, by a name that harness run takes or its label")
    command.add_argument("b", metavar="B", help="another recorded model")
    command.add_argument("more", nargs="*", metavar="MODEL", help="further models; each pair is compared")
    leaderboard.add_scope(command)
    command.add_argument(
        "--items",
        type=shared_options.positive,
        metavar="N",
        help="also show the N items on which each model is better, with their texts",
    )
    shared_options.add(command, "--digits", "--json")
    leaderboard.add_results(command)
    command.set_defaults(do=do)


def do(args: argparse.Namespace) -> int:
    """Print the comparison."""
    from harness.leaderboard.api import compared
    from harness.leaderboard.pairwise import PairwiseComparison
    from harness.outputs import comparison_text, pairwise_text

    if args.more and args.items:
        raise HarnessError("--items: shows the items of two models; leave the others out")
    comparison = compared((args.a, args.b, *args.more), leaderboard.scope_of(args))
    if isinstance(comparison, PairwiseComparison):
        if args.json:
            shared_options.print_json(pairwise_text.as_json(comparison))
        else:
            print(pairwise_text.render(comparison, digits=args.digits), end="")
        return 0
    if args.json:
        shared_options.print_json(comparison_text.as_json(comparison))
        return 0
    print(comparison_text.render(comparison, digits=args.digits), end="")
    if args.items:
        _print_items(comparison, args)
    return 0


def _print_items(comparison: Comparison, args: argparse.Namespace) -> None:
    part_items = [items for items in comparison.items if items.a.unit != "experiment"]
    if not part_items:
        print("\nNo items with texts are recorded for both models.", file=sys.stderr)
        return
    for items in part_items:
        gaps = items.a.merit() - items.b.merit()
        loaded = _load(items, args)
        for name, chosen in (("A", (-gaps).argsort(kind="stable")), ("B", gaps.argsort(kind="stable"))):
            better = [at for at in chosen[: args.items].tolist() if (gaps[at] > 0 if name == "A" else gaps[at] < 0)]
            if better:
                print(f"\n{items.task} {items.part}, better with {name}:")
            for at in better:
                position = int(items.a.position[at])
                text = loaded if isinstance(loaded, str) else _text(loaded, position)
                print(f"  {difference_text(gaps[at])}  [{position}] {text}")


def _load(items: PartItems, args: argparse.Namespace) -> Loaded | str:
    """The data of a part, or the reason why its texts cannot be shown."""
    from harness import data
    from harness.tasks import registry

    task_registry = registry.get_tasks(args.tasks_dirs)
    if items.task not in task_registry.task_files:
        return "(the task has no spec, so its texts cannot be shown)"
    try:
        return data.load(task_registry.get(items.task), items.part)
    except HarnessError as err:
        return f"(its texts cannot be loaded: {err})"


def _text(loaded: Loaded, position: int) -> str:
    texts, answer = loaded.gold.item_text(position)
    return " | ".join(map(one_line, texts)) + (f" ({answer})" if answer else "")
