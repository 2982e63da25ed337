"""One thread that does one thing after another, and that nobody waits for after an error."""

from __future__ import annotations

import threading
import time
from concurrent.futures import wait

import pytest

from harness.runner import stage_threads
from harness.runner.stage_threads import Stage


def test_in_order_and_to_the_end() -> None:
    """What is submitted is done in order, in one thread, and all of it before the block ends."""
    done: list[tuple[int, str]] = []

    def do(item: int) -> int:
        time.sleep(0.002)
        done.append((item, threading.current_thread().name))
        return 2 * item

    with Stage("load") as stage:
        futures = [stage.submit(do, item) for item in range(8)]
    assert done == [(item, "load") for item in range(8)]
    assert [future.result() for future in futures] == [2 * item for item in range(8)]


def test_an_error_is_the_callers() -> None:
    """Whoever asks for the result gets the error; what comes after is done."""

    def fail() -> None:
        raise LookupError("gone")

    with Stage("load") as stage:
        bad, good = stage.submit(fail), stage.submit(int, "7")
    with pytest.raises(LookupError, match="gone"):
        bad.result()
    assert good.result() == 7


def test_after_an_error_nothing_new_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that ends with an error gives work under way a little time, and drops the rest."""
    monkeypatch.setattr(stage_threads, "PATIENCE_SECONDS", 10)
    begun, done = threading.Event(), []

    def slow() -> None:
        begun.set()
        time.sleep(0.05)
        done.append("slow")

    with pytest.raises(KeyboardInterrupt), Stage("score") as stage:  # noqa: PT012
        first, second = stage.submit(slow), stage.submit(done.append, "second")
        assert begun.wait(10)
        raise KeyboardInterrupt
    assert done == ["slow"]
    assert first.done()
    assert not second.done()


def test_it_waits_no_longer_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that does not end is left behind, in a thread that does not keep the interpreter."""
    monkeypatch.setattr(stage_threads, "PATIENCE_SECONDS", 0.05)
    begun, release = threading.Event(), threading.Event()

    def stuck() -> None:
        begun.set()
        release.wait(30)

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Stage("score") as stage:  # noqa: PT012
        future = stage.submit(stuck)
        assert begun.wait(10)
        raise KeyboardInterrupt
    assert time.monotonic() - started < 5
    (left,) = [thread for thread in threading.enumerate() if thread.name == "score"]
    assert left.daemon
    release.set()
    wait([future], timeout=10)
    left.join(10)
