"""Supervises one worker process: a crash or a hang becomes a failed answer, and the next work gets a new process.

Both engines compute their cells in such processes, so that a crash, an out-of-memory kill or a hang fails only the cell
that caused it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from harness.errors import Failure, Kind, kind_of
from harness.models.worker_processes import how_it_ended
from harness.nightly.engines.packed_work import packed
from harness.nightly.engines.protocol import COMPUTER, Answer, Work
from harness.nightly.engines.worker import READY
from harness.types import TaskSpec

START_SECONDS = 120.0
"""A process that is not ready after this time counts as hung."""
_TAIL = 2000


class Supervisor:
    """A worker process that is started when first needed, and again after it has died.

    Args:
        log: file that takes the output of the process.
        environment: variables to set for it, besides those of this process.
        computer: see `worker`.
    """

    def __init__(self, log: Path, *, environment: Mapping[str, str] | None = None, computer: str = COMPUTER) -> None:
        self._log, self._computer = log, computer
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._task: TaskSpec | None = None
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    @property
    def pid(self) -> int | None:
        """The id of the running process; None where none runs."""
        return self._process.pid if self._process is not None else None

    def compute(self, work: Work) -> Answer:
        """The worker's answer; a crash or a hang is answered as a failure."""
        started = time.perf_counter()
        process = self._process
        answer: Any = READY
        if process is None or process.poll() is not None:
            self.close()
            try:
                process = self._started()
            except OSError as err:
                return _failed(
                    work, f"no worker process could be started: {err}", kind=kind_of(err, otherwise="resource")
                )
            answer = self._get(process, START_SECONDS)
        if answer == READY:
            with contextlib.suppress(BrokenPipeError):
                self._send(process, work)
            answer = self._get(process, work.timeout)
        if isinstance(answer, Answer):
            return answer
        seconds = time.perf_counter() - started
        hung = process.poll() is None
        self.close()
        if hung:
            return _failed(work, f"no answer within {work.timeout:g} s", kind="transient", seconds=seconds)
        log = self._tail(process.pid)
        return _failed(work, how_it_ended(process.returncode), kind="resource", log=log, seconds=seconds)

    def close(self) -> None:
        """Kill the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                assert stream is not None
                stream.close()

    def _started(self) -> subprocess.Popen[bytes]:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "harness.nightly.engines.worker", self._computer],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment,
            )
        self._answers = queue.SimpleQueue()
        assert process.stdout is not None
        threading.Thread(target=_listen, args=(process.stdout, self._answers), daemon=True).start()
        self._process, self._task = process, None
        return process

    def _send(self, process: subprocess.Popen[bytes], work: Work) -> None:
        """Give work to the process, after its task if the work before it had another one."""
        assert process.stdin is not None
        if work.cell.task is not self._task:
            pickle.dump(work.cell.task, process.stdin)
            self._task = work.cell.task
        pickle.dump(packed(work), process.stdin)
        process.stdin.flush()

    def _get(self, process: subprocess.Popen[bytes], seconds: float) -> Any:
        """What the process sends next; None where it dies or the time is over."""
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            return None
        if answer is None:
            process.wait()
        return answer

    def _tail(self, pid: int) -> str:
        """The last lines of the log."""
        try:
            with self._log.open("rb") as log:
                log.seek(max(0, self._log.stat().st_size - _TAIL))
                return f"worker {pid}, the end of {self._log}:\n{log.read().decode(errors='replace')}"
        except OSError:
            return ""


def _listen(answers: IO[bytes], queue_: queue.SimpleQueue[Any]) -> None:
    """Put every answer on the queue, and None at the end."""
    try:
        while True:
            queue_.put(pickle.load(answers))
    except Exception:  # the stream has ended, perhaps in the middle of an answer
        queue_.put(None)


def _failed(work: Work, reason: str, *, kind: Kind, log: str = "", seconds: float = 0.0) -> Answer:
    return Answer(Failure(str(work), reason, log, kind), seconds)
