"""Requests of the hub's client are repeated when the hub is busy or fails for a moment; what to blame if that fails."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar
from urllib.parse import urlsplit

from harness.errors import HarnessError, Kind, causes, kind_of, shown_address
from harness.hub.offline import is_offline

RETRIED = frozenset({408, 429, 500, 502, 503, 504})
ATTEMPTS = 8
LONGEST_WAIT = 60.0
PATIENCE_SECONDS = 10.0
"""Connections that fail for so long, with nothing between them, mean that nobody is there."""
SILENT_SECONDS = 60.0
"""How long a host counts as gone before it is asked again."""
_TRANSPORTS = ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")
_lock = threading.Lock()


class _Refusal:
    """The last request that the hub refused to the end, for libraries that swallow its answer."""

    answer = ""


@contextlib.contextmanager
def retried_requests() -> Iterator[None]:
    """Repeat requests of the hub's client that are answered with status 408, 429 or 5xx while the block runs.

    A `Retry-After` is waited for; else the wait doubles from half a second, with a little noise so that many workers
    do not come back together. Bodies that were cut are resumed by the client itself. Blocks may be nested, and may
    run in several threads at once: the last one that ends leaves the client's session as the first one found it.
    """
    if is_offline():
        yield
        return
    _require_address(os.environ.get("HF_ENDPOINT", ""))
    from huggingface_hub import get_session

    session: Any = get_session()
    with _lock:
        if not isinstance(session.send, _RepeatedSend):
            session.send = _RepeatedSend(session.send)
            _Refusal.answer = ""
        repeated = session.send
        repeated.blocks += 1
    try:
        yield
    finally:
        with _lock:
            repeated.blocks -= 1
            if repeated.blocks == 0:
                del session.send  # the class's own method shows again


def _require_address(endpoint: str) -> None:
    """Refuse an HF_ENDPOINT that is no address, of which the client tells in tracebacks."""
    try:
        usable = not endpoint or (urlsplit(endpoint).scheme in ("http", "https") and bool(urlsplit(endpoint).hostname))
    except ValueError:
        usable = False
    if not usable:
        raise HarnessError(f"HF_ENDPOINT={shown_address(endpoint)!r}: expected the hub's address, http(s)://HOST")


def kind_of_failure(err: BaseException, *, otherwise: Kind = "transient") -> Kind:
    """What is to blame for an error of the hub's client, or of a library that used it.

    Args:
        err: the error.
        otherwise: the kind where no cause is a refusal of the hub or a failure of the transport. The classes of
            transport errors change with the client's version, so an error of the client itself is taken for one.
    """
    responses = [getattr(cause, "response", None) for cause in causes(err)]
    statuses = [response.status_code for response in responses if response is not None]
    if statuses:
        otherwise = "transient" if statuses[0] in RETRIED else "request"
    elif any(type(cause).__module__.partition(".")[0] in _TRANSPORTS for cause in causes(err)):
        otherwise = "transient"
    kind = kind_of(err, otherwise=otherwise)
    return "request" if kind == "transient" and is_offline() else kind


def failure_text(err: BaseException, *, otherwise: str = "") -> str:
    """What an error of the hub's client comes from: the status that the hub answered with, where it did.

    Args:
        err: the error.
        otherwise: what is said where there was no such answer; by default the error's class.
    """
    for cause in causes(err):
        if (response := getattr(cause, "response", None)) is not None:
            return _answer(response)
    return _Refusal.answer or otherwise or type(err).__name__


def _answer(response: Any) -> str:
    reason = http.client.responses.get(response.status_code, "")
    return f"the hub answered with status {response.status_code}" + (f", {reason}" if reason else "")


class _Silence:
    """Hosts at which nobody answers: the client waits half a minute for one, and would do so for each task of a run.

    Attributes:
        hosts: host -> when connections began to fail, and when the last one failed (monotonic seconds).
    """

    hosts: ClassVar[dict[str, tuple[float, float]]] = {}

    @classmethod
    def require_an_answer(cls, request: Any) -> None:
        """Raise at once where a host was silent for as long as the client waits; after a minute it is asked again."""
        host, now = _host(request), time.monotonic()
        first, last = cls.hosts.get(host, (now, now))
        if now - last > SILENT_SECONDS:
            cls.hosts.pop(host, None)
        elif last - first >= PATIENCE_SECONDS:
            raise ConnectionError(f"nobody answers at {host}")

    @classmethod
    def note(cls, request: Any, err: Exception) -> None:
        """Note a connection that failed, and raise where the host was silent for long; other errors are answers."""
        host, now = _host(request), time.monotonic()
        if type(err).__name__ not in ("ConnectError", "ConnectTimeout"):
            cls.hosts.pop(host, None)
            return
        cls.hosts[host] = (cls.hosts.get(host, (now, now))[0], now)
        cls.require_an_answer(request)


def _host(request: Any) -> str:
    url = getattr(request, "url", None)
    return f"{getattr(url, 'host', '')}:{getattr(url, 'port', None) or ''}".rstrip(":")


class _RepeatedSend:
    """The method `send` of the client's session, repeated; `blocks` that want it so are running."""

    def __init__(self, send: Any, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._send, self._sleep, self.blocks = send, sleep, 0

    def __call__(self, request: Any, **options: Any) -> Any:
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            _Silence.require_an_answer(request)
            try:
                response = self._send(request, **options)
            except Exception as err:
                _Silence.note(request, err)
                # Refused connections are left to the caller: where nobody listens, waiting only delays the error.
                if last or type(err).__name__ not in ("ReadError", "RemoteProtocolError", "ReadTimeout"):
                    raise
                self._sleep(_wait(attempt, None))
                continue
            _Silence.hosts.pop(_host(request), None)
            if last or response.status_code not in RETRIED:
                if response.status_code in RETRIED:
                    _Refusal.answer = f"{_answer(response)}, {ATTEMPTS} times"
                return response
            response.close()
            self._sleep(_wait(attempt, response.headers.get("Retry-After")))
        raise AssertionError("unreachable")


def _wait(attempt: int, retry_after: str | None) -> float:
    if retry_after is not None:
        try:
            return min(LONGEST_WAIT, max(0.0, float(retry_after)))
        except ValueError:  # a date: rare, and the doubling below is as good
            pass
    return min(LONGEST_WAIT, 0.5 * 2**attempt) * random.uniform(0.75, 1.25)
