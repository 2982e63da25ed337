"""Plans and suites name the data sets that need a token, as the hub answers."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.hub import dataset_access
from harness.hub.dataset_access import Question
from tests import in_process
from tests.conftest import environment

GATED, GRANTED, PRIVATE, OPEN, SLOW = "org/gated", "org/granted", "org/private", "org/open", "org/slow"
TASKS = {"Gated": GATED, "Granted": GRANTED, "Private": PRIVATE, "Open": OPEN}
SPEC = """\
name: {name}
type: STS
description: Pairs.
source: {{kind: hub, path: {path}, revision: "{revision}"}}
splits: [test]
main_metric: cosine_spearman
subsets: {{default: [eng-Latn]}}
"""


class Answers(http.server.BaseHTTPRequestHandler):
    """What the hub answers about the data sets, to somebody who may read one of the gated ones."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        name = path.removeprefix("/api/datasets/").removesuffix("/auth-check")
        status, headers, body = 200, {}, {"id": name, "gated": "manual" if name in (GATED, GRANTED) else False}
        if name == PRIVATE:
            status, headers, body = 401, {"X-Error-Code": "RepoNotFound"}, {"error": "Repository not found"}
        elif path.endswith("/auth-check") and name == GATED:
            status, headers, body = 403, {"X-Error-Code": "GatedRepo"}, {"error": "Access is restricted"}
        elif name == SLOW:
            self.server.released.wait(60)  # type: ignore[attr-defined]
        content = json.dumps(body).encode()
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(dataset_access, "ASKING_SECONDS", 60.0)  # whatever else the machine does
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.released = threading.Event()  # type: ignore[attr-defined]
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.released.set()  # type: ignore[attr-defined]
    server.shutdown()


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    (folder / "suites").mkdir(parents=True)
    for name, path in TASKS.items():
        (folder / f"{name}.yaml").write_text(SPEC.format(name=name, path=path, revision="0" * 40))
    (folder / "suites" / "All.yaml").write_text(f"name: All\ndescription: All.\ntasks: [{', '.join(TASKS)}]\n")
    return folder


def told(endpoint: str) -> list[str]:
    return [
        "2 of 4 data sets need a token with access:",
        f"  {GATED} (Gated): gated: accept its terms at {endpoint}/datasets/{GATED} "
        "and set HF_TOKEN to a token of yours",
        f"  {PRIVATE} (Private): private or gone: see {endpoint}/datasets/{PRIVATE}; "
        "if it is private, set HF_TOKEN to a token with access",
    ]


def test_what_needs_a_token(
    harness: Callable[..., subprocess.CompletedProcess[str]], endpoint: str, tasks: Path
) -> None:
    """A plan and a suite end with the data sets that cannot be read, their tasks, and what to do."""
    options = ("--tasks-dir", str(tasks))
    for command in (("run", "baseline/hashing", "--plan", "--suite", "All"), ("suites", "show", "All")):
        shown = harness(*command, *options, env={"HF_ENDPOINT": endpoint})
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.splitlines()[-3:] == told(endpoint)
    fine = harness("run", "baseline/hashing", "--plan", "-t", "Open,Granted", *options, env={"HF_ENDPOINT": endpoint})
    assert fine.stdout.splitlines()[-1] == "No further token is needed for 2 data sets on the hub."


def test_what_is_not_known_is_told(harness: Callable[..., subprocess.CompletedProcess[str]], tasks: Path) -> None:
    """Without an answer, and offline, the plan says that it does not know; local data need none."""
    plan = ("run", "baseline/hashing", "--plan", "-t", "Open,Gated", "--tasks-dir", str(tasks))
    unknown = "Whether any of 2 data sets needs a token is not known"
    assert harness(*plan).stdout.splitlines()[-1] == f"{unknown}: the hub did not answer."
    offline = harness(*plan, "--offline").stdout.splitlines()[-1]
    assert offline == f"{unknown}: only the hub knows, and it is not asked offline."
    assert "token is" not in harness("run", "baseline/hashing", "--plan", "-t", "MiniSTSEnglish").stdout


def test_a_slow_hub_is_not_waited_for(endpoint: str, tmp_path: Path) -> None:
    """What is not answered in time is unknown; the other answers count."""
    with in_process.environment_of(environment(tmp_path, HF_ENDPOINT=endpoint), folder=tmp_path):
        answers = Question([OPEN, SLOW], seconds=2.0).answers()
    assert answers.by_name[SLOW] == "unknown"
    assert answers.by_name[OPEN] in ("readable", "unknown"), "which of these depends on the machine"
