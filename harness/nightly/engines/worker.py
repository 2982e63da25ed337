"""A worker process: takes work from its standard input, gives answers on its standard output, one at a time.

It is started with the name of its computer (`module:Class`) and ends as soon as its input does, whatever it is doing:
then whoever started it is dead, and the next night will compute the cell. What libraries print goes to standard error.
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
from harness.nightly.engines.protocol import Answer, Computer, Result, Work

READY = "ready"


def main(computer: str) -> None:
    """Work until the input ends."""
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the night, which then ends us
    module, _, name = computer.partition(":")
    chosen: Computer = getattr(importlib.import_module(module), name)()
    inbox: queue.SimpleQueue[Work] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests, inbox), daemon=True).start()
    _send(answers, READY)
    while True:
        work = inbox.get()
        started = time.perf_counter()
        _send(answers, Answer(attempt(chosen, work), time.perf_counter() - started))


def attempt(computer: Computer, work: Work) -> Result:
    """The computer's result, or what went wrong."""
    try:
        return computer.compute(work)
    except Exception as err:  # the boundary: a cell's error is the cell's
        return failure_of(err, cell=str(work))


def _receive(requests: IO[bytes], inbox: queue.SimpleQueue[Work]) -> None:
    try:
        while True:
            inbox.put(pickle.load(requests))
    except (EOFError, OSError, pickle.UnpicklingError):
        os._exit(0)


def _send(answers: IO[bytes], content: object) -> None:
    pickle.dump(content, answers)
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
