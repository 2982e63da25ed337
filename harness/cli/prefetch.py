"""`harness prefetch`: downloading everything that an offline run needs."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from harness.cli import shared_options
from harness.types.counted import counted


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "prefetch",
        help="download models and data for an offline run",
        description="Download models and data, so that `harness run --offline` with the same names needs no network.",
    )
    command.add_argument("models", nargs="*", metavar="MODEL", help="models to download")
    shared_options.add(command, *shared_options.BACKEND, *shared_options.TASKS, *shared_options.FILTERS)
    command.set_defaults(do=do)


def do(args: argparse.Namespace) -> int:
    """Download and print each step; 1 if some data could not be loaded."""
    from harness import data, models
    from harness.errors import HarnessError
    from harness.runner.request import selected
    from harness.runner.selection import chosen

    # Nothing runs here: code and pickles are fetched for a run that may allow them.
    specs = [
        models.resolve(
            name,
            trust_remote_code=True,
            allow_pickle=True,
            runnable=False,
            backend=args.backend,
            backend_file=args.backend_file,
        )
        for name in args.models
    ]
    has_tasks = args.tasks or args.suite or not args.models
    tasks = chosen(selected(vars(args))) if has_tasks else []
    tasks = [task for task in tasks if not task.task.members]
    failures = 0
    for spec in specs:
        models.download(spec)
        print(f"model {spec.name} at {spec.revision}", flush=True)
        for name, commit in spec.dependencies:
            print(f"  with {name} at {commit}", flush=True)
    for task, parts in tasks:
        for part in parts:
            try:
                loaded = data.load(task, part)
            except HarnessError as err:
                failures += 1
                print(f"FAILED {task.name} {part}: {err}", file=sys.stderr, flush=True)
                continue
            rows = ", ".join(f"{count} {name}" for name, count in loaded.rows.items())
            print(f"data  {task.name} {part}: {rows}", flush=True)
    parts_count = sum(len(parts) for _, parts in tasks)
    print(f"\n{counted(len(specs), 'model')}, {counted(parts_count, 'part')}, {failures} failed")
    return 1 if failures else 0
