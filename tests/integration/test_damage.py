"""Damaged records and interrupted outputs through the commands: one sentence each, and the next command goes on."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.outputs import site
from tests import boards

from .conftest import Said, Tasks

DAMAGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no main score": lambda record: record["scores"]["test"][0].update(main_score=None),
    "seconds that are text": lambda record: record["harness"]["parts"]["test"]["seconds"].update(encode="soon"),
    "10^20 tokens": lambda record: record["harness"]["parts"]["test"].update(tokens=10**20),
    "a date beyond all calendars": lambda record: record.update(date=1e300),
    "a score beyond all numbers": lambda record: record["scores"]["test"][0].update(main_score=10**400),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_record_with_strange_values(damage: str, command: Callable[..., Said], tasks: Tasks, results: Path) -> None:
    """A record of which a value is no value ends no command, neither of its own model nor of another one."""
    tasks.write("Mine", "Retrieval")
    options = ["-t", "Mine", "--tasks-dir", tasks.path]
    assert command("run", "baseline/hashing", *options).status == 0
    [path] = results.rglob("Mine.json")
    record = json.loads(path.read_text())
    del record["harness"]["digest"]
    DAMAGES[damage](record)
    path.write_text(json.dumps(record))
    for arguments in (
        ["leaderboard"],
        ["run", "baseline/bm25", "--plan"],
        ["run", "baseline/hashing"],
        ["leaderboard"],
    ):
        asked = command(*arguments, *options)
        assert asked.status in (0, 2), asked.err
        assert "Traceback" not in asked.err


def test_a_site_whose_writer_was_killed(tmp_path: Path) -> None:
    """Killed after any of its files, the site is written whole by the next writer, and nothing of the first stays."""
    board, smaller = boards.synthetic(models=3, tasks=7), boards.synthetic(models=2, tasks=7)
    whole = tmp_path / "whole"
    site.write(smaller, whole)
    names = {path.relative_to(whole) for path in whole.rglob("*") if path.is_file()}
    for kills_at in (0, 1, 2, len(names) - 1):
        folder = tmp_path / f"site{kills_at}"
        pid = os.fork()
        if not pid:
            _killed_after(kills_at)
            site.write(board, folder)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        site.write(smaller, folder)
        assert {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()} == names


def _killed_after(files: int) -> None:
    replace, left = os.replace, files

    def replaced(source: Any, target: Any) -> None:
        nonlocal left
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        replace(source, target)

    os.replace = replaced  # type: ignore[assignment]
