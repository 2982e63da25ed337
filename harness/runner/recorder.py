"""Decides when measured parts are written: at once, or together where writing would take longer than measuring."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

from harness.runner import recording
from harness.runner.cells import Cell
from harness.runner.measurement import MeasuredPart
from harness.types import Record

_SHARE = 0.1
"""The share of the time that may go into writing one record."""
_QUICK_SECONDS = 0.05
"""A record that is written in less is written after each part."""


class _Unwritten(NamedTuple):
    """A measured part that is not written yet, and the future of its record."""

    cell: Cell
    measured: MeasuredPart
    recorded: Future[Record]


class Recorder:
    """Writes measured parts, in a `with` block at whose end nothing waits any more.

    A file that is written in an instant is written after each part. That of a task with thousands of parts takes
    seconds, and would be written thousands of times: then parts wait until writing takes a tenth of the time.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._clock, self._lock = folder, clock, threading.Lock()
        self._waiting: list[_Unwritten] = []
        self._took, self._written = 0.0, -math.inf

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock.acquire(blocking=False):  # else the run is interrupted in the middle of a write
            try:
                self._write()
            finally:
                self._lock.release()

    def record(self, cell: Cell, measured: MeasuredPart, recorded: Future[Record]) -> None:
        """Write a part, now or later; `recorded` is given the merged record, or the error."""
        with self._lock:
            if self._waiting and _of_record(self._waiting[0].cell) != _of_record(cell):
                self._write()
            self._waiting.append(_Unwritten(cell, measured, recorded))
            if self._took < _QUICK_SECONDS or self._clock() - self._written >= self._took / _SHARE:
                self._write()

    def flush(self) -> None:
        """Write the parts that wait."""
        with self._lock:
            self._write()
            self._took = 0.0

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        started = self._clock()
        try:
            record = recording.put_all(self._folder, [(each.cell, each.measured) for each in waiting])
        except Exception as err:  # raised where the records are read
            for each in waiting:
                each.recorded.set_exception(err)
        else:
            for each in waiting:
                each.recorded.set_result(record)
        self._written = self._clock()
        self._took = self._written - started


def _of_record(cell: Cell) -> tuple[str, str, str, str, str]:
    """What the cells of one record share."""
    return cell.model.name, cell.model.revision, cell.task.name, cell.variant, cell.fingerprint
