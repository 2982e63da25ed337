"""`harness tasks show`: a task as a spec, with its size, its suites, its citation and an example item above it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.cli import shared_options
from harness.types.counted import counted

if TYPE_CHECKING:
    from harness.tasks.registry import Registry
    from harness.types import TaskSpec

_EXAMPLE = 300
"""Characters of an example text that are shown."""


def add(group: Any) -> None:
    """Declare the command in the group `tasks`."""
    command = group.add_parser(
        "show",
        help="print a task as a spec, also one of mteb's",
        description="Print a task as a spec, which can be saved as a task file. Above it, as comments, stand its size "
        "and the suites that it belongs to.",
    )
    command.add_argument("name", metavar="NAME", help="the task's name")
    command.add_argument(
        "--example", action="store_true", help="add the first texts of the task, which are downloaded where need be"
    )
    command.add_argument("--citation", action="store_true", help="add the BibTeX entry that mteb has for the task")
    shared_options.add(command, "--tasks-dir")
    command.set_defaults(do=_do)


def _do(args: argparse.Namespace) -> int:
    from harness.runner import selection
    from harness.tasks import registry

    task_registry = registry.get_tasks(args.tasks_dirs)
    task = selection.find(task_registry, args.name)
    lines = [*_size(task), *_suites(task_registry, task.name)]
    if args.example:
        lines += _example(task)
    if args.citation:
        lines += _citation(task.name)
    print("".join(f"# {line}\n" for line in lines) + registry.render(task), end="")
    return 0


def _size(task: TaskSpec) -> Iterator[str]:
    from harness.data import size_estimate

    size = size_estimate.total(size_estimate.of_parts(task, task.parts))
    if size.unknown == size.parts:
        yield f"Size: {counted(size.parts, 'part')}; the number of texts is not published."
    else:
        lacking = f"; {counted(size.unknown, 'part')} of unknown size" if size.unknown else ""
        yield (
            f"Size: {counted(size.parts, 'part')}, about {size.texts:,} texts to encode, {size.tokens:,} tokens "
            f"(estimated at 4 characters each){lacking}."
        )


def _suites(task_registry: Registry, name: str) -> Iterator[str]:
    suites = [suite.name for suite in task_registry.suites() if name in suite.tasks]
    if suites:
        yield f"Suites: {', '.join(suites)}."


def _example(task: TaskSpec) -> Iterator[str]:
    """The first text of each field of the first part."""
    from harness import data
    from harness.evaluators import KINDS

    if task.members:
        yield f"Example: none of its own; see its members, such as {task.members[0].name}."
        return
    part = task.parts[0]
    fields = KINDS[task.type].texts(data.load(task, part).gold, task.settings)
    yield f"Example, from {part}:"
    for field, texts in fields.items():
        if texts.items:
            text = str(texts.items[0])
            shown = text if len(text) <= _EXAMPLE else text[:_EXAMPLE] + "..."
            yield f"  {field}: {json.dumps(shown, ensure_ascii=False)}"


def _citation(name: str) -> Iterator[str]:
    from harness.data import mteb_bridge

    entry = mteb_bridge.citation(name)
    if not entry:
        yield "Citation: mteb has none for this task."
    yield from entry.strip().splitlines()
