"""A stage of a run: a thread that calls functions in order, while other stages run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

_Result = TypeVar("_Result")

PATIENCE_SECONDS = 2.0
"""How long a running function may continue after an error or Ctrl-C: enough to write a record."""


class Stage:
    """Calls submitted functions in order, during a `with` block.

    At its normal end the block waits for all of them. After an error or Ctrl-C it drops the functions that have not
    started and waits only briefly for the running one: a download may take minutes, and an executor of the standard
    library would wait for it even when the interpreter exits.
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
        """Call `function` after everything submitted before it."""
        future: Future[_Result] = Future()

        def call() -> None:
            try:
                future.set_result(function(*arguments))
            except BaseException as err:  # raised where the result is read
                future.set_exception(err)

        self._queue.put(call)
        return future

    def _work(self) -> None:
        while (call := self._queue.get()) is not None:
            if not self._dropped:
                call()
