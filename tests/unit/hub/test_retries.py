"""Requests of the hub's client that are repeated: when, how often, and after how long."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from harness.errors import HarnessError
from harness.hub import retries
from harness.hub.retries import retried_requests


class Answer(NamedTuple):
    """A response of the client, as far as it is looked at."""

    status_code: int
    headers: dict[str, str]

    def close(self) -> None:
        return


class ReadError(Exception):
    """What the client raises where the connection breaks."""


class ConnectError(Exception):
    """What the client raises where nobody listens."""


class Url(NamedTuple):
    host: str
    port: int


class Request(NamedTuple):
    """A request of the client, as far as it is looked at."""

    url: Url


def asked(*answers: Answer | Exception) -> tuple[Any, list[float]]:
    """What the caller gets where the hub answers so one after the other, and the waits between."""
    waits: list[float] = []
    queue = list(answers)

    def send(request: str) -> Answer:
        answer = queue.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return retries._RepeatedSend(send, sleep=waits.append)("request"), waits


def test_the_wait_that_the_hub_asks_for() -> None:
    """`Retry-After` is waited for, a minute at most; the second answer is returned."""
    busy = [Answer(429, {"Retry-After": seconds}) for seconds in ("3", "0", "600")]
    response, waits = asked(*busy, Answer(200, {}))
    assert (response.status_code, waits) == (200, [3.0, 0.0, 60.0])


def test_the_wait_without_a_word_of_the_hub() -> None:
    """From half a second on each wait is twice the one before, give or take a quarter; a broken connection counts."""
    response, waits = asked(Answer(503, {}), ReadError(), Answer(500, {"Retry-After": "tomorrow"}), Answer(404, {}))
    assert response.status_code == 404
    assert all(0.75 <= wait / expected <= 1.25 for wait, expected in zip(waits, (0.5, 1.0, 2.0), strict=True))


def test_the_last_attempt() -> None:
    """After eight attempts the caller gets what the hub said; an error that no wait mends is raised at once."""
    response, waits = asked(*[Answer(503, {})] * retries.ATTEMPTS, Answer(200, {}))
    assert (response.status_code, len(waits)) == (503, retries.ATTEMPTS - 1)
    with pytest.raises(ConnectionRefusedError):
        asked(ConnectionRefusedError(), Answer(200, {}))
    with pytest.raises(ReadError):
        asked(*[ReadError()] * retries.ATTEMPTS)


@pytest.mark.parametrize("address", ["http://[::1/x", "ftp://u:pw@x", "not an address", "http://"])
def test_an_endpoint_that_is_no_address(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """HF_ENDPOINT is refused in one sentence, without what may be secret in it."""
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(HarnessError, match=r"HF_ENDPOINT=.*expected the hub's address") as refusal, retried_requests():
        pass
    assert "pw" not in str(refusal.value)


def test_a_hub_that_is_gone_is_found_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the client has waited in vain, the next requests fail at once, until a minute is over."""
    now, sent, is_back = [1000.0], [], False
    monkeypatch.setattr(retries.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(retries._Silence, "hosts", {})
    gone, other = Request(Url("gone.example", 81)), Request(Url("gone.example", 82))

    def send(request: Request) -> Answer:
        sent.append(request)
        if request is gone and not is_back:
            raise ConnectError
        return Answer(200, {})

    ask = retries._RepeatedSend(send)
    for _ in range(8):  # side by side, at a moment without a network: the client waits for each of them
        with pytest.raises(ConnectError):
            ask(gone)
    now[0] += retries.PATIENCE_SECONDS + 1
    for _ in range(50):
        with pytest.raises(ConnectionError, match=r"nobody answers at gone\.example:81"):
            ask(gone)
    assert len(sent) == 9
    assert ask(other).status_code == 200
    now[0] += retries.SILENT_SECONDS + 1
    with pytest.raises(ConnectError):
        ask(gone)
    is_back = True
    assert ask(gone).status_code == 200
    assert retries._Silence.hosts == {}
