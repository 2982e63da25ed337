"""Starts processes that each have a model open on one device, and talks to them."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from typing import IO, Any, NamedTuple

from harness.evaluators import parallel
from harness.models.device_messages import DeviceOpening

_END_SECONDS, _DEATH_SECONDS = 10.0, 2.0
_TAIL = 600


class SentTexts(NamedTuple):
    """Texts to encode, and the place of the first among all that are asked for."""

    start: int
    texts: list[str]


class WorkerProcess:
    """A process with a model on one device.

    Attributes:
        device: its name, as in records.
        in_flight: the blocks that it was sent and has not answered, the oldest first.
        is_open: whether it waits for more blocks of a session.
        ended: how it ended; empty while it runs.

    Args:
        opening: what to open there.
        of: how many such processes share the processors of this machine.
        inbox: takes (this process, message) for each message, and None as the message at its end.
    """

    def __init__(self, opening: DeviceOpening, *, of: int, inbox: queue.SimpleQueue[tuple[WorkerProcess, Any]]) -> None:
        self.device = opening.options.device
        self.in_flight: deque[SentTexts] = deque()
        self.is_open = False
        self.ended = ""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        threads = str(max(1, parallel.cores() // of))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.models.device_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "RAYON_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
        )
        threading.Thread(target=self._listen, args=(inbox,), daemon=True, name=f"listen-{self.device}").start()
        self.send(opening)

    def send(self, message: object) -> None:
        """Send a message; one to a process that has died is lost, and its end is in the inbox."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            pickle.dump(message, self._process.stdin, protocol=5)
            self._process.stdin.flush()

    def bury(self) -> None:
        """Note how it ended; it says nothing more, so it is killed where it has not."""
        try:
            self._process.wait(_DEATH_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - _TAIL))
        tail = self._log.read().decode(errors="replace").strip()
        self.ended = how_it_ended(self._process.returncode) + (f"; it wrote: {tail}" if tail else "")
        self.close()

    def close(self) -> None:
        """End it, at once where it is busy."""
        stdin: IO[bytes] | None = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):
            stdin.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _listen(self, inbox: queue.SimpleQueue[tuple[WorkerProcess, Any]]) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as answers:
            try:
                while True:
                    inbox.put((self, pickle.load(answers)))
            except Exception:  # the stream has ended, perhaps in the middle of an answer
                inbox.put((self, None))


def how_it_ended(status: int) -> str:
    """What the exit status of a worker process says, which is negative for a signal."""
    if status >= 0:
        return f"the worker process ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    why = {"SIGKILL": "; most often the system was out of memory", "SIGSEGV": "; a library crashed"}.get(name, "")
    return f"the worker process was killed ({name}){why}"
