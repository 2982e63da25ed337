"""`harness suites`: list suites, or show one with its size and with what cannot be run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from harness.cli import shared_options
from harness.cli.access_text import AccessText
from harness.errors import UnknownName
from harness.outputs import text_table
from harness.types.counted import counted, listed

if TYPE_CHECKING:
    from harness.data.size_estimate import Size
    from harness.tasks.registry import Registry
    from harness.types import Suite


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "suites",
        help="list suites, or show one",
        description="List suites: those of the harness, those of your folders, and mteb's benchmarks of text alone. "
        "Or show one: its tasks with their types, texts and tokens, and what cannot be run here.",
    )
    command.add_argument("show", nargs="?", metavar="show", help="optional word before the name")
    command.add_argument("name", nargs="?", metavar="NAME", help="the suite to show (default: list all suites)")
    shared_options.add(command, "--tasks-dir", "--json")
    command.set_defaults(do=_do)


def _do(args: argparse.Namespace) -> int:
    if args.show and args.name and args.show != "show":
        raise UnknownName(f"harness suites: found {args.show!r} before {args.name!r}; expected one name")
    from harness.tasks import registry

    task_registry = registry.get_tasks(args.tasks_dirs)
    name = args.name or args.show
    suites = [task_registry.suite(name)] if name else list(task_registry.suites())
    if args.json:
        shared_options.print_json([_values(suite) for suite in suites])
    elif name:
        _show(suites[0], task_registry)
    else:
        rows = [[suite.name, len(suite.tasks) + len(suite.recorded_only), suite.description] for suite in suites]
        print(text_table.plain(["suite", "tasks", "description"], rows, right=[1]), end="")
    return 0


def _values(suite: Suite) -> dict[str, Any]:
    return {
        "name": suite.name,
        "description": suite.description,
        "aliases": list(suite.aliases),
        "notes": suite.notes,
        "tasks": list(suite.tasks),
        "parts": {task: [list(part) for part in parts] for task, parts in suite.parts.items()},
        "not_run": {task.name: task.reason for task in suite.recorded_only},
    }


def _show(suite: Suite, task_registry: Registry) -> None:
    from harness.data import size_estimate

    print(f"{suite.name}: {suite.description}")
    if suite.aliases:
        print(f"Also called {', '.join(suite.aliases)}.")
    if suite.notes:
        print(f"\n{suite.notes}")
    print()
    members = task_registry.members(suite)
    asking = AccessText(member.task for member in members)
    rows: list[list[Any]] = []
    everything: list[Size | None] = []
    for member in members:
        sizes = size_estimate.of_parts(member.task, member.parts)
        here = size_estimate.total(sizes)
        everything += sizes
        shown = ["", ""] if here.unknown == here.parts else [f"{here.texts:,}", f"{here.tokens:,}"]
        licence = _licence(member.task.license)
        rows.append([member.task.name, member.task.type, here.parts, *shown, licence, _few(suite, member.task.name)])
    headers = ["task", "type", "parts", "texts", "tokens", "licence", "only"]
    print(text_table.plain(headers, rows, right=[2, 3, 4]), end="")
    size = size_estimate.total(everything)
    lacking = f"; {counted(size.unknown, 'part')} of unknown size" if size.unknown else ""
    print(
        f"\n{counted(len(rows), 'task')}, {counted(size.parts, 'part')}: about {size.texts:,} texts, "
        f"{size.tokens:,} tokens (estimated at 4 characters each){lacking}"
    )
    for line in asking.lines():
        print(line)


def _few(suite: Suite, task: str) -> str:
    """The parts of the task that the suite has, where it lacks some."""
    return listed(suite.parts.get(task, ()))


def _licence(licence: str | None) -> str:
    """The licence's identifier; where it has none but an address, only that it is another one."""
    return "other" if licence and "://" in licence else licence or ""
