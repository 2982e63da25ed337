"""`harness.rank` and `harness.compare` say what the commands say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import harness as api
from harness.errors import HarnessError, UnknownName
from harness.outputs import comparison_text, leaderboard_text
from tests import boards

Command = Callable[..., "subprocess.CompletedProcess[str]"]
TASKS = ("MiniSTSEnglish", "MiniSTSGerman", "MiniSTSSpanish")


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models on three tasks; one of them also in half precision."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "results"
    for number, task in enumerate(TASKS):
        boards.put(folder, "org/a", task, 0.5 + number / 10)
        boards.put(folder, "org/b", task, 0.4 + number / 10)
    boards.put(folder, "org/a", TASKS[0], 0.1, revision="r2")
    return folder


def test_rank_is_the_leaderboard_of_the_command(harness: Command, results: Path) -> None:
    """With the same models, tasks and filters the board has the content that `harness leaderboard` prints."""
    done = harness(
        *("leaderboard", "org/a", "org/b", "--suite", "mini", "--types", "STS", "--languages", "en,de"),
        *("--exclude", "MiniSTSSpanish", "--revisions", "--results", str(results), "--format", "json"),
    )
    assert done.returncode == 0, done.stderr
    board = api.rank(
        ["org/a", "org/b"],
        suite="mini",
        types=["STS"],
        languages=["en", "de"],
        exclude=["MiniSTSSpanish"],
        revisions=True,
        results=results,
    )
    assert [row.label for row in board.rows] == ["org/a@r1", "org/b@r1", "org/a@r2"]
    assert json.loads(leaderboard_text.render(board, format="json")) == json.loads(done.stdout)


def test_rank_takes_one_name_or_several_folders(results: Path, tmp_path: Path) -> None:
    """A model, a task and a folder need no list; of several folders each adds its models."""
    assert [row.label for row in api.rank("org/b", TASKS[0], results=str(results)).rows] == ["org/b"]
    boards.put(tmp_path / "more", "org/c", TASKS[0], 0.9)
    board = api.rank(tasks=TASKS[0], results=[results, tmp_path / "more"])
    assert board.rows[0].label == "org/c"
    assert len(board.rows) == 3


def test_compare_is_the_comparison_of_the_command(harness: Command, results: Path) -> None:
    """A revision can be named, and the content is what `harness compare` prints."""
    done = harness("compare", "org/a@r2", "org/b", "-t", TASKS[0], "--results", str(results), "--json")
    assert done.returncode == 0, done.stderr
    comparison = api.compare("org/a@r2", "org/b", tasks=TASKS[0], results=results)
    assert [round(task.difference, 6) for task in comparison.tasks] == [-0.3]
    assert comparison_text.as_json(comparison) == json.loads(done.stdout)


def test_what_is_refused(results: Path, tmp_path: Path) -> None:
    """A folder, a model or a task that does not exist is an error that names it."""
    with pytest.raises(HarnessError, match=r"no results folder .*absent"):
        api.rank(results=tmp_path / "absent")
    with pytest.raises(UnknownName, match="org/c"):
        api.rank("org/c", results=results)
    with pytest.raises(UnknownName, match="NoSuchTask"):
        api.compare("org/a", "org/b", tasks="NoSuchTask", results=results)
    with pytest.raises(UnknownName, match="org/c"):
        api.compare("org/a", "org/c", results=results)


def test_public_names_are_lazy_and_no_rooms() -> None:
    """Every public name is there, importing the package loads none of their modules, and no name is a room's name."""
    unwanted = {"numpy", "torch", "mteb", "pandas", "harness.results", "harness.leaderboard"}
    code = f"import sys, harness; print(sorted({unwanted} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert all(getattr(api, name) is not None for name in api.__all__)
    rooms = {path.name for path in Path(api.__file__).parent.iterdir() if path.is_dir()}
    assert rooms.isdisjoint(api.__all__)
