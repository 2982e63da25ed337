"""`harness config`: which settings hold in this folder, and where each comes from."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from harness.cli import settings_file, shared_options
from harness.cli.settings_file import NAME


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "config",
        help="show the settings that hold in this folder",
        description=f"Show which settings hold in this folder, and where each comes from: {NAME} here or in a folder "
        "above, an environment variable, or the default. Options of a command stand above all of them.",
    )
    shared_options.add(command, "--json")
    command.set_defaults(do=_do)


def _do(args: argparse.Namespace) -> int:
    from harness.files import folders
    from harness.outputs import text_table

    settings = settings_file.read(Path.cwd())
    file = str(settings.file)
    variable = os.environ.get("HARNESS_RESULTS")  # the command line has set it where only the file names a folder
    origin = "default" if not variable else file if variable == settings.results else "$HARNESS_RESULTS"
    rows = [{"setting": "tasks", "value": folder, "from": file} for folder in settings.tasks]
    rows.append({"setting": "results", "value": str(folders.results_folder(None)), "from": origin})
    cache = "$HARNESS_CACHE" if os.environ.get("HARNESS_CACHE") else "default"
    rows.append({"setting": "cache", "value": str(folders.cache_folder()), "from": cache})
    rows += [{"setting": f"--{name}", "value": str(value), "from": file} for name, value in settings.options.items()]
    if args.json:
        shared_options.print_json({"file": None if settings.file is None else file, "settings": rows})
        return 0
    print(text_table.plain_records(rows), end="")
    if settings.file is None:
        print(f"\nno {NAME} in this folder or above it; it would name task folders, results and defaults of options")
    return 0
