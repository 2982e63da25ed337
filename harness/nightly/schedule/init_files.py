"""Writes the files of `harness nightly init`: a commented schedule, and three ways to run it every night."""

from __future__ import annotations

import shlex
import shutil
import string
import sys
from importlib import resources
from pathlib import Path

from harness.errors import HarnessError
from harness.files.atomic import write_output


def write(schedule: Path, *, force: bool) -> list[Path]:
    """Write the schedule, a GitHub workflow, a line for cron and units for systemd; returns their paths.

    Args:
        schedule: the file; the others go beside it.
        force: replace what exists.

    Raises:
        HarnessError: a file exists, or the disk refuses. Then nothing was written.
    """
    folder, stem = schedule.parent, schedule.stem
    places = {
        "schedule.yaml": schedule,
        "workflow.yml": folder / ".github" / "workflows" / f"{stem}.yml",
        "crontab": folder / f"{stem}.cron",
        "service": folder / f"{stem}.service",
        "timer": folder / f"{stem}.timer",
    }
    existing = [str(place) for place in places.values() if place.exists()]
    if existing and not force:
        raise HarnessError(f"{', '.join(existing)}: exists already; name another file, or say --force")
    values = {
        "schedule": schedule.name,
        "stem": stem,
        "folder": shlex.quote(str(folder.resolve())),
        "command": _command(),
    }
    for name, place in places.items():
        template = (resources.files("harness.nightly") / "templates" / name).read_text(encoding="utf-8")
        write_output(place, string.Template(template).substitute(values))
    return list(places.values())


def _command() -> str:
    """The command with its full path, since cron and systemd do not use the user's PATH."""
    command = shutil.which("harness")
    return shlex.quote(command) if command else f"{shlex.quote(sys.executable)} -m harness"
