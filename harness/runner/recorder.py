"""Decides when measured parts are written: at once, or together where writing would take longer than measuring."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

from harness.runner import recording
from harness.runner.cells import Cell
from harness.runner.measurement import MeasuredPart
from harness.types import Record

_SHARE = 0.1
"""The share of the time that may go into writing one record."""
_QUICK_SECONDS = 0.05
"""A record that is written in less is written after each part."""

RecordKey: TypeAlias = tuple[str, str, str, str, str]
"""Model, revision, task, variant and fingerprint: what the cells of one record share."""


class _Unwritten(NamedTuple):
    """A measured part that is not written yet, and the future of its record."""

    cell: Cell
    measured: MeasuredPart
    recorded: Future[Record]


@dataclass(slots=True)
class _WaitingParts:
    """One record: the parts that wait, when it was last written, and how many seconds that took."""

    waiting: list[_Unwritten] = field(default_factory=list)
    written: float = -math.inf
    took: float = 0.0


class Recorder:
    """Writes measured parts, in a `with` block at whose end nothing waits any more.

    A file that is written in an instant is written after each part. That of a task with thousands of parts takes
    seconds, and would be written thousands of times: then parts wait until writing takes a tenth of the time.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._clock, self._lock = folder, clock, threading.Lock()
        self._files: dict[RecordKey, _WaitingParts] = {}

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock.acquire(blocking=False):  # else the run is interrupted in the middle of a write
            try:
                self._write_all()
            finally:
                self._lock.release()

    def record(self, cell: Cell, measured: MeasuredPart, recorded: Future[Record]) -> None:
        """Write a part, now or later; `recorded` is given the merged record, or the error.

        Parts of other records that have waited long enough are written too.
        """
        with self._lock:
            of_record = self._files.setdefault(record_key(cell), _WaitingParts())
            of_record.waiting.append(_Unwritten(cell, measured, recorded))
            for file in self._files.values():
                if file.took < _QUICK_SECONDS or self._clock() - file.written >= file.took / _SHARE:
                    self._write(file)

    def flush(self, key: RecordKey | None = None) -> None:
        """Write the parts that wait, of one record or of all, which get no more for now."""
        with self._lock:
            if key is None:
                self._write_all()
            elif (file := self._files.pop(key, None)) is not None:
                self._write(file)

    def _write_all(self) -> None:
        files, self._files = self._files, {}
        for file in files.values():
            self._write(file)

    def _write(self, file: _WaitingParts) -> None:
        waiting, file.waiting = file.waiting, []
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
        file.written = self._clock()
        file.took = file.written - started


def record_key(cell: Cell) -> RecordKey:
    """The record of a cell."""
    return cell.model.name, cell.model.revision, cell.task.name, cell.variant, cell.fingerprint
