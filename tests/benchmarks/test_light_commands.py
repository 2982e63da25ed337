"""How long commands take that encode nothing; a machine with nothing else to do is best."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests import nights
from tests.conftest import environment


def cpu_seconds(*arguments: str, folder: Path) -> float:
    """Processor time of a process, which a busy machine stretches far less than wall time."""
    env = environment(folder)
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # as users have it: compiled once
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, env=env, cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


def test_light_commands_start_fast(tmp_path: Path) -> None:
    """`harness --help` and `harness tasks list` take under 0.5 s and a tenth of what `mteb --help` takes."""
    mteb = cpu_seconds("-m", "mteb", "--help", folder=tmp_path)
    for arguments in (["--help"], ["tasks", "list"]):
        limit, tries = min(0.5, mteb / 10), []
        while len(tries) < 8 and not any(seconds < limit for seconds in tries):
            tries.append(cpu_seconds("-m", "harness", *arguments, folder=tmp_path))
        assert min(tries) < limit


def test_a_night_with_nothing_to_do(tmp_path: Path) -> None:
    """The second night takes less than 2 s as a process."""
    schedule = nights.write_schedule(tmp_path, tasks=["MiniAnswersEnglish"], site="site")
    times = []
    for _ in range(4):
        began = time.monotonic()
        command = [sys.executable, "-m", "harness", "nightly", str(schedule)]
        subprocess.run(command, env=environment(tmp_path), cwd=tmp_path, capture_output=True, check=True)
        times.append(time.monotonic() - began)
    assert min(times[1:]) < 2
