"""Requests to an endpoint: sent, repeated where that may help, and refused in one sentence. Owns `requests`.

No error, and nothing else that leaves this module, holds the key. It goes to the named server only: redirects are not
followed, `.netrc` is not read, cookies are not kept, and it is not sent unencrypted to another machine. The log tells
when a request is repeated.
"""

from __future__ import annotations

import json
import math
import random
import socket
import time
from collections.abc import Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NoReturn, TypeVar

from harness.errors import EncodeError, Kind, ModelError
from harness.models.endpoint_names import Endpoint
from harness.models.endpoint_pace import RequestPace, asked_to_wait, used_up
from harness.models.endpoint_protocol import BadAnswer
from harness.models.endpoint_waiting import WaitingNews, read_seconds

_Value = TypeVar("_Value")

ATTEMPTS = 8
LONGEST_WAIT = 60.0
LONGEST_ASKED_WAIT = 600.0
"""A server that asks for more seconds than this has used up a quota; waiting in silence would look like a hang."""
PATIENCE = 1800.0
"""For how many seconds in all one request waits where a server says again and again that there are too many."""
CONNECT_SECONDS = 15.0
LONGEST_FAILING = 600.0
"""For how many seconds in all one request is repeated that fails in another way, unless one answer may take longer; the
README states it in minutes."""
_RETRIED = frozenset({408, 409, 424, 425, 500, 502, 503, 504, 529})
_REFUSED = frozenset({400, 413, 422})
_SLOW, _SLOWEST = 3, 4
"""How many attempts a failure counts for that is slow, or that seldom passes by itself; and one without an answer."""
_OUT_OF_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


class TextsRefused(Exception):
    """The server refuses these texts: too many, too long, or something else that fewer texts may not have."""


class EndpointClient:
    """Sends requests to one server; safe to use from several threads.

    Args:
        endpoint: the server and its model.
        headers: with the key.
        at_once: the most requests at a time.
        key_advice: what to do if the server refuses the key.
    """

    def __init__(self, endpoint: Endpoint, headers: Mapping[str, str], *, at_once: int, key_advice: str) -> None:
        import requests
        from requests.adapters import HTTPAdapter

        self._endpoint, self._key_advice = endpoint, key_advice
        self._secrets = [value.removeprefix("Bearer ") for value in headers.values()]
        self.pace = RequestPace(at_once)
        self._answered = False
        self._read_seconds, self._news = read_seconds(), WaitingNews(endpoint.url)
        self._longest_failing = max(LONGEST_FAILING, self._read_seconds)
        self._session = requests.Session()
        self._session.trust_env = not endpoint.on_this_machine  # no proxy stands between a machine and itself
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=at_once))
        self._session.headers.update({"User-Agent": "embedding-harness", "Content-Type": "application/json"})

        def with_key(request: Any) -> Any:
            request.headers.update(headers)
            return request

        self._session.auth = with_key  # a function, so that no password of `.netrc` takes its place

    def post(self, path: str, body: Mapping[str, Any], *, read: Callable[[Any], _Value], tokens: int) -> _Value:
        """Send a request until it is answered.

        Args:
            path: below the endpoint's URL.
            body: JSON values.
            read: what the answer says; raises `BadAnswer` for one that is not whole.
            tokens: an estimate of those in the request.

        Raises:
            TextsRefused: the server refuses the texts.
            HarnessError: the server cannot be reached, refuses the request, or keeps failing.
        """
        content = json.dumps(body).encode()
        tries, failures, refusals, waited, failing = 0, 0, 0, 0.0, 0.0
        while True:
            started = time.monotonic()
            try:
                with self.pace:
                    started = time.monotonic()
                    return self._once(path, content, read=read, tokens=tokens, within=self._longest_failing - failing)
            except _Again as again:
                seconds = time.monotonic() - started
                if again.too_many_requests:
                    refusals += 1
                    wait = _backoff(refusals) if again.wait is None else again.wait
                    waited += wait
                    self.pace.hold(wait)
                else:
                    tries, failures = tries + 1, failures + again.weight
                    wait = _backoff(failures) if again.wait is None else again.wait
                    failing += seconds + wait
                if failures >= ATTEMPTS or waited > PATIENCE or failing >= self._longest_failing:
                    self._answered = False
                    raise EncodeError(self._about(f"{again}; tried again without success"), kind=again.kind) from None
                left = math.ceil((ATTEMPTS - failures) / again.weight)
                count = "" if again.too_many_requests else f" ({tries + 1} of {tries + left})"
                self._news.sent_again(str(again), seconds=seconds, wait=wait, count=count)
                if not again.too_many_requests:
                    self.pace.stopped.wait(wait)

    def close(self) -> None:
        """Close the connections."""
        self.pace.stop()
        self._session.close()

    def _once(self, path: str, content: bytes, *, read: Callable[[Any], _Value], tokens: int, within: float) -> _Value:
        """Send a request and read its answer, which begins within so many seconds.

        Raises:
            _Again: it failed, and may be answered another time.
            TextsRefused, HarnessError: as `post`.
        """
        if self.pace.stopped.is_set():
            raise EncodeError(self._about("was not asked any more"), kind="transient")
        response = self._send(path, content, within=within)
        if response.status_code != 200:
            raise self._again(response)
        try:
            value = read(_parsed(response.content))
        except BadAnswer as err:
            raise _Again(f"returned an answer that cannot be read: {err}", weight=_SLOW, kind="model") from None
        self._answered = True
        self.pace.answered()
        if (wait := used_up(response.headers, tokens=tokens)) is not None:
            self.pace.hold(min(wait, LONGEST_ASKED_WAIT))
        return value

    def _send(self, path: str, content: bytes, *, within: float) -> Any:
        """The answer, whatever its status.

        Raises:
            _Again: there was none.
            ModelError: nobody listens there, or its name cannot be resolved.
        """
        from requests import exceptions
        from urllib3.exceptions import NewConnectionError

        limits = (min(CONNECT_SECONDS, within), min(self._read_seconds, within))
        url = self._endpoint.url + path
        try:
            with self._news.while_waiting(limits[1]):
                return self._session.post(url, data=content, timeout=limits, allow_redirects=False)
        except exceptions.ReadTimeout:
            raise _Again("gave no answer", weight=_SLOWEST) from None
        except exceptions.Timeout:
            raise _Again("gave no answer", weight=_SLOW) from None
        except exceptions.SSLError:
            raise ModelError(self._about("has a certificate that is not trusted"), kind="request") from None
        except exceptions.ConnectionError as err:
            reason = getattr(err.args[0] if err.args else None, "reason", None)
            if not self._answered and isinstance(reason, NewConnectionError):
                why = "nobody listens there"
                if isinstance(reason.__context__, socket.gaierror):
                    why = f"the name {self._endpoint.host} cannot be resolved"
                raise ModelError(
                    self._about(f"cannot be reached ({why}); start the server, or correct the URL"), kind="transient"
                ) from None
            raise _Again("closed the connection") from None
        except exceptions.RequestException as err:
            raise _Again(f"sent something that is not HTTP ({type(err).__name__})") from None

    def _again(self, response: Any) -> _Again:
        """What follows from an answer with another status than 200, where the same request may be answered later.

        Raises:
            TextsRefused: fewer or shorter texts may be taken.
            HarnessError: the same request would be refused again.
        """
        status, words = response.status_code, self._words(response)
        if status in (401, 403):
            raise ModelError(self._about(f"refused the key (status {status}); {self._key_advice}"), kind="request")
        if status == 404:
            raise ModelError(
                self._about(f"knows no such model or path (status 404){words}; correct the model's name or the URL"),
                kind="request",
            )
        if status in _REFUSED or (status == 500 and "too large" in words):  # llama.cpp's answer to a long text
            raise TextsRefused(f"status {status}{words}")
        if status != 429 and status not in _RETRIED:
            raise ModelError(self._about(f"answered with status {status}{words}"), kind="request")
        content = _parsed_or_none(response.content)
        error = content.get("error") if isinstance(content, dict) else None
        if isinstance(error, dict) and {str(error.get("code")), str(error.get("type"))} & _OUT_OF_QUOTA:
            raise ModelError(self._about(f"has no quota left for this key{words}"), kind="request")
        seconds = asked_to_wait(response.headers, content)
        if seconds is not None and seconds > LONGEST_ASKED_WAIT:
            raise EncodeError(self._about(f"asks to wait {seconds:,.0f} s; run again later"), kind="transient")
        if status == 429:  # here, while the request still counts as running, so that none overtakes the wait
            self.pace.refused(hold=_backoff(1) if seconds is None else seconds)
        return _Again(f"answered with status {status}{words}", wait=seconds, too_many_requests=status == 429)

    def _words(self, response: Any) -> str:
        """What the server says about an error, in one short line and without the key: ` ("...")`, or nothing."""
        content = _parsed_or_none(response.content)
        for name in ("error", "message", "detail", "error_msg"):
            if isinstance(content, dict) and content.get(name):
                content = content[name]
        text = response.content.decode("utf-8", "replace") if content is None else content
        line = " ".join((text if isinstance(text, str) else json.dumps(text)).split())
        line = "".join(char if char.isprintable() else " " for char in line)
        for secret in filter(None, self._secrets):
            line = line.replace(secret, "***")
        return f' ("{line[:200]}{"..." if len(line) > 200 else ""}")' if line else ""

    def _about(self, what: str) -> str:
        return f"{self._endpoint.asked}: the server at {self._endpoint.url} {what}"


class _Again(Exception):
    """A request that failed and may be answered another time; the message is what the server did.

    Args:
        problem: the message.
        wait: for how many seconds the server asks to wait.
        weight: how many of the attempts it counts for.
        too_many_requests: whether the server said that there are too many.
        kind: of the error, if no attempt is left.
    """

    def __init__(
        self,
        problem: str,
        *,
        wait: float | None = None,
        weight: int = 1,
        too_many_requests: bool = False,
        kind: Kind = "transient",
    ) -> None:
        super().__init__(problem)
        self.wait, self.weight, self.too_many_requests, self.kind = wait, weight, too_many_requests, kind


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content, parse_constant=_not_finite)
    except (ValueError, RecursionError) as err:
        raise BadAnswer("it is not whole JSON") from err


def _not_finite(name: str) -> NoReturn:
    raise EncodeError(f"the server returned {name} in a vector")


def _parsed_or_none(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _backoff(failures: int) -> float:
    return min(LONGEST_WAIT, 0.5 * 2 ** (failures - 1)) * random.uniform(0.75, 1.25)
