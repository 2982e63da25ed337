"""`harness tasks` and `harness suites`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from harness.cli import arguments
from harness.errors import SpecError


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser("tasks", help="list, show and check tasks").add_subparsers(
        title="commands", metavar="COMMAND", required=True
    )
    listing = group.add_parser("list", help="every task by name")
    listing.add_argument("--types", type=arguments.names, metavar="TYPE,...", help="only these types")
    listing.add_argument("--languages", type=arguments.names, metavar="LANG,...", help="only these languages")
    arguments.add_tasks_dir(listing)
    arguments.add_json(listing)
    listing.set_defaults(do=_list)
    showing = group.add_parser("show", help="one task as a spec")
    showing.add_argument("name", metavar="NAME")
    arguments.add_tasks_dir(showing)
    showing.set_defaults(do=_show)
    checking = group.add_parser("check", help="find every defect in spec files")
    checking.add_argument("files", nargs="*", metavar="FILE", help="default: every task and suite")
    arguments.add_tasks_dir(checking)
    checking.set_defaults(do=_check)

    suites = commands.add_parser("suites", help="list suites, or show one")
    suites.add_argument("name", nargs="?", metavar="NAME")
    arguments.add_tasks_dir(suites)
    arguments.add_json(suites)
    suites.set_defaults(do=_suites)


def _list(args: argparse.Namespace) -> int:
    from harness import registry
    from harness.errors import UnknownName
    from harness.types import TASK_TYPES

    for name in args.types or []:
        if name not in TASK_TYPES:
            raise UnknownName.of("task type", name, TASK_TYPES)
    known, rows = registry.tasks(args.tasks_dir), []
    broken = 0
    for name in known.names():
        try:
            task = known.get(name)
        except SpecError as err:
            print(f"harness: {err}", file=sys.stderr)
            broken += 1
            continue
        if args.types and task.type not in args.types:
            continue
        if args.languages:
            try:
                registry.select_parts(task, languages=args.languages)
            except UnknownName:
                continue
        rows.append(task)
    if args.json:
        arguments.print_json(
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
                for task in rows
            ]
        )
    else:
        from tabulate import tabulate

        cells = [
            [task.name, task.type, _few(task.languages), ", ".join(task.splits), task.main_metric, task.source.path]
            for task in rows
        ]
        print(tabulate(cells, headers=["task", "type", "languages", "splits", "main metric", "source"]))
        print(f"\n{len(rows)} tasks")
    return 1 if broken else 0


def _few(languages: tuple[str, ...], *, limit: int = 4) -> str:
    shown = ", ".join(language.partition("-")[0] for language in languages[:limit])
    return shown if len(languages) <= limit else f"{shown}, ... ({len(languages)})"


def _show(args: argparse.Namespace) -> int:
    from harness import registry

    print(registry.render(registry.tasks(args.tasks_dir).get(args.name)), end="")
    return 0


def _check(args: argparse.Namespace) -> int:
    from harness import registry

    problems = []
    if args.files:
        for name in args.files:
            try:
                registry.load_file(Path(name))
            except SpecError as err:
                problems.append(err)
        count = len(args.files)
    else:
        known = registry.tasks(args.tasks_dir)
        problems = list(known.check())
        count = len(known.names()) + len(known.suite_names())
    for problem in problems:
        print(problem)
    print(f"{count} files, {len(problems)} defective")
    return 1 if problems else 0


def _suites(args: argparse.Namespace) -> int:
    from harness import registry

    known = registry.tasks(args.tasks_dir)
    found = [known.suite(args.name)] if args.name else list(known.suites())
    if args.json:
        arguments.print_json(
            [
                {
                    "name": suite.name,
                    "description": suite.description,
                    "notes": suite.notes,
                    "tasks": list(suite.tasks),
                    "parts": {task: [list(part) for part in parts] for task, parts in suite.parts.items()},
                }
                for suite in found
            ]
        )
        return 0
    if args.name:
        suite = found[0]
        print(f"{suite.name}: {suite.description}")
        if suite.notes:
            print(f"\n{suite.notes}")
        print()
        for task in suite.tasks:
            parts = suite.parts.get(task)
            print(f"  {task}" + (f" ({', '.join(map(str, parts))})" if parts else ""))
        return 0
    from tabulate import tabulate

    print(tabulate([[s.name, len(s.tasks), s.description] for s in found], headers=["suite", "tasks", "description"]))
    return 0
