"""`harness tasks list`, `show` and `check`, and `harness suites`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import shared_options, tasks_import, tasks_new
from harness.errors import SpecError, UnknownName
from harness.outputs import text_table
from harness.types.counted import counted

if TYPE_CHECKING:
    from harness.types import TaskSpec


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser("tasks", help="list, show, check and write tasks").add_subparsers(
        title="commands", metavar="COMMAND", required=True
    )
    listing = group.add_parser("list", help="list every task by name")
    listing.add_argument("--types", type=shared_options.names, metavar="TYPE,...", help="only these types")
    listing.add_argument("--languages", type=shared_options.names, metavar="LANG,...", help="only these languages")
    listing.add_argument("--domains", type=shared_options.names, metavar="DOMAIN,...", help="only these domains")
    listing.add_argument("--mteb", action="store_true", help="also list mteb's tasks that have no spec in the harness")
    shared_options.add_tasks_dir(listing)
    shared_options.add_json(listing)
    listing.set_defaults(do=_list)
    showing = group.add_parser("show", help="print a task as a spec, also one of mteb's")
    showing.add_argument("name", metavar="NAME", help="the task's name")
    shared_options.add_tasks_dir(showing)
    showing.set_defaults(do=_show)
    checking = group.add_parser("check", help="check task and suite files for errors")
    checking.add_argument("files", nargs="*", metavar="FILE", help="files to check (default: every task and suite)")
    shared_options.add_tasks_dir(checking)
    checking.set_defaults(do=_check)
    tasks_new.add(group)
    tasks_import.add(group)

    suites = commands.add_parser("suites", help="list suites, or show one")
    suites.add_argument("show", nargs="?", metavar="show", help="optional word before the name")
    suites.add_argument("name", nargs="?", metavar="NAME", help="the suite to show (default: list all suites)")
    shared_options.add_tasks_dir(suites)
    shared_options.add_json(suites)
    suites.set_defaults(do=_suites)


def _list(args: argparse.Namespace) -> int:
    from harness.evaluators import KINDS
    from harness.tasks import mteb_metadata, registry

    for name in args.types or []:
        if name not in KINDS:
            raise UnknownName.of("task type", name, KINDS)
    task_registry = registry.get_tasks(args.tasks_dir)
    tasks: list[TaskSpec] = []
    broken = 0
    for name in task_registry.names():
        try:
            tasks.append(task_registry.get(name))
        except SpecError as err:
            print(f"harness: {err}", file=sys.stderr)
            broken += 1
    if args.mteb:
        tasks += [task for task in mteb_metadata.scored() if task.name not in task_registry.task_files]
    tasks = [task for task in tasks if not args.types or task.type in args.types]
    domains = {domain for task in tasks for domain in task.domains}
    for domain in args.domains or []:
        if domain not in domains:
            raise UnknownName.of("domain", domain, sorted(domains))
    tasks = [task for task in tasks if _matches(task, args)]
    if args.json:
        shared_options.print_json(
            [
                {
                    "name": task.name,
                    "type": task.type,
                    "languages": list(task.languages),
                    "splits": list(task.splits),
                    "subsets": list(task.subsets),
                    "main_metric": task.main_metric,
                    "source": {"kind": task.source.kind, "path": task.source.path, "revision": task.source.revision},
                    "description": task.description,
                }
                for task in tasks
            ]
        )
    else:
        cells = [
            [task.name, task.type, _few(_codes(task)), _few(task.splits), task.main_metric, _source(task)]
            for task in tasks
        ]
        headers = ["task", "type", "languages", "splits", "main metric", "source"]
        print(text_table.plain(headers, cells, compact=True), end="")
        ours = sum(task.name in task_registry.task_files for task in tasks)
        print(f"\n{counted(ours, 'task')}" + (f", and {len(tasks) - ours} that only mteb has" if args.mteb else ""))
    return 1 if broken else 0


def _matches(task: TaskSpec, args: argparse.Namespace) -> bool:
    """Whether the task has one of the requested domains and one of the requested languages."""
    from harness.tasks import registry

    if args.domains and not set(args.domains) & set(task.domains):
        return False
    try:
        return not args.languages or bool(registry.select_parts(task, languages=args.languages))
    except UnknownName:
        return False


def _source(task: TaskSpec) -> str:
    return f"the mean of {counted(len(task.members), 'task')}" if task.members else task.source.path


def _codes(task: TaskSpec) -> tuple[str, ...]:
    """The task's languages without their scripts."""
    return tuple(language.partition("-")[0] for language in task.languages)


def _few(names: tuple[str, ...], *, limit: int = 4) -> str:
    """The first names, and the number of names if some are left out."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown}, ... ({len(names)})"


def _show(args: argparse.Namespace) -> int:
    from harness.runner import selection
    from harness.tasks import registry

    print(registry.render(selection.find(registry.get_tasks(args.tasks_dir), args.name)), end="")
    return 0


def _check(args: argparse.Namespace) -> int:
    from harness.tasks import registry

    problems = []
    if args.files:
        for name in args.files:
            try:
                registry.load_file(Path(name))
            except SpecError as err:
                problems.append(err)
        count = len(args.files)
    else:
        task_registry = registry.get_tasks(args.tasks_dir)
        problems = list(task_registry.check())
        count = len(task_registry.names()) + len(task_registry.suite_names())
    for problem in problems:
        print(problem)
    print(f"{counted(count, 'file')}, {len(problems)} defective")
    return 1 if problems else 0


def _suites(args: argparse.Namespace) -> int:
    if args.show and args.name and args.show != "show":
        raise UnknownName(f"harness suites: found {args.show!r} before {args.name!r}; expected one name")
    args.name = args.name or args.show
    from harness.tasks import registry

    task_registry = registry.get_tasks(args.tasks_dir)
    suites = [task_registry.suite(args.name)] if args.name else list(task_registry.suites())
    if args.json:
        shared_options.print_json(
            [
                {
                    "name": suite.name,
                    "description": suite.description,
                    "aliases": list(suite.aliases),
                    "notes": suite.notes,
                    "tasks": list(suite.tasks),
                    "parts": {task: [list(part) for part in parts] for task, parts in suite.parts.items()},
                }
                for suite in suites
            ]
        )
        return 0
    if args.name:
        suite = suites[0]
        print(f"{suite.name}: {suite.description}")
        if suite.aliases:
            print(f"Also called {', '.join(suite.aliases)}.")
        if suite.notes:
            print(f"\n{suite.notes}")
        print()
        for task in suite.tasks:
            parts = suite.parts.get(task)
            print(f"  {task}" + (f" ({', '.join(map(str, parts))})" if parts else ""))
        return 0
    rows = [[suite.name, len(suite.tasks), suite.description] for suite in suites]
    print(text_table.plain(["suite", "tasks", "description"], rows, right=[1]), end="")
    return 0
