"""`harness guide`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.cli import parser
from tests.conftest import ROOT


def test_pages(command: Callable[..., Any]) -> None:
    """Without a page all are listed, each can be printed, and a page that does not exist is an error with the names."""
    listed = command("guide")
    assert listed.status == 0
    names = [line.split()[2] for line in listed.out.splitlines()]
    assert "doctor" in names
    for name in names:
        assert command("guide", name).out.startswith("# ")
    unknown = command("guide", "doktor")
    assert unknown.status == 2
    assert "did you mean doctor" in unknown.err


def test_the_commands_of_the_pages_are_understood(command: Callable[..., Any]) -> None:
    """Every `harness` line of a page is one that the command line takes."""
    lines = [
        line.split()[1:]
        for name in (line.split()[2] for line in command("guide").out.splitlines())
        for line in command("guide", name).out.splitlines()
        if line.startswith("    harness ")
    ]
    assert len(lines) >= 3
    for arguments in lines:
        parser().parse_args(arguments)


def test_every_line_of_the_security_page_has_its_test(command: Callable[..., Any]) -> None:
    """Each line of the page about security names a test, and that test exists."""
    lines = [line for line in command("guide", "security").out.splitlines() if line.startswith("- ")]
    assert len(lines) > 15
    for line in lines:
        file, _, name = line.rpartition("[")[2].rstrip("]").partition("::")
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), line
