"""Writes the files of `harness nightly init`: a commented schedule, and three ways to run it every night."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shlex
import shutil
import string
import sys
import tomllib
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from harness.errors import HarnessError
from harness.files.atomic import write_output

_PROJECT = "embedding-harness"


class Places(NamedTuple):
    """The files of a schedule, and the root of the repository that it lies in (or its folder, where there is none)."""

    schedule: Path
    workflow: Path
    crontab: Path
    service: Path
    timer: Path
    root: Path


def places_of(schedule: Path) -> Places:
    """Where the files of a schedule lie: the workflow where GitHub looks for it, the others beside the schedule."""
    folder = schedule.parent.resolve()
    root = next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)
    base = schedule.parent if root == folder else Path(os.path.relpath(root))
    unit = re.sub(r"[^A-Za-z0-9_.-]+", "-", schedule.stem).lstrip("-.") or "nightly"
    return Places(
        schedule=schedule,
        workflow=base / ".github" / "workflows" / f"{unit}.yml",
        crontab=schedule.with_name(f"{schedule.stem}.cron"),
        service=schedule.with_name(f"{unit}.service"),
        timer=schedule.with_name(f"{unit}.timer"),
        root=root,
    )


def write(schedule: Path, *, force: bool) -> list[Path]:
    """Write the schedule, a GitHub workflow, a line for cron and units for systemd; returns their paths.

    Args:
        schedule: the file; the others go beside it, and the workflow to the root of its repository.
        force: replace what exists.

    Raises:
        HarnessError: a file exists, a name cannot stand in a unit, or the disk refuses. Then nothing was written.
    """
    places = places_of(schedule)
    existing = [str(place) for place in places[:-1] if place.exists()]
    if existing and not force:
        raise HarnessError(f"{', '.join(existing)}: exists already; name another file, or say --force")
    folder = schedule.parent.resolve()
    if not f"{folder}{schedule.name}".isprintable() or str(folder) != str(folder).strip():
        raise HarnessError(
            f"{str(folder / schedule.name)!r}: a line break, a control character, or a blank at the end of the folder "
            "cannot stand in a crontab or a unit; rename it"
        )
    arguments = [*_command(), "nightly", schedule.name, "--until", "06:30", "--quiet"]
    described = f"Nightly embedding leaderboard ({schedule.name})"
    log = shlex.quote(str(folder / "nightly.log"))
    line = f"cd {shlex.quote(str(folder))} && {shlex.join(arguments)} >> {log} 2>&1"
    values = {
        "schedule.yaml": {"schedule": shlex.quote(schedule.name)},
        "workflow.yml": {
            "schedule": shlex.quote(schedule.name),
            "folder": json.dumps(folder.relative_to(places.root).as_posix()),
            "requirement": shlex.quote(_requirement(places.root)),
        },
        "crontab": {"cron": "17 1 * * *  " + line.replace("%", r"\%")},
        "service": {
            "description": described.replace("%", "%%"),
            "folder": str(folder).replace("%", "%%"),
            "command": " ".join(map(_for_systemd, arguments)),
        },
        "timer": {"description": described.replace("%", "%%")},
    }
    for (name, of_file), place in zip(values.items(), places[:-1], strict=True):
        template = (resources.files("harness.nightly") / "templates" / name).read_text(encoding="utf-8")
        write_output(place, string.Template(template).substitute(of_file))
    return list(places[:-1])


def _command() -> list[str]:
    """The command with its full path, since cron and systemd do not use the user's PATH."""
    command = shutil.which("harness")
    return [command] if command else [sys.executable, "-m", "harness"]


def _for_systemd(argument: str) -> str:
    """An argument of `ExecStart=`; see systemd.service(5), "Command lines"."""
    escaped = argument.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[\w@%+=:,./$-]+", escaped):
        return escaped
    return '"' + escaped.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _requirement(root: Path) -> str:
    """What the workflow installs: the checkout itself, or the version or commit that is installed here."""
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        project = {}
    if project.get("name") == _PROJECT:
        return ".[demo]"
    try:
        distribution = importlib.metadata.distribution(_PROJECT)
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return f"{_PROJECT}[demo]"
    if vcs := origin.get("vcs_info"):
        return f"{_PROJECT}[demo] @ {vcs['vcs']}+{origin['url']}@{vcs['commit_id']}"
    return f"{_PROJECT}[demo]=={distribution.version}"
