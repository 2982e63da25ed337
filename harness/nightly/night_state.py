"""The state of a running night: the lock against a second night, the log of every step, the status file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from harness.errors import HarnessError
from harness.files import atomic, kept
from harness.files.atomic import write_cache
from harness.files.disk_errors import on_disk
from harness.files.folders import cache_folder
from harness.files.locks import LockHeld, locked
from harness.nightly.engines.protocol import Outcome
from harness.nightly.schedule.schedule_contents import Schedule

LOCK = ".nightly.lock"
STATUS = "status.json"
LOGS = "logs"
_EVERY = 0.5
"""Seconds between two writes of the status."""


class AlreadyRunning(HarnessError):
    """Another night uses the results or the history."""

    default_kind = "transient"


class Status(msgspec.Struct, kw_only=True):
    """The status file. Times are seconds since 1970.

    Attributes:
        phase: `planning`, `cells`, `closing`, `finished`.
        total, done: how many cells are planned, and how many are finished.
        seconds_left: an estimate; None where some cell was never timed.
        running: worker -> the cell that it computes, and when it started.
        failures: cell, or a model that could not be opened -> error message, so far.
        exit: the exit status of a night that has ended.
        message: the result of a night that has ended, in one sentence.
    """

    schedule: str = msgspec.field(name="plan")
    pid: int
    started: float
    phase: str = "planning"
    total: int = 0
    done: int = 0
    seconds_left: float | None = None
    running: dict[str, tuple[str, float]] = {}
    failures: dict[str, str] = {}
    finished: float | None = None
    exit: int | None = None
    message: str = ""


@contextlib.contextmanager
def only_one(schedule: Schedule) -> Iterator[None]:
    """Lock the results folder and the history against other nights. Both are made if absent. Never waits.

    Raises:
        AlreadyRunning: another night runs.
        RecordError: a folder cannot be made or locked.
    """
    with contextlib.ExitStack() as locks:
        for folder in sorted({schedule.results, schedule.history}):
            try:
                with on_disk(folder / LOCK, "written"):
                    locks.enter_context(locked(folder, name=LOCK, seconds=0))
            except LockHeld:
                raise AlreadyRunning(_running_message(schedule, folder)) from None
        yield


def is_running(history: Path) -> bool:
    """Whether a night uses this history now."""
    try:
        with locked(history, name=LOCK, seconds=0):
            return False
    except LockHeld:
        return True
    except (OSError, HarnessError):
        return False


def read_status(history: Path) -> Status | None:
    """The status of the running night, else of the last one; None where the file is missing or broken."""
    statuses = []
    for file in (history / STATUS, _spare_status(history)):
        with contextlib.suppress(OSError, msgspec.DecodeError):
            content = kept.without_digest(file.read_bytes()) if file.is_file() else None
            if content is not None:
                statuses.append(msgspec.json.decode(content, type=Status))
    return max(statuses, key=lambda status: (status.started, status.finished or 0.0), default=None)


def _spare_status(history: Path) -> Path:
    """The status file in the cache folder, for a night whose history cannot be written."""
    name = hashlib.sha256(str(history.resolve()).encode(errors="surrogateescape")).hexdigest()[:20]
    return cache_folder() / "nightly" / f"{name}.json"


def _running_message(schedule: Schedule, folder: Path) -> str:
    status = read_status(schedule.history)
    who = ""
    if status is not None and status.finished is None:
        who = f" (process {status.pid}, since {time.strftime('%Y-%m-%d %H:%M', time.localtime(status.started))})"
    return (
        f"another night is running in {folder}{who}, so this one stops. "
        f"See: harness nightly status {schedule.file.name}"
    )


class Journal:
    """Keeps the status file and the log of one night up to date.

    Args:
        schedule: its history takes both files.
        started: seconds since 1970.
    """

    def __init__(self, schedule: Schedule, *, started: float) -> None:
        self.status = Status(schedule=str(schedule.file), pid=os.getpid(), started=started)
        self._history = schedule.history
        self._written = 0.0
        self._log: IO[str] | None = None

    def open_log(self, number: int) -> None:
        """Begin the log of the night with this number; a run that follows a killed one adds to the same log.

        Raises:
            RecordError: it cannot be written.
        """
        log = self._history / LOGS / f"night-{number:05}.jsonl"
        with on_disk(log, "written"):
            log.parent.mkdir(parents=True, exist_ok=True)
            self._log = log.open("a", encoding="utf-8")
        self.note("run", pid=os.getpid())

    def note(self, event: str, **content: Any) -> None:
        """Add a line to the log; where the disk is full, the line is lost."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **content}, ensure_ascii=False)
        if self._log is None:
            return
        with contextlib.suppress(OSError):
            self._log.write(line + "\n")
            self._log.flush()

    def show(self, *, at_once: bool = True) -> None:
        """Write the status file.

        Args:
            at_once: also where it was written less than half a second ago.
        """
        if not at_once and time.monotonic() - self._written < _EVERY:
            return
        self._written = time.monotonic()
        content = kept.with_digest(msgspec.json.encode(self.status))
        try:
            atomic.write(self._history / STATUS, content)
        except OSError:
            write_cache(_spare_status(self._history), content)

    def take(self, outcome: Outcome) -> None:
        """Log an engine's outcome and update the status."""
        what, status, answer = str(outcome.work), self.status, outcome.answer
        if outcome.kind == "started":
            status.running[outcome.worker] = (what, time.time())
            self.note("started", cell=what, worker=outcome.worker)
        else:
            status.running.pop(outcome.worker, None)
            failure = {}
            if answer.failure is not None:
                failure = {"kind": answer.failure.kind, "reason": answer.failure.error}
                failure |= {"traceback": answer.failure.traceback} if answer.failure.traceback else {}
            self.note(outcome.kind, cell=what, seconds=round(answer.seconds, 3), **failure)
        if outcome.kind == "done":
            status.done += 1
        self.show(at_once=False)

    def finish(self, *, exit: int, message: str) -> None:
        """Record that the night has ended, and close the log."""
        self.status.phase, self.status.finished, self.status.running = "finished", time.time(), {}
        self.status.exit, self.status.message = exit, message
        self.note("finished", exit=exit, message=message)
        self.show()
        if self._log is not None:
            with contextlib.suppress(OSError):  # what was not written is written again when the file is closed
                self._log.close()
