"""A worker process: reads tasks and work from its standard input and writes answers to its standard output, in order.

It is started with the name of its computer (`module:Class`) and exits at once when its input ends: the process that
started it is then dead, and the next night computes the cell. Output of libraries goes to standard error.
"""

from __future__ import annotations

import importlib
import os
import pickle
import queue
import signal
import sys
import threading
import time
from typing import IO

from harness.errors import failure_of
from harness.files import log_lines
from harness.nightly.engines.packed_work import unpacked
from harness.nightly.engines.protocol import Answer, Computer, Result, Work
from harness.types import TaskSpec

READY = "ready"
_MOST_LINES = 20
"""Lines of the log that travel with an answer."""


def main(computer: str) -> None:
    """Answer work until the input ends."""
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is handled by the night, which ends its workers
    module, _, name = computer.partition(":")
    chosen: Computer = getattr(importlib.import_module(module), name)()
    inbox: queue.SimpleQueue[Work] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests, inbox), daemon=True).start()
    _send(answers, READY)
    while True:
        work = inbox.get()
        _send(answers, answer(chosen, work))


def answer(computer: Computer, work: Work) -> Answer:
    """The answer, with the first lines of the log; standard error has all of them."""
    started, lines = time.perf_counter(), list[str]()

    def tell(line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
        if len(lines) < _MOST_LINES:
            lines.append(line)

    with log_lines.passed_on(tell):
        result = attempt(computer, work)
    return Answer(result, time.perf_counter() - started, tuple(lines))


def attempt(computer: Computer, work: Work) -> Result:
    """The computer's result, or the failure."""
    try:
        return computer.compute(work)
    except Exception as err:  # an error fails this cell only
        return failure_of(err, cell=str(work))


def _receive(requests: IO[bytes], inbox: queue.SimpleQueue[Work]) -> None:
    task: TaskSpec | None = None
    try:
        while True:
            received: TaskSpec | bytes = pickle.load(requests)
            if isinstance(received, bytes):
                assert task is not None, "a task comes before its work"
                inbox.put(unpacked(received, task))
            else:
                task = received
    except (EOFError, OSError, pickle.UnpicklingError):
        os._exit(0)


def _send(answers: IO[bytes], content: object) -> None:
    pickle.dump(content, answers)
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
