"""A process that has a model open on one device of several: it encodes blocks of texts that another process sends.

It reads pickles from its standard input and writes pickles to its standard output, both only ever from and to the
process that started it, and exits when its input ends. Output of libraries goes to standard error.
"""

from __future__ import annotations

import importlib
import os
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import IO, Any

from harness.errors import failure_of
from harness.models.device_messages import Call, DeviceAnswer, DeviceOpening, Failed, Session
from harness.types import Encoded, Encoder


def main() -> None:
    """Open the model, then encode until the input ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one ends it
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests, inbox), daemon=True).start()
    opening: DeviceOpening = inbox.get()
    module, _, name = opening.opener.partition(":")
    try:
        encoder: Encoder = getattr(importlib.import_module(module), name)(opening.spec, opening.options)
    except Exception as err:  # raised by the process that started this one
        _send(answers, _failed(None, err))
        return
    _send(answers, DeviceAnswer(None, encoder.facts))
    while True:
        request = inbox.get()
        if isinstance(request, Session):
            for answer in _encoded(encoder, request, inbox):
                _send(answers, answer)
        else:
            _send(answers, _called(encoder, request))


def _encoded(encoder: Encoder, session: Session, inbox: queue.SimpleQueue[Any]) -> Iterator[DeviceAnswer | Failed]:
    blocks: Iterator[Sequence[str]] = iter(inbox.get, None)
    ended = False

    def until_the_end() -> Iterator[Sequence[str]]:
        nonlocal ended
        yield from blocks
        ended = True

    try:
        for encoded in encoder.encode(
            until_the_end(), prompt=session.prompt, role=session.role, batching=session.batching
        ):
            yield DeviceAnswer(session.number, Encoded(*encoded))
    except Exception as err:  # raised by the process that started this one
        yield _failed(session.number, err)
        while not ended:
            ended = next(blocks, None) is None


def _called(encoder: Encoder, call: Call) -> DeviceAnswer | Failed:
    try:
        return DeviceAnswer(None, getattr(encoder, call.method)(*call.arguments, **call.named))
    except Exception as err:  # raised by the process that started this one
        return _failed(None, err)


def _failed(session: int | None, err: Exception) -> Failed:
    failure = failure_of(err, cell="")
    return Failed(session, f"{failure.error}\n{failure.traceback}".strip(), failure.kind)


def _receive(requests: IO[bytes], inbox: queue.SimpleQueue[Any]) -> None:
    try:
        while True:
            inbox.put(pickle.load(requests))
    except (EOFError, OSError, pickle.UnpicklingError):
        os._exit(0)


def _send(answers: IO[bytes], content: object) -> None:
    pickle.dump(content, answers, protocol=5)
    answers.flush()


if __name__ == "__main__":
    main()
