"""How fast an endpoint is asked: how many requests run at a time, and until when all of them wait."""

from __future__ import annotations

import datetime
import email.utils
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_GROW_AFTER = 20
"""Answers without a refusal after which one more request may run."""


class RequestPace:
    """Shared by the threads that send requests: `with pace:` is entered when a request may be sent.

    A refusal for too many requests halves how many run at a time; a row of answers raises it by one.

    Args:
        most: the most requests at a time.
        clock: gives the time in seconds.

    Attributes:
        allowed: how many requests may run at a time now.
        stopped: set when nobody is to wait any longer.
    """

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self.allowed, self._clock = most, most, clock
        self._running, self._in_a_row, self._not_before = 0, 0, 0.0
        self._changed = threading.Condition()
        self.stopped = threading.Event()

    def __enter__(self) -> None:
        with self._changed:
            while not self.stopped.is_set():
                seconds = self._not_before - self._clock()
                if seconds <= 0 and self._running < self.allowed:
                    break
                self._changed.wait(max(seconds, 0.001) if seconds > 0 else None)
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def hold(self, seconds: float) -> None:
        """Let nobody send a request for this time."""
        with self._changed:
            self._not_before = max(self._not_before, self._clock() + seconds)
            self._changed.notify_all()

    def answered(self) -> None:
        """A request was answered."""
        with self._changed:
            self._in_a_row += 1
            if self._in_a_row >= _GROW_AFTER and self.allowed < self._most:
                self.allowed, self._in_a_row = self.allowed + 1, 0
                self._changed.notify_all()

    def refused(self, *, hold: float) -> None:
        """A request was refused because there were too many; nobody sends another one for `hold` seconds."""
        with self._changed:
            if self._clock() >= self._not_before:  # of requests that were refused together, the first one counts
                self.allowed, self._in_a_row = max(1, self.allowed // 2), 0
        self.hold(hold)

    def stop(self) -> None:
        """Let nobody wait any longer."""
        self.stopped.set()
        with self._changed:
            self._changed.notify_all()


def asked_to_wait(headers: Mapping[str, str], content: Any) -> float | None:
    """The seconds for which a server that refuses asks to wait: in its headers, or as Google in its answer."""
    milliseconds = headers.get("retry-after-ms")
    if milliseconds is not None and (parsed := _number(milliseconds)) is not None:
        return parsed / 1000
    stated = headers.get("Retry-After")
    if stated is not None:
        return _number(stated) if _number(stated) is not None else _until(stated)
    error = content.get("error") if isinstance(content, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and isinstance(detail.get("retryDelay"), str):
            return duration(detail["retryDelay"])
    return None


def used_up(headers: Mapping[str, str], *, tokens: int) -> float | None:
    """The seconds until the next request is allowed, by OpenAI's `x-ratelimit-*` headers; None if it is now.

    Args:
        headers: of an answer.
        tokens: those that a request takes.
    """
    waits = []
    for what, needed in (("requests", 1), ("tokens", tokens)):
        remaining = _number(headers.get(f"x-ratelimit-remaining-{what}", ""))
        reset = duration(headers.get(f"x-ratelimit-reset-{what}", ""))
        if remaining is not None and remaining < needed and reset is not None:
            waits.append(reset)
    return max(waits, default=None)


def duration(text: str) -> float | None:
    """Seconds of `1s`, `6m0s`, `20ms`, `1h2m3.5s` or a plain number; None for anything else."""
    if (plain := _number(text)) is not None:
        return plain
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        return None
    hours, minutes, seconds, milliseconds = (float(group or 0) for group in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\s*\d{1,9}(\.\d{1,9})?\s*", text, re.ASCII) else None


def _until(date: str) -> float | None:
    try:
        moment = email.utils.parsedate_to_datetime(date)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return max(0.0, (moment - datetime.datetime.now(datetime.UTC)).total_seconds())
