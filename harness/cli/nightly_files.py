"""`harness nightly init` and `install`: the files of a schedule, and its place in cron or systemd."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.errors import HarnessError


def init(file: Path, *, force: bool) -> int:
    """Write the files of a schedule."""
    from harness.nightly.schedule import init_files

    for path in init_files.write(file, force=force):
        print(f"wrote {path}")
    print(f"next: edit {file}, then `harness nightly {file} --check` and `harness nightly {file} --plan`")
    return 0


def install(file: Path, args: argparse.Namespace) -> int:
    """Show what would be put in place, ask, and do it."""
    from harness.nightly.schedule import installation

    planned = installation.prepared(file, args.way or installation.usual_way())
    for path, content in planned.files.items():
        print(f"{path}:\n")
        print("".join(f"  {line}\n" for line in content.splitlines()))
    for command in planned.commands:
        print(f"then: {' '.join(command)}")
    if not args.yes:
        if not sys.stdin.isatty():
            raise HarnessError("nothing is installed without a yes; add --yes")
        if input("install? [y/N] ").strip().lower() not in ("y", "yes"):
            print("nothing was installed")
            return 0
    installation.put_in_place(planned)
    print(f"installed with {planned.way}")
    return 0
