"""How long an answer of an endpoint is waited for, and what the log tells meanwhile."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import ModelError

READ_SECONDS = 300.0
"""How long an answer is waited for by default; the README states it."""
VARIABLE = "HARNESS_ENDPOINT_TIMEOUT"
SILENCE = 20.0
"""After so many seconds without an answer the log tells that one is waited for."""
TELL_EVERY = 5.0
"""The least seconds between two lines that tell of requests sent again."""
_TELL_SILENCE_EVERY = 60.0
_LOG = logging.getLogger(__name__)


def read_seconds() -> float:
    """How long an answer is waited for: `$HARNESS_ENDPOINT_TIMEOUT`, else `READ_SECONDS`.

    Raises:
        ModelError: the variable is no number of seconds.
    """
    stated = os.environ.get(VARIABLE)
    if not stated:
        return READ_SECONDS
    try:
        seconds = float(stated)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ModelError(f"${VARIABLE} is {stated!r}; expected a number of seconds above 0", kind="request")
    return seconds


class WaitingNews:
    """Tells the log what happens while one server is asked, from any thread, and not too often."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._told_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def sent_again(self, problem: str, *, seconds: float, wait: float, count: str) -> None:
        """Tell that a request is sent again.

        Args:
            problem: what the server did.
            seconds: how long the failed attempt took.
            wait: until the next one.
            count: which attempt that is.
        """
        after = f" after {seconds:,.0f} s" if seconds >= 1 else ""
        when = f" in {wait:,.0f} s" if wait >= 1 else ""
        self._tell("again", f"{problem}{after}; trying again{when}{count}", every=TELL_EVERY)

    @contextmanager
    def while_waiting(self, limit: float) -> Iterator[None]:
        """Tell, while the block waits for an answer for up to `limit` seconds, that there is none yet."""
        text = f"has not answered for {SILENCE:,.0f} s; waiting for up to {limit:,.0f} s (${VARIABLE})"
        timer = threading.Timer(SILENCE, lambda: self._tell("silence", text, every=_TELL_SILENCE_EVERY))
        timer.daemon = True
        if limit > SILENCE:
            timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _tell(self, topic: str, text: str, *, every: float) -> None:
        with self._lock:
            if (now := time.monotonic()) - self._told_at.get(topic, -math.inf) < every:
                return
            self._told_at[topic] = now
        _LOG.info("the server at %s %s", self._url, text)
