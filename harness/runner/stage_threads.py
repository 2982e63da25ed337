"""A stage of a run: one thread that does one thing after another while the others do theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

_Result = TypeVar("_Result")

PATIENCE_SECONDS = 2.0
"""How long work under way may go on after an error or Ctrl-C: enough to write a record."""


class Stage:
    """Does what is submitted, in order, for the time of a `with` block.

    A block that ends well waits for all of it. One that ends with an error, or with Ctrl-C, drops what has not begun
    and does not wait long for the rest: a download may take minutes, and an executor of the standard library would wait
    for it even when the interpreter exits.
    """

    def __init__(self, name: str) -> None:
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._dropped = False
        self._thread = threading.Thread(target=self._work, daemon=True, name=name)

    def __enter__(self) -> Stage:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._dropped = kind is not None
        self._queue.put(None)
        self._thread.join(None if kind is None else PATIENCE_SECONDS)

    def submit(self, function: Callable[..., _Result], *arguments: Any) -> Future[_Result]:
        """Call `function` once everything before it is done."""
        future: Future[_Result] = Future()

        def call() -> None:
            try:
                future.set_result(function(*arguments))
            except BaseException as err:  # whoever waits for the result gets it
                future.set_exception(err)

        self._queue.put(call)
        return future

    def _work(self) -> None:
        while (call := self._queue.get()) is not None:
            if not self._dropped:
                call()
