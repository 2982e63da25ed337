"""Puts the cron line or the systemd units of a schedule in place, for the user who asks."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from harness.errors import HarnessError
from harness.files.atomic import write_output
from harness.files.folders import expanded
from harness.nightly.schedule import init_files

Way = Literal["systemd", "cron"]


class Installation(NamedTuple):
    """What is about to be put in place.

    Attributes:
        files: path -> content; for cron, the whole new crontab under the name `crontab`.
        commands: what is run then, in order.
    """

    way: Way
    files: Mapping[str, str]
    commands: tuple[tuple[str, ...], ...]


def usual_way() -> Way:
    """systemd where it runs, else cron."""
    return "systemd" if shutil.which("systemctl") and Path("/run/systemd/system").is_dir() else "cron"


def prepared(schedule: Path, way: Way) -> Installation:
    """What installing a schedule would do. Changes nothing.

    Raises:
        HarnessError: `init` has not written the files, or the program is missing.
    """
    places = init_files.places_of(schedule)
    program = "systemctl" if way == "systemd" else "crontab"
    if shutil.which(program) is None:
        other = "--cron" if way == "systemd" else "--systemd"
        raise HarnessError(f"no program {program} here; install it, or use {other}")
    if way == "systemd":
        folder = expanded(os.environ.get("XDG_CONFIG_HOME") or "~/.config") / "systemd" / "user"
        files = {str(folder / place.name): _read(place, schedule) for place in (places.service, places.timer)}
        user = ("systemctl", "--user")
        return Installation(way, files, ((*user, "daemon-reload"), (*user, "enable", "--now", places.timer.name)))
    [line] = [text for text in _read(places.crontab, schedule).splitlines() if text and not text.startswith("#")]
    old = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False)
    mark = f"# harness nightly {places.crontab.resolve()}"
    kept = old.stdout.splitlines() if old.returncode == 0 else []
    if mark in kept:  # installed before, with its line behind the mark
        at = kept.index(mark)
        kept[at : at + 2] = []
    return Installation(way, {"crontab": "\n".join([*kept, mark, line]) + "\n"}, (("crontab", "-"),))


def put_in_place(installation: Installation) -> None:
    """Write the files and run the commands.

    Raises:
        HarnessError: the disk refuses, or a command fails.
    """
    if installation.way == "systemd":
        for path, content in installation.files.items():
            write_output(Path(path), content)
    for command in installation.commands:
        given = installation.files.get("crontab")
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
            raise HarnessError(f"{' '.join(command)} ended with status {done.returncode}: {lines[0]}")


def _read(place: Path, schedule: Path) -> str:
    try:
        return place.read_text(encoding="utf-8")
    except OSError as err:
        raise HarnessError(
            f"{place}: cannot be read ({err.strerror}); `harness nightly init {schedule}` writes it"
        ) from err
