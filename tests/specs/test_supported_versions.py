"""The files that name versions of Python and of dependencies say the same."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OLDEST = "3.11"


def test_one_oldest_python() -> None:
    """Package metadata, linter, type checker and README name the same oldest Python."""
    assert PROJECT["project"]["requires-python"] == f">={OLDEST}"
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + OLDEST.replace(".", "")
    assert PROJECT["tool"]["mypy"]["python_version"] == OLDEST
    assert f"\nPython {OLDEST} or newer" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_workflow_runs_the_classified_pythons() -> None:
    """The classifiers of the package are the versions that the workflow tests, from the oldest on."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))
    classified = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    assert workflow["jobs"]["tests"]["strategy"]["matrix"]["python"] == classified
    assert classified[0] == OLDEST


def test_the_workflow_names_targets_that_exist() -> None:
    """Each `make TARGET` of the workflow and of .ci/run is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    scripts = [ROOT / ".github" / "workflows" / "tests.yml", ROOT / ".ci" / "run"]
    targets = {name for file in scripts for name in re.findall(r"\bmake (\S+)", file.read_text(encoding="utf-8"))}
    assert {"install", "lint", "test", "test-oldest", "demo"} <= targets
    assert [name for name in targets if not re.search(rf"^{re.escape(name)}:", makefile, flags=re.MULTILINE)] == []


@pytest.mark.parametrize("text", PROJECT["project"]["dependencies"])
def test_each_dependency_has_a_lower_bound(text: str) -> None:
    """A dependency opens with `NAME>=VERSION`, from which `make test-oldest` takes its oldest version."""
    name, bound, _ = re.split(r"(>=[\d.]+)", text, maxsplit=1)
    assert Requirement(text).name == name
    assert bound.removeprefix(">=") in {each.version for each in Requirement(text).specifier if each.operator == ">="}


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_make_refuses_an_old_python(tmp_path: Path) -> None:
    """With an older interpreter, `make install` says in one sentence what it needs, and installs nothing."""
    python = tmp_path / "python3"
    python.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.10.12" || exit 1\n', encoding="utf-8")
    python.chmod(0o755)
    tried = subprocess.run(
        ["make", "--no-print-directory", "install", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert tried.returncode != 0
    needed, advice = f"embedding-harness needs Python {OLDEST} or newer", "run: make PYTHON=python3.12"
    assert tried.stdout == f"{needed}, but {python} is Python 3.10.12; {advice}\n"
    assert not (tmp_path / "venv").exists()
