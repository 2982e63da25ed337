"""`harness tasks list` and `harness tasks check`."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import shared_options, tasks_import, tasks_new, tasks_show
from harness.errors import SpecError, UnknownName
from harness.outputs import text_table
from harness.types.counted import counted

if TYPE_CHECKING:
    from harness.types import Part, TaskSpec


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser("tasks", help="list, show, check and write tasks").add_subparsers(
        title="commands", metavar="COMMAND"
    )
    listing = group.add_parser("list", help="list every task by name")
    for option, kept in (("--types", "types"), ("--languages", "languages"), ("--domains", "domains")):
        shared_options.add(listing, option, help=f"only these {kept}")
    shared_options.add(listing, "--suite", help="only the tasks of this suite or benchmark, mteb's included")
    listing.add_argument(
        "--license", type=shared_options.names, metavar="NAME,...", help="only data with these licences"
    )
    listing.add_argument(
        "--max-tokens",
        type=shared_options.positive,
        metavar="N",
        help="only tasks of at most so many tokens, estimated; not those of unknown size",
    )
    listing.add_argument("--mteb", action="store_true", help="also list mteb's tasks that have no spec in the harness")
    shared_options.add(listing, "--tasks-dir", "--json")
    listing.set_defaults(do=_list)
    tasks_show.add(group)
    checking = group.add_parser("check", help="check task and suite files for errors")
    checking.add_argument("files", nargs="*", metavar="FILE", help="files to check (default: every task and suite)")
    shared_options.add(checking, "--tasks-dir")
    checking.set_defaults(do=_check)
    tasks_new.add(group)
    tasks_import.add(group)


def _list(args: argparse.Namespace) -> int:
    from harness.evaluators import KINDS
    from harness.tasks import mteb_metadata, registry

    UnknownName.refuse("task type", args.types, KINDS)
    task_registry = registry.get_tasks(args.tasks_dirs)
    tasks: list[TaskSpec] = []
    parts: dict[str, tuple[Part, ...]] = {}
    broken = 0
    for name in task_registry.names():
        try:
            tasks.append(task_registry.get(name))
        except SpecError as err:
            print(f"harness: {err}", file=sys.stderr)
            broken += 1
    if args.suite:
        members = task_registry.members(task_registry.suite(args.suite))
        tasks, parts = [member.task for member in members], {member.task.name: member.parts for member in members}
    elif args.mteb:
        tasks += [task for task in mteb_metadata.scored() if task.name not in task_registry.task_files]
    tasks = [task for task in tasks if not args.types or task.type in args.types]
    UnknownName.refuse("licence", args.license, {task.license for task in tasks if task.license})
    UnknownName.refuse("domain", args.domains, {domain for task in tasks for domain in task.domains})
    for language in args.languages or ():
        if not any(_speaks(task, [language]) for task in tasks):
            names = dict.fromkeys(name for task in tasks for name in (*_codes(task), *task.languages))
            raise UnknownName.of("language of these tasks", language, names)
    tasks = [task for task in tasks if _matches(task, parts.get(task.name, task.parts), args)]
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
                    "license": task.license,
                    "domains": list(task.domains),
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
        others = len(tasks) - ours
        print(f"\n{counted(ours, 'task')}" + (f", and {others} that only mteb has" if others else ""))
    return 1 if broken else 0


def _matches(task: TaskSpec, parts: Sequence[Part], args: argparse.Namespace) -> bool:
    """Whether the task has one of the requested domains, licences and languages, and few enough tokens in `parts`."""
    if args.license and task.license not in args.license:
        return False
    if args.max_tokens and not _tokens(task, parts) <= args.max_tokens:
        return False
    if args.domains and not set(args.domains) & set(task.domains):
        return False
    return not args.languages or _speaks(task, args.languages)


def _speaks(task: TaskSpec, languages: Sequence[str]) -> bool:
    from harness.tasks import registry

    try:
        return bool(registry.select_parts(task, languages=languages))
    except UnknownName:
        return False


def _source(task: TaskSpec) -> str:
    return f"the mean of {counted(len(task.members), 'task')}" if task.members else task.source.path


def _tokens(task: TaskSpec, parts: Sequence[Part]) -> float:
    """The tokens of the parts, estimated; infinite where the size of one is not known."""
    from harness.data import size_estimate

    size = size_estimate.total(size_estimate.of_parts(task, parts))
    return math.inf if size.unknown else size.tokens


def _codes(task: TaskSpec) -> tuple[str, ...]:
    """The task's languages without their scripts."""
    return tuple(language.partition("-")[0] for language in task.languages)


def _few(names: tuple[str, ...], *, limit: int = 4) -> str:
    """The first names, and the number of names if some are left out."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown}, ... ({len(names)})"


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
        task_registry = registry.get_tasks(args.tasks_dirs)
        problems = list(task_registry.check())
        count = len(task_registry.names()) + len(task_registry.suite_files)
    for problem in problems:
        print(problem)
    print(f"{counted(count, 'file')}, {len(problems)} defective")
    return 1 if problems else 0
