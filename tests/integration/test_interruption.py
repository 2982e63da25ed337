"""Runs that end in the middle, and runs that meet: what was finished stays, what is on disk is whole."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness as api
from harness.types import Part, Record
from tests.conftest import environment

from .conftest import Said, Tasks

NAMES = [f"Task{number}" for number in range(5)]

SLOW = """
import sys, time
from harness import cli
from harness.models.baselines import Hashing

encode = Hashing.encode

def slowly(self, texts, **options):
    time.sleep({seconds})
    return encode(self, texts, **options)

Hashing.encode = slowly
sys.exit(cli.main(sys.argv[1:]))
"""
"""The command with an encoder that takes its time."""

HELD = """
import os, sys, time
from harness import cli

replace = os.replace

def held(source, target):
    if str(target).endswith({name!r}):
        time.sleep(600)
    replace(source, target)

os.replace = held
sys.exit(cli.main(sys.argv[1:]))
"""
"""The command that stops for good between writing a record's temporary file and giving it the record's name."""


def start(tmp_path: Path, program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
        cwd=tmp_path,
    )


def until(condition: Callable[[], bool], process: subprocess.Popen[str], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None:
            raise AssertionError(f"the run ended before it could be disturbed: {process.communicate()}")
        if time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"nothing happened in {seconds} s: {process.communicate()}")
        time.sleep(0.01)


def records(folder: Path) -> dict[str, Record]:
    """Task -> record. Every `*.json` under the results must be one, and hold a score of its own."""
    if not folder.is_dir():
        return {}
    loaded = api.load_results(folder)
    assert not loaded.refused
    return {record.task: record for record in loaded}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.json")}


@pytest.fixture
def suite(tasks: Tasks) -> list[str]:
    """The arguments that run five private tasks; of retrieval, because that starts without scikit-learn."""
    for name in NAMES:
        tasks.write(name, "Retrieval")
    return ["run", "baseline/hashing", "-t", ",".join(NAMES), "--tasks-dir", tasks.path]


def test_kill_in_the_middle_of_a_suite(
    harness: Callable[..., Any], command: Callable[..., Said], suite: list[str], tmp_path: Path
) -> None:
    """After kill -9 every record on disk parses; the same command runs exactly the unfinished tasks, then nothing."""
    results = tmp_path / "results"
    process = start(tmp_path, SLOW.format(seconds=0.4), *suite)
    until(lambda: len(records(results)) >= 2, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    finished = records(results)
    assert 2 <= len(finished) < len(NAMES)
    before = contents(results)

    again = harness(*suite, "--json")
    assert again.returncode == 0, again.stderr
    status = {cell["task"]: cell["status"] for cell in json.loads(again.stdout)["cells"]}
    assert status == {name: "kept" if name in finished else "recorded" for name in NAMES}
    assert set(records(results)) == set(NAMES)
    after = contents(results)
    assert {name: after[name] for name in before} == before
    assert {path.name for path in results.rglob("*.items.npz")} == {f"{name}.items.npz" for name in NAMES}
    assert not list(results.rglob("*.tmp"))

    third = command(*suite, "--json")
    assert {cell["status"] for cell in json.loads(third.out)["cells"]} == {"kept"}
    assert contents(results) == after


@pytest.mark.parametrize("victim", [f"{NAMES[2]}.json", f"{NAMES[2]}.items.npz"])
def test_kill_in_the_middle_of_a_write(
    victim: str, harness: Callable[..., Any], suite: list[str], tmp_path: Path
) -> None:
    """Killed with a half-done write on disk: the temporary file is no record, its task runs again and sweeps it up. No
    record lacks its items, for they are written first.
    """
    results = tmp_path / "results"
    process = start(tmp_path, HELD.format(name=f"/{victim}"), *suite)
    until(lambda: bool(list(results.rglob(f".{victim}.tmp"))), process)
    process.kill()
    process.communicate()
    assert set(records(results)) == set(NAMES[:2])
    assert list(results.rglob("*.tmp"))

    again = harness(*suite, "--json")
    assert again.returncode == 0, again.stderr
    cells = json.loads(again.stdout)["cells"]
    assert [cell["status"] for cell in cells] == ["kept", "kept", "recorded", "recorded", "recorded"]
    assert set(records(results)) == set(NAMES)
    assert {path.name for path in results.rglob("*.items.npz")} == {f"{name}.items.npz" for name in NAMES}
    assert not list(results.rglob("*.tmp"))


def test_a_half_written_record_is_made_anew(command: Callable[..., Said], suite: list[str], tmp_path: Path) -> None:
    """A record that somebody cut off (a copy that broke) is not trusted: its task runs again, with the reason shown."""
    assert command(*suite).status == 0
    [path] = (tmp_path / "results").rglob(f"{NAMES[0]}.json")
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    planned = command(*suite, "--plan", "--json")
    broken, *others = json.loads(planned.out)
    assert "the record is broken" in broken["status"]
    assert {row["status"] for row in others} == {"recorded"}
    assert command(*suite).status == 0
    assert set(records(tmp_path / "results")) == set(NAMES)


def test_interrupt(suite: list[str], tmp_path: Path) -> None:
    """Ctrl-C: one message, exit 130, no traceback; what was finished is on disk and parses."""
    results = tmp_path / "results"
    process = start(tmp_path, SLOW.format(seconds=0.4), *suite)
    until(lambda: len(records(results)) >= 1, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert err.endswith("harness: interrupted; finished records are kept\n")
    assert "Traceback" not in out + err
    assert out == ""
    assert 1 <= len(records(results)) < len(NAMES)
    assert not list(results.rglob("*.tmp"))


def test_interrupt_in_the_middle_of_a_write(suite: list[str], tmp_path: Path) -> None:
    """Ctrl-C while a record is written that will not end: the command leaves in seconds, and without that record."""
    results, victim = tmp_path / "results", f"{NAMES[1]}.json"
    process = start(tmp_path, HELD.format(name=f"/{victim}"), *suite)
    until(lambda: bool(list(results.rglob(f".{victim}.tmp"))), process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert set(records(results)) == {NAMES[0]}


LOADED_SLOWLY = """
import sys, time
from harness import cli, data

load = data.load

def slowly(task, part):
    if task.name == {name!r}:
        print("loading", file=sys.stderr, flush=True)
        time.sleep(600)
    return load(task, part)

data.load = slowly
sys.exit(cli.main(sys.argv[1:]))
"""
"""The command with a data set that takes ten minutes to come."""


def test_interrupt_while_data_is_loading(suite: list[str], tmp_path: Path) -> None:
    """Ctrl-C does not wait for a data set that is still on its way; what was finished by then is on disk."""
    results = tmp_path / "results"
    process = start(tmp_path, LOADED_SLOWLY.format(name=NAMES[1]), *suite)
    until(lambda: len(records(results)) == 1, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.endswith("harness: interrupted; finished records are kept\n")
    assert set(records(results)) == {NAMES[0]}


SUBSETS = [f"s{number}" for number in range(8)]


def shared(tasks: Tasks) -> list[str]:
    """The arguments that run a private task with eight subsets."""
    file = tasks.write("Shared", "Retrieval", subsets={subset: ["eng-Latn"] for subset in SUBSETS})
    data = file.parent / "data" / "Shared"
    for subset in SUBSETS:
        shutil.copytree(data, data / subset, ignore=lambda folder, names: [name for name in names if name in SUBSETS])
    return ["run", "baseline/hashing", "-t", "Shared", "--tasks-dir", tasks.path]


def test_two_runs_of_one_task(tasks: Tasks, tmp_path: Path) -> None:
    """Two runs that start together and write the same records both succeed; each record is whole."""
    arguments = shared(tasks)
    program = SLOW.format(seconds=0.02)
    both = [start(tmp_path, program, *arguments) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    record = records(tmp_path / "results")["Shared"]
    assert set(record.parts) == {Part("test", subset) for subset in SUBSETS}


def test_two_runs_share_one_record(tasks: Tasks, tmp_path: Path) -> None:
    """Two runs that start together and compute different subsets of one task fill one record; no part is lost."""
    arguments = [*shared(tasks), "--languages"]
    program = SLOW.format(seconds=0.02)
    halves = ["s0,s2,s4,s6", "s1,s3,s5,s7"]
    both = [start(tmp_path, program, *arguments, half) for half in halves]
    for process in both:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    record = records(tmp_path / "results")["Shared"]
    assert set(record.parts) == {Part("test", subset) for subset in SUBSETS}
    assert set(record.harness["parts"]) == {str(part) for part in record.parts}
