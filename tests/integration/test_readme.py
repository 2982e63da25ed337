"""The README's commands work as it shows them."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests import in_process
from tests.conftest import ROOT, environment

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


LONG = (
    "harness run bundled/all-MiniLM-L6-v2 -t MiniAnswersEnglish --dims 64 --quantize int8,binary --rescore 20",
    "harness table bundled/all-MiniLM-L6-v2 --compression",
    "harness doctor bundled/all-MiniLM-L6-v2",
)
"""Commands that encode many texts, and the one that shows what the first made; other tests run them on tiny models."""


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if line.startswith("harness ")]


@pytest.fixture
def small_hub(localhub: ModuleType, hub_root: Path, tmp_path: Path) -> Iterator[Any]:
    """The hub with the first pairs of GermanSTSBenchmark: what is tested is the commands, not the score."""
    root, name = tmp_path / "hub", "jinaai/german-STSbenchmark"
    (root / "datasets").mkdir(parents=True)
    (root / "models").symlink_to(hub_root / "models")
    for owner in (hub_root / "datasets").iterdir():
        if owner.name != "jinaai":
            (root / "datasets" / owner.name).symlink_to(owner)
    for file in (hub_root / "datasets" / name / "data").iterdir():
        copy = root / "datasets" / name / "data" / file.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("".join(file.read_text(encoding="utf-8").splitlines(keepends=True)[:100]), encoding="utf-8")
    with localhub.LocalHub(str(root)) as server:
        yield server


def test_the_commands(small_hub: Any, tmp_path: Path) -> None:
    """Every `harness` line of the README exits 0, in the order shown, on the data and with the spec that it shows."""
    env = environment(tmp_path, HF_ENDPOINT=small_hub.endpoint)
    del env["HARNESS_RESULTS"]
    folder = tmp_path / "my-tasks"
    folder.mkdir()
    (folder / "tickets.jsonl").write_text(blocks("json")[0], encoding="utf-8")
    assert len(commands()) >= 10
    assert set(LONG) <= {*commands()}
    for command in commands():
        if command not in LONG:
            done = in_process.run_command(shlex.split(command)[1:], env=env, cwd=tmp_path)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert (tmp_path / "results").is_dir()
    assert (folder / "Tickets.yaml").read_text(encoding="utf-8") == blocks("yaml")[0]


@pytest.mark.slow
def test_the_long_commands(tmp_path: Path) -> None:
    """They exit 0 too."""
    for command in LONG:
        done = in_process.run_command(shlex.split(command)[1:], env=environment(tmp_path), cwd=tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_the_installed_command(tmp_path: Path) -> None:
    """A `harness` line of the README exits 0 in a shell, through the program that pip installed."""
    env = environment(tmp_path)
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    command = next(command for command in commands() if command.startswith("harness tasks list"))
    done = subprocess.run(command, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_the_python_example(tmp_path: Path) -> None:
    """The Python block runs and prints a score between 0 and 1."""
    printed = io.StringIO()
    with in_process.environment_of(environment(tmp_path), folder=tmp_path), contextlib.redirect_stdout(printed):
        exec(blocks("python")[0], {})
    assert 0 < float(printed.getvalue()) < 1


@pytest.mark.parametrize("target", ["demo", "test", "install", "lint", "bench", "test-slow"])
def test_the_make_targets_exist(target: str) -> None:
    """Every make target that the README names is one."""
    assert f"make {target}" in README
    assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_ci_runs_the_test_command() -> None:
    """CI runs exactly the README's test command."""
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_night_runs_the_slow_tests() -> None:
    """What `make test` leaves out runs once a day, in a workflow of its own."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "slow-tests.yml").read_text(encoding="utf-8"))
    assert workflow[True]["schedule"] == [{"cron": "17 2 * * *"}]  # YAML 1.1 reads the key `on` as true
    assert "make test-slow" in [step.get("run") for step in workflow["jobs"]["slow-tests"]["steps"]]
