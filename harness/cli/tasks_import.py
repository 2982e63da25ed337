"""`harness tasks import`: a task of mteb, printed as a spec."""

from __future__ import annotations

import argparse
from typing import Any

from harness.errors import DataError, UnknownName


def add(group: Any) -> None:
    """Declare the command in the group `tasks`."""
    command = group.add_parser(
        "import",
        help="print a task of mteb as a spec",
        description="Print a task of mteb as a spec, to be reviewed and saved in a folder of task files.",
    )
    command.add_argument("name", metavar="NAME", help="the task's name in mteb")
    command.set_defaults(do=_import)


def _import(args: argparse.Namespace) -> int:
    import dataclasses
    from importlib import metadata

    from harness.data import mteb_bridge
    from harness.tasks import mteb_metadata, task_file

    mteb_task = mteb_bridge.find(args.name)
    if mteb_task is None:
        raise UnknownName.of("task", args.name, mteb_metadata.names())
    # Where data is not public, a file is the way for those who may read it.
    task = mteb_metadata.spec_of(dataclasses.replace(mteb_task, private=False))
    if task.members:
        names = ", ".join(member.name for member in task.members)
        raise DataError(f"{task.name} is the mean of other tasks, which no file can declare; import those: {names}")
    if mteb_task.code:
        source = f"mteb changes the data in code ({'; '.join(mteb_task.code)}), so the source is mteb itself."
    else:
        task = dataclasses.replace(task, source=dataclasses.replace(task.source, kind="hub"))
        source = "mteb scores the data set as it is on the hub, so the source is the hub."
    text = task_file.render(task)
    problems = task_file.problems_of(task.name, text)
    version = mteb_metadata.version() if mteb_metadata.get(args.name) else metadata.version("mteb")
    header = [
        f"From mteb {version}.",
        source,
        f"Review it, check it against the data, and save it as {task.name}.yaml.",
        *(f"DEFECT {problem.partition(': ')[2]}" for problem in problems),
    ]
    print("".join(f"# {line}\n" for line in header) + text, end="")
    return 1 if problems else 0
