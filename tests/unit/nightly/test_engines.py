"""The local engine and its watched processes: crashes, hangs, retries, stops, and which cell comes next."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from harness.nightly.engines import local
from harness.nightly.engines.local import LocalEngine, placements
from harness.nightly.engines.protocol import Outcome, Work
from harness.nightly.engines.ray_cluster import shares
from harness.nightly.engines.supervisor import Supervisor
from harness.nightly.schedule.schedule_contents import EngineOptions
from tests.conftest import ROOT
from tests.nights import work

SLEEPER = "tests.nights:Sleeper"


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def ran(folder: Path, jobs: list[Work], *, stop: Callable[[], bool] = lambda: False, **options: Any) -> list[Outcome]:
    engine = LocalEngine(EngineOptions(device="cpu", backoff=0.01, **options), logs=folder / "logs", computer=SLEEPER)
    try:
        return list(engine.run(jobs, stop=stop))
    finally:
        engine.close()


def test_a_crash_costs_its_cell(tmp_path: Path) -> None:
    """Killed, hung and wrong cells are told with their reasons after their retries; the others are done, once."""
    jobs = [work(task=task, timeout=1.5) for task in ("0", "0 crash", "hang", "error", "0.01")]
    outcomes = ran(tmp_path, jobs, retries=1)
    done = {outcome.work.cell.task.name: outcome.answer for outcome in outcomes if outcome.kind == "done"}
    starts = Counter(outcome.work.cell.task.name for outcome in outcomes if outcome.kind == "started")
    failures = {task: answer.failure for task, answer in done.items() if answer.failure is not None}
    assert done.keys() - failures.keys() == {"0", "0.01"}
    assert {task: failure.kind for task, failure in failures.items()} == {
        "0 crash": "resource",
        "hang": "transient",
        "error": "defect",
    }
    assert starts == {"0": 1, "0 crash": 2, "hang": 2, "error": 1, "0.01": 1}
    assert failures["0 crash"].error == (
        "the worker process was killed (SIGKILL); most often the system was out of memory"
    )
    assert failures["hang"].error == "no answer within 1.5 s"
    assert failures["error"].error == "ValueError: no such thing"
    assert "no such thing" in failures["error"].traceback


def test_a_process_is_kept(tmp_path: Path) -> None:
    """The cells of a group run in one process."""
    outcomes = ran(tmp_path, [work(task=f"0.0{number}") for number in range(5)])
    assert len({outcome.answer.result for outcome in outcomes if outcome.kind == "done"}) == 1


def test_groups_stay_together(tmp_path: Path) -> None:
    """Two workers, three models: each worker takes a model of its own, and helps out only when none is left."""
    jobs = [work(model, task=f"0.05{number}") for model in ("a", "b", "c") for number in range(4)]
    outcomes = ran(tmp_path, jobs, workers=2)
    order: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.kind == "started":
            order.setdefault(outcome.worker, []).append(outcome.work.cell.label)
    changes = [sum(a != b for a, b in pairwise(own)) for own in order.values()]
    assert sum(len(own) for own in order.values()) == 12
    assert max(changes) <= 2
    assert {own[0] for own in order.values()} == {"a", "b"}


def test_stopping_finishes_what_runs(tmp_path: Path) -> None:
    """Once told to stop, what is under way is finished and told, and nothing more is started."""
    began = time.monotonic()
    jobs = [work(task=f"0.4{number}") for number in range(10)]
    outcomes = ran(tmp_path, jobs, stop=lambda: time.monotonic() - began > 1.0)
    started = [outcome for outcome in outcomes if outcome.kind == "started"]
    assert 1 <= len(started) < 10
    assert len([outcome for outcome in outcomes if outcome.kind == "done"]) == len(started)


def test_an_orphan_ends(tmp_path: Path) -> None:
    """A worker whose night was killed ends at once, even in the middle of a cell."""
    import os
    import signal
    import subprocess
    import sys

    program = (
        "import sys; from pathlib import Path; from harness.nightly.engines.supervisor import Supervisor;"
        "from tests.nights import work; import threading, time;"
        f"own = Supervisor(Path({str(tmp_path / 'log')!r}), computer={SLEEPER!r});"
        "threading.Thread(target=own.compute, args=(work(task='hang', timeout=600),), daemon=True).start();"
        "time.sleep(1.5); print(own.pid, flush=True); time.sleep(600)"
    )
    night = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert night.stdout is not None
    worker = int(night.stdout.readline())
    night.send_signal(signal.SIGKILL)
    night.wait()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(worker, 0)
            state = Path(f"/proc/{worker}/stat")
            if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
                return  # dead, and nobody has asked yet
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.kill(worker, signal.SIGKILL)
    raise AssertionError("the worker outlived its night")


def test_a_process_that_cannot_start(tmp_path: Path) -> None:
    """A computer that does not exist is a crash with the end of the log, not a wait."""
    own = Supervisor(tmp_path / "log", computer="tests.nights:Nobody")
    answer = own.compute(work())
    assert answer.failure is not None
    assert answer.failure.kind == "resource"
    assert answer.failure.error == "the worker process ended with status 1"
    assert "Nobody" in answer.failure.traceback


def test_placements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker per visible GPU; on the CPU one, or as many as asked."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("nvidia0", "nvidia1", "nvidia10", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    monkeypatch.setattr(local, "_DEVICES", tmp_path)
    assert [place["CUDA_VISIBLE_DEVICES"] for place in placements(EngineOptions())] == ["0", "1", "10"]
    assert placements(EngineOptions(device="cpu", workers=2)) == [{}, {}]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert placements(EngineOptions(workers=2)) == [{"CUDA_VISIBLE_DEVICES": "3"}] * 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert placements(EngineOptions()) == [{}]


def test_shares_of_ray_actors() -> None:
    """Every model an actor; more places than models split the largest; no order is lost, no work either."""
    jobs = [
        *(work("a", task=str(number)) for number in range(6)),
        *(work("b", task=str(number)) for number in range(2)),
    ]
    told = [[(one.cell.label, one.cell.task.name) for one in share] for share in shares(jobs, places=1)]
    assert told == [[("a", str(number)) for number in range(6)], [("b", "0"), ("b", "1")]]
    split = shares(jobs, places=4)
    assert [[one.cell.task.name for one in share] for share in split] == [
        ["0", "3"],
        ["1", "4"],
        ["2", "5"],
        ["0", "1"],
    ]
    assert len(shares(jobs, places=100)) == 8
