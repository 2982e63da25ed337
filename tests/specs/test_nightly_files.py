"""The files of `harness nightly init` in folders of any name, and `harness nightly install`."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import cli
from harness.errors import HarnessError
from harness.nightly.schedule import init_files

ODD = ("my models 50%", 'it\'s $HOME "here"')


def executable(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the head of PATH with a `harness` that writes down where and how it was called."""
    folder = tmp_path / "bin 1%"
    folder.mkdir()
    executable(folder / "harness", f'{{ pwd; for word in "$@"; do echo "$word"; done; }} > "{tmp_path}/called"')
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.mark.parametrize("name", ODD)
def test_the_cron_line_runs(tmp_path: Path, programs: Path, name: str) -> None:
    """What cron makes of the line (an escaped percent sign is one; a bare one would end it) calls the night there."""
    folder = tmp_path / name
    folder.mkdir()
    init_files.write(folder / "my night.yaml", force=False)
    [line] = [text for text in (folder / "my night.cron").read_text().splitlines() if not text.startswith("#")]
    command = line.split(maxsplit=5)[5]
    assert "%" not in command.replace(r"\%", "")
    subprocess.run(["/bin/sh", "-c", command.replace(r"\%", "%")], check=True, env=os.environ)
    called = (tmp_path / "called").read_text().splitlines()
    assert called == [str(folder), "nightly", "my night.yaml", "--until", "06:30", "--quiet"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("name", ODD)
def test_systemd_accepts_the_units(tmp_path: Path, programs: Path, name: str) -> None:
    """`systemd-analyze verify` has no complaint about service and timer."""
    folder = tmp_path / name
    folder.mkdir()
    files = init_files.write(folder / "my night 5%.yaml", force=False)
    units = [str(file) for file in files if file.suffix in (".service", ".timer")]
    (tmp_path / "runtime").mkdir(mode=0o700)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", *units],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path / "runtime")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_names_that_no_unit_can_hold(tmp_path: Path) -> None:
    """A line break in the folder's name is refused, and nothing is written."""
    folder = tmp_path / "two\nlines"
    folder.mkdir()
    with pytest.raises(HarnessError, match="rename it"):
        init_files.write(folder / "nightly.yaml", force=False)
    assert not list(folder.iterdir())


# --- the workflow ----------------------------------------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=me", "-c", "user.email=me@localhost")
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def steps(workflow: Path) -> dict[str, Any]:
    """Name -> step, and under `folder` the working directory of the job."""
    [job] = yaml.safe_load(workflow.read_text())["jobs"].values()
    return {step.get("name", ""): step for step in job["steps"]} | {
        "folder": job["defaults"]["run"]["working-directory"]
    }


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with an origin, whose schedule lies in a folder with a space; its workflow lies at its root."""
    root = tmp_path / "checkout"
    (root / "night one").mkdir(parents=True)
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(root, "init", "--quiet", "--initial-branch", "main")
    git(root, "remote", "add", "origin", str(tmp_path / "origin.git"))
    init_files.write(root / "night one" / "nightly.yaml", force=False)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "start")
    return root


def test_the_workflow_step_by_step(checkout: Path, programs: Path) -> None:
    """The steps run in a shell: the first night, and a second one that gets results and history, and only these, back
    from the branch.
    """
    job = steps(checkout / ".github" / "workflows" / "nightly.yml")
    folder = checkout / job["folder"]
    assert folder.samefile(checkout / "night one")

    def step(name: str) -> str:
        command = ["bash", "-e", "-o", "pipefail", "-c", job[name]["run"]]
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout

    assert "this is the first night" in step("Get results and history of earlier nights")
    step("Night")
    (folder / "results").mkdir()
    (folder / "results" / "a.json").write_text("1")
    step("Commit results and history")
    git(checkout, "checkout", "--quiet", "main")
    (folder / "nightly.yaml").write_text("# newer\n")
    git(checkout, "commit", "--quiet", "-am", "newer")
    assert not (folder / "results").exists()
    step("Get results and history of earlier nights")
    assert (folder / "results" / "a.json").read_text() == "1"
    assert (folder / "nightly.yaml").read_text() == "# newer\n"
    step("Commit results and history")
    assert "night one/results/a.json" in git(checkout, "ls-tree", "-r", "--name-only", "-z", "origin/nightly")


def test_what_the_workflow_installs(checkout: Path) -> None:
    """A checkout of the harness installs itself; anything else the release or the commit that is installed here."""
    workflow = checkout / ".github" / "workflows" / "nightly.yml"
    installed = shlex.split(steps(workflow)["Install"]["run"].splitlines()[1])[2]
    assert installed.startswith("embedding-harness[demo]")
    (checkout / "pyproject.toml").write_text('[project]\nname = "embedding-harness"\n')
    init_files.write(checkout / "night one" / "nightly.yaml", force=True)
    step = steps(workflow)["Install"]
    assert shlex.split(step["run"].splitlines()[1])[2] == ".[demo]"
    assert step["working-directory"] == "${{ github.workspace }}"


# --- install ---------------------------------------------------------------------------------------------------------


def test_install_with_cron(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line is shown, and is added once to the lines that are there; without a yes nothing happens."""
    table = tmp_path / "table"
    table.write_text("0 5 * * * others\n")
    executable(programs / "crontab", f'if [ "$1" = -l ]; then cat "{table}"; else cat > "{table}"; fi')
    monkeypatch.chdir(tmp_path)
    init_files.write(Path("nightly.yaml"), force=False)
    assert cli.main(["nightly", "install", "--cron"]) == 2
    assert "add --yes" in capsys.readouterr().err
    assert table.read_text() == "0 5 * * * others\n"
    for _ in range(2):
        assert cli.main(["nightly", "install", "--cron", "--yes"]) == 0
        assert "17 1 * * *  cd" in capsys.readouterr().out
    lines = table.read_text().splitlines()
    assert lines[0] == "0 5 * * * others"
    assert [line.split()[:2] for line in lines[1:]] == [["#", "harness"], ["17", "1"]]


def test_install_with_systemd(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both units are shown and written, and the timer is started; a program that fails is told."""
    executable(programs / "systemctl", f'echo "$@" >> "{tmp_path}/asked"')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["nightly", "install", "--systemd", "--yes"]) == 2
    assert "`harness nightly init nightly.yaml` writes it" in capsys.readouterr().err
    init_files.write(Path("nightly.yaml"), force=False)
    assert cli.main(["nightly", "install", "--systemd", "--yes"]) == 0
    assert "ExecStart=" in capsys.readouterr().out
    for name in ("nightly.service", "nightly.timer"):
        assert (tmp_path / "config" / "systemd" / "user" / name).read_text() == (tmp_path / name).read_text()
    assert (tmp_path / "asked").read_text() == "--user daemon-reload\n--user enable --now nightly.timer\n"
    executable(programs / "systemctl", "echo no bus >&2; exit 1")
    assert cli.main(["nightly", "install", "--systemd", "--yes"]) == 2
    assert "systemctl --user daemon-reload ended with status 1: no bus" in capsys.readouterr().err
