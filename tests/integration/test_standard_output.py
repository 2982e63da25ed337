"""Standard output of few characters, closed, or on a full device: plain output or one sentence, and never status 1."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import cli
from tests import boards

CASES = Path(__file__).parents[1] / "cases"
LIST = ("tasks", "list", "--types", "STS")


def written(monkeypatch: pytest.MonkeyPatch, encoding: str, *arguments: str) -> tuple[int, str]:
    """The exit status, and what a strict standard output of this encoding gets."""
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", write_through=True)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        status = cli.main(arguments)
    assert out.errors == "strict"  # nothing is changed for good
    return status, out.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_standard_output_of_few_characters(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """What it lacks is plain: a hyphen for what is missing."""
    folder = str(CASES / "missing_task" / "results")
    status, text = written(monkeypatch, encoding, "leaderboard", "--results", folder)
    assert status == 0
    assert text.splitlines()[2].split() == ["1", "me/a", "-", "-", "-", "1"]


def test_json_of_few_characters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """JSON stays JSON with the same content, beyond the first 65,536 characters too."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    boards.put(tmp_path / "results", "org/größe-😀", "STS12", 0.5)
    arguments = ("leaderboard", "--results", str(tmp_path / "results"), "--format", "json")
    status, text = written(monkeypatch, "ascii", *arguments)
    assert status == 0
    assert [model["model"] for model in json.loads(text)["models"]] == ["org/größe-😀"]


def test_a_closed_standard_output(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The command does its work, says that its output is lost, and ends with its own status."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        assert cli.main(LIST) == 0
        assert sys.stdout is None
    assert capsys.readouterr().err == ("harness: standard output is closed, so what would be printed there is lost\n")


def test_both_streams_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nobody to tell, the status is still the command's own."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        patch.setattr(sys, "stderr", None)
        assert (cli.main(LIST), cli.main(("tasks", "show", "NoSuchTask"))) == (0, 2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [LIST, ("--help",), ("tasks", "new", "--help"), ("--version",)])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_device(arguments: tuple[str, ...], unbuffered: str) -> None:
    """One sentence on standard error, and status 2, for help and version too; Python's own end has nothing to add."""
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "harness", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert done.returncode == 2
    assert done.stderr == (
        "harness: standard output cannot be written: No space left on device; what was recorded is kept\n"
    )


HOSTILE = "a\x1b[2J\x07\x9b31m\u202egnp\rb"


def test_hostile_names_on_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Escape sequences, C1, bells and direction marks in names of folders, files and tasks reach no terminal."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / HOSTILE
    boards.put(folder, "org/name", HOSTILE, 0.5)
    (folder / f"{HOSTILE}.json").write_text("{")
    for arguments in (["leaderboard", "--show-tasks"], ["leaderboard", "--format", "json"], ["table", "--results"]):
        options = ["--results", str(folder)] if "--results" not in arguments else [str(folder)]
        cli.main([*arguments, *options])
    cli.main(["run", HOSTILE, "-t", HOSTILE, "--results", str(folder)])
    text = "".join(capsys.readouterr())
    assert "\\u001b[2J\\u0007\\u009b31m\\u202egnp\\u000d" in text
    assert not {*HOSTILE} - {*"a[2J31mgnpb"} & {*text}
