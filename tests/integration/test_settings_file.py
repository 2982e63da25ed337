"""`harness.toml` and `harness config`: what holds in a folder, from where, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Tasks

Command = Callable[..., Any]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, without $HARNESS_RESULTS."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HARNESS_RESULTS", raising=False)
    (tmp_path / "home" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def test_a_task_is_found_without_its_folder(
    command: Command, tasks: Tasks, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Task folders, results and options of the file hold in its folder and below it, relative to the file."""
    monkeypatch.delenv("HARNESS_RESULTS", raising=False)
    tasks.write("Mine")
    (home / "harness.toml").write_text(
        f'tasks = ["../{Path(tasks.path).name}"]\nresults = "mine"\n[options]\nmax-texts = 3\n'
    )
    monkeypatch.chdir(home / "below")
    said = command("run", "baseline/hashing", "-t", "Mine")
    assert said.status == 0, said.err
    [record] = (home / "mine").rglob("Mine.json")
    assert "max_texts_3" in str(record)
    assert "Mine" in command("tasks", "list").out
    assert "baseline/hashing" in command("leaderboard", "--variants").out
    assert command("run", "baseline/hashing", "-t", "Mine", "--max-texts", "2", "--results", "here").status == 0
    assert len([*(home / "below" / "here").rglob("Mine.json")]) == 1


def test_a_file_beside_the_tasks_holds(command: Command, tasks: Tasks, home: Path) -> None:
    """Where neither the working folder nor one above it has a file, that of the folder of `--tasks-dir` holds."""
    tasks.write("Mine")
    (Path(tasks.path) / "harness.toml").write_text('results = "mine"\n[options]\nmax-texts = 3\n')
    assert command("run", "baseline/hashing", "--tasks-dir", tasks.path, "-t", "Mine").status == 0
    [record] = (Path(tasks.path) / "mine").rglob("Mine.json")
    assert "max_texts_3" in str(record)
    (home / "harness.toml").write_text('results = "here"\n')
    assert command("run", "baseline/hashing", f"--tasks-dir={tasks.path}", "-t", "Mine").status == 0
    assert [path.parts[-4] for path in home.rglob("Mine.json")] == ["here"]
    assert command("run", "--tasks-dir").status == 2


def test_a_task_in_the_working_folder(
    command: Command, tasks: Tasks, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task is found in the file of its name in the working folder by every command that takes names of tasks; no
    file there takes the place of a task of the harness, of mteb or of another folder.
    """
    tasks.write("Mine")
    tasks.write("STS12")
    monkeypatch.chdir(tasks.path)
    assert command("run", "baseline/hashing", "-t", "Mine", "--results", "r").status == 0
    assert "A task of this test" in command("tasks", "show", "Mine").out
    assert "A task of this test" not in command("tasks", "show", "STS12").out
    assert "baseline/hashing" in command("table", "-t", "Mine", "--results", "r").out
    said = command("run", "baseline/hashing", "-t", "Nine", "--results", "r")
    assert (said.status, said.out) == (2, "")
    Path("sub").mkdir()
    shutil.copytree("data", "sub/data")
    Path("sub/Mine.yaml").write_text(Path("Mine.yaml").read_text().replace("of this test", "of sub"))
    assert "A task of sub" in command("tasks", "show", "Mine", "--tasks-dir", "sub").out


def test_the_shortest_next_command(command: Command, tasks: Tasks, home: Path) -> None:
    """`tasks new` prints `--tasks-dir` only where the task would not be found without it."""
    rows = [json.dumps({"a": f"one {i}", "b": f"two {i}", "grade": i}) + "\n" for i in range(5)]
    for folder in ("below", "told"):
        (home / folder).mkdir(exist_ok=True)
        (home / folder / "pairs.jsonl").write_text("".join(rows))
    (home / "pairs.jsonl").write_text("".join(rows))

    def printed(source: str, name: str) -> str:
        return str(command("tasks", "new", "--from", source, "--name", name).out.splitlines()[-1])

    assert printed("pairs.jsonl", "Here") == "  harness run baseline/hashing -t Here"
    assert printed("below/pairs.jsonl", "Below") == "  harness run baseline/hashing --tasks-dir below -t Below"
    (home / "harness.toml").write_text('tasks = ["told"]\n')
    assert printed("told/pairs.jsonl", "Told") == "  harness run baseline/hashing -t Told"


def test_config_says_what_holds_and_from_where(command: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting with its value and origin; a variable stands above the file."""
    monkeypatch.delenv("HARNESS_RESULTS", raising=False)
    assert "no harness.toml in this folder" in command("config").out
    file = home / "harness.toml"
    file.write_text('tasks = ["a"]\nresults = "r"\n[options]\ndevice = "cpu"\n')
    content = json.loads(command("config", "--json").out)
    shown = {row["setting"]: (row["value"], row["from"]) for row in content["settings"]}
    assert content["file"] == str(file)
    assert shown["tasks"] == (str(home / "a"), str(file))
    assert shown["results"] == (str(home / "r"), str(file))
    assert shown["--device"] == ("cpu", str(file))
    monkeypatch.setenv("HARNESS_RESULTS", "/elsewhere")
    rows = json.loads(command("config", "--json").out)["settings"]
    assert {"setting": "results", "value": "/elsewhere", "from": "$HARNESS_RESULTS"} in rows


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("tasks = [", "cannot be read as TOML"),
        ("task = []", "no key 'task'; expected tasks, results or [options]"),
        ('tasks = "a"', "tasks: found 'a'; expected a list of folders"),
        ("results = 3", "results: found 3; expected a folder"),
        ("[options]\ndevise = 'cpu'", "did you mean device or dims?"),
        ("[options]\nmax-length = 0", "[options] max-length: found '0'; expected a whole number above 0"),
        ("[options]\nprecision = 'fp8'", "[options] precision: found 'fp8'; expected auto,"),
        ("[options]\noffline = 'yes'", "[options] offline: found 'yes'; expected true or false"),
        ("[options]\ntrust-remote-code = true", "trust-remote-code: cannot stand in a file; say it with each command"),
    ],
)
def test_what_is_refused(command: Command, home: Path, content: str, words: str) -> None:
    """One message that names the file, exit status 2; code of others is never trusted by a file."""
    (home / "harness.toml").write_text(content)
    said = command("tasks", "list")
    assert (said.status, said.out) == (2, "")
    assert words in said.err
    assert str(home / "harness.toml") in said.err
