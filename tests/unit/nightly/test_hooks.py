"""Hooks: nothing secret is shown of them, and an answer that is no answer is a problem."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from harness.nightly.history.report import Report
from harness.nightly.publish import hooks
from harness.nightly.schedule.schedule_contents import Hook


class Answers(http.server.BaseHTTPRequestHandler):
    """Redirects everything but `/new`."""

    asked: ClassVar[list[tuple[str, int]]] = []

    def do_POST(self) -> None:
        self.answer(len(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_GET(self) -> None:
        self.answer(0)

    def answer(self, length: int) -> None:
        self.asked.append((self.command, length))
        self.send_response(200 if self.path == "/new" else int(self.path[1:4]))
        self.send_header("Location", "/new?token=topsecret")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Answers.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def called(hook: Hook, folder: Path) -> str:
    schedule: Any = SimpleNamespace(file=folder / "nightly.yaml")
    files = hooks.ReportFiles(folder / "a.json", folder / "a.md")
    return hooks.call(hook, Report(night=None, problems=("a problem",)), schedule=schedule, files=files)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_problem(status: int, server: str, tmp_path: Path) -> None:
    """A webhook that moved gets no GET without the report, and the step fails with the host to name."""
    problem = called(Hook(webhook=f"{server}/{status}", when="always"), tmp_path)
    assert f"answered with status {status}: moved to" in problem
    assert "topsecret" not in problem
    assert [method for method, _ in Answers.asked] == ["POST"]
    assert called(Hook(webhook=f"{server}/new", when="always"), tmp_path) == ""


@pytest.mark.parametrize(
    "hook",
    [
        Hook(webhook="https://user:topsecret@127.0.0.1:9/services/topsecret?token=topsecret", when="always"),
        Hook(webhook="http://[::1/topsecret", when="always"),
        Hook(webhook="http://127.0.0.1:9\x7f/topsecret", when="always"),
        Hook(command="TOKEN=topsecret no-such-program", when="always"),
        Hook(command="export TOKEN='topsecret and more'; echo $TOKEN >&2; exit 3", when="always"),
        Hook(command='A=1 TOKEN="topsecret x" sh -c "echo $TOKEN https://h/topsecret >&2; exit 3"', when="always"),
        Hook(command="echo https://u:topsecret@h/ >&2; exit 3", when="always"),
    ],
)
def test_secrets_of_hooks(hook: Hook, tmp_path: Path) -> None:
    """What goes wrong is told without paths, users, tokens and values of variables, and is no traceback."""
    problem = called(hook, tmp_path)
    assert problem
    assert "topsecret" not in problem


def test_names_of_hooks() -> None:
    """A webhook is named by its host, a command by its program."""
    assert hooks.name(Hook(webhook="https://u:p@example.org/T0/x?token=y", when="always")) == (
        "webhook https://example.org/..."
    )
    assert hooks.name(Hook(webhook="$URL", when="always")) == "webhook $URL"
    assert hooks.name(Hook(command="TOKEN=x mail -s hi", when="always")) == "command 'mail'"
    assert hooks.name(Hook(command="./notify.sh", when="always")) == "command './notify.sh'"
