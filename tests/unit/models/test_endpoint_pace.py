"""How long a server asks to wait, in every form in which servers say it, and who waits."""

from __future__ import annotations

import email.utils
import time
from typing import Any

import pytest

from harness.models.endpoint_pace import RequestPace, asked_to_wait, duration, used_up


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("1s", 1.0), ("6m0s", 360.0), ("20ms", 0.02), ("1h2m3.5s", 3723.5), ("2m", 120.0), ("59.9", 59.9)),
        *(("", None), ("soon", None), ("-1", None), ("1e9", None), ("nan", None)),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    """OpenAI's and Google's forms; anything else is no duration."""
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("headers", "content", "seconds"),
    [
        ({"Retry-After": "7"}, None, 7.0),
        ({"Retry-After": "0.5", "retry-after-ms": "120"}, None, 0.12),
        ({"Retry-After": "whenever"}, None, None),
        ({}, {"error": {"details": [{"reason": "x"}, {"retryDelay": "34s"}]}}, 34.0),
        ({}, {"error": "busy"}, None),
    ],
)
def test_what_a_refusal_asks(headers: dict[str, str], content: Any, seconds: float | None) -> None:
    """The header in seconds or milliseconds, or Google's detail in the answer."""
    assert asked_to_wait(headers, content) == seconds


def test_a_date_is_a_wait_until_then() -> None:
    """Also in the past."""
    later = email.utils.formatdate(time.time() + 100, usegmt=True)
    assert 90 < (asked_to_wait({"Retry-After": later}, None) or 0) <= 100
    assert asked_to_wait({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, None) == 0


def test_limits_that_are_used_up() -> None:
    """The longest wait among requests and tokens, where what remains is less than a request takes."""
    headers = {
        "x-ratelimit-remaining-requests": "3",
        "x-ratelimit-reset-requests": "9s",
        "x-ratelimit-remaining-tokens": "150",
        "x-ratelimit-reset-tokens": "300ms",
    }
    assert used_up(headers, tokens=100) is None
    assert used_up(headers, tokens=200) == 0.3
    assert used_up({**headers, "x-ratelimit-remaining-requests": "0"}, tokens=200) == 9.0


def test_a_refusal_halves_the_requests_at_a_time_once() -> None:
    """However many were refused together; a row of answers raises it again by one."""
    now = [0.0]
    pace = RequestPace(8, clock=lambda: now[0])
    for _ in range(3):
        pace.refused(hold=5)
    assert pace.allowed == 4
    now[0] = 6.0
    pace.refused(hold=5)
    assert pace.allowed == 2
    for _ in range(20):
        pace.answered()
    assert pace.allowed == 3
