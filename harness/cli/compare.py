"""`harness compare`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.cli import leaderboard, shared_options
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.leaderboard.comparison import Comparison, PartItems
    from harness.types import Loaded


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "compare",
        help="two recorded models: per task difference, interval, p and verdict",
        description="Compare two recorded models on the tasks that both have: the difference, its 95% interval, p with "
        "Holm's correction and a verdict per task, and over all tasks. Tests need the items that `harness run` records "
        "beside its results; without them the tasks alone are compared.",
    )
    command.add_argument("a", metavar="A", help="a recorded model, or MODEL@REVISION")
    command.add_argument("b", metavar="B", help="another")
    leaderboard.add_scope(command)
    command.add_argument(
        "--items",
        type=shared_options.positive,
        metavar="N",
        help="show the N items each is better at, with their texts",
    )
    command.add_argument("--digits", type=shared_options.positive, default=4, metavar="N", help="decimals (default 4)")
    shared_options.add_json(command)
    leaderboard.add_results(command)
    command.set_defaults(do=do)


def do(args: argparse.Namespace) -> int:
    """Read, compare, print."""
    from harness.leaderboard.api import compared
    from harness.outputs import comparison_text

    found = compared(args.a, args.b, leaderboard.scope_of(args))
    if args.json:
        shared_options.print_json(comparison_text.as_json(found))
        return 0
    print(comparison_text.render(found, digits=args.digits), end="")
    if args.items:
        _print_items(found, args)
    return 0


class _Shown(NamedTuple):
    task: str
    difference: float
    text: str


def _print_items(found: Comparison, args: argparse.Namespace) -> None:
    items = [own for own in found.items if own.a.unit != "experiment"]
    if not items:
        print("\nNo items with texts are recorded for both.", file=sys.stderr)
        return
    for own in items:
        gaps = own.a.merit() - own.b.merit()
        loaded = _load(own, args)
        for name, chosen in (("A", (-gaps).argsort(kind="stable")), ("B", gaps.argsort(kind="stable"))):
            better = [at for at in chosen[: args.items].tolist() if (gaps[at] > 0 if name == "A" else gaps[at] < 0)]
            if better:
                print(f"\n{own.task} {own.part}, better with {name}:")
            for at in better:
                position = int(own.a.position[at])
                text = loaded if isinstance(loaded, str) else _text(loaded, position)
                print(f"  {gaps[at]:+.3f}  [{position}] {text}")


def _load(own: PartItems, args: argparse.Namespace) -> Loaded | str:
    """The data of a part, or what to show in its place."""
    from harness import data
    from harness.tasks import registry

    known = registry.get_tasks(args.tasks_dir)
    if own.task not in known.task_files:
        return "(the task has no spec here, so its texts cannot be shown)"
    try:
        return data.load(known.get(own.task), own.part)
    except HarnessError as err:
        return f"(its texts cannot be loaded: {err})"


def _text(loaded: Loaded, position: int) -> str:
    texts, answer = loaded.gold.item_text(position)
    return " | ".join(map(_cut, texts)) + (f" ({answer})" if answer else "")


def _cut(text: str, *, most: int = 120) -> str:
    """One printable line."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return line if len(line) <= most else line[: most - 3] + "..."
