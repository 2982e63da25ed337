"""A server of embeddings in this process that answers as real ones do, and misbehaves when a test asks for it."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import numpy as np

from harness.models import endpoint_probe
from harness.models.baselines import Hashing
from tests.encoders import one_block, vector_of

KEY = "sk-test-3f9a1c77e0d2"
"""A key that must be found nowhere."""


class Reply(NamedTuple):
    """What the server sends: JSON, or the bytes of a body as they are."""

    content: Any
    status: int = 200
    headers: Mapping[str, str] = {}
    cut_at: int | None = None


class Asked(NamedTuple):
    """A request as it came."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    at: float

    @property
    def texts(self) -> list[str]:
        """The texts, in any provider's form."""
        if "requests" in self.body:
            return [request["content"]["parts"][0]["text"] for request in self.body["requests"]]
        return self.body.get("input") or self.body["texts"]


def vectors(texts: Sequence[str]) -> np.ndarray:
    """(n, 16) float32, different for different texts."""
    return np.array([vector_of(text, dimensions=16) for text in texts])


def hashed(texts: Sequence[str]) -> np.ndarray:
    """(n, 1024) float32: those of `baseline/hashing`, so that scores can be compared with its scores."""
    return one_block(Hashing(), list(texts)).vectors


def openai_like(asked: Asked, rows: np.ndarray) -> dict[str, Any]:
    """As OpenAI and text-embeddings-inference answer."""
    data = [{"object": "embedding", "embedding": row.tolist(), "index": i} for i, row in enumerate(rows)]
    tokens = sum(len(text.split()) + 2 for text in asked.texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": "served/model", "usage": usage}


def llama_cpp_like(asked: Asked, rows: np.ndarray) -> dict[str, Any]:
    """As llama-server answers: another order of keys, and the model's name as it was asked for."""
    answer = openai_like(asked, rows)
    data = [{"embedding": item["embedding"], "index": item["index"], "object": "embedding"} for item in answer["data"]]
    return {"model": asked.body["model"], "object": "list", "usage": answer["usage"], "data": data}


def base64_like(asked: Asked, rows: np.ndarray) -> dict[str, Any]:
    """Vectors as base64, last one first."""
    answer = openai_like(asked, rows)
    for item, row in zip(answer["data"], rows, strict=True):
        item["embedding"] = base64.b64encode(row.astype("<f4").tobytes()).decode()
    return {**answer, "data": answer["data"][::-1]}


def voyage_like(asked: Asked, rows: np.ndarray) -> dict[str, Any]:
    """As Voyage answers."""
    answer = openai_like(asked, rows)
    return {**answer, "usage": {"total_tokens": answer["usage"]["total_tokens"]}}


def cohere_like(asked: Asked, rows: np.ndarray) -> dict[str, Any]:
    """As version 2 of Cohere's API answers."""
    meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 7 * len(rows)}}
    return {"id": "1", "texts": asked.texts, "embeddings": {"float": rows.tolist()}, "meta": meta}


def google_like(asked: Asked, rows: np.ndarray) -> dict[str, Any]:
    """As the Gemini API answers."""
    return {"embeddings": [{"values": row.tolist()} for row in rows]}


Shape = Callable[[Asked, np.ndarray], Any]


class EndpointServer:
    """Answers requests for embeddings until its `with` block ends.

    Args:
        shape: of a good answer.
        rows: texts -> (n, dim) vectors.
        needs: a header and its value without which requests are refused.

    Attributes:
        moves: what to do with the next requests in place of answering; each takes the request, and returns a reply,
            or None to answer as usual.
        asked: every request.
        answered: how often each text was answered with a vector; without those that tell weights apart.
    """

    def __init__(
        self,
        shape: Shape = openai_like,
        *,
        rows: Callable[[Sequence[str]], np.ndarray] = vectors,
        needs: tuple[str, str] | None = None,
    ) -> None:
        self._shape, self.rows, self._needs = shape, rows, needs
        self.moves: deque[Callable[[Asked], Reply | None]] = deque()
        self.always: Callable[[Asked], Reply | None] = lambda asked: None
        self.asked: list[Asked] = []
        self.answered: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __enter__(self) -> EndpointServer:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                asked = Asked(self.path, dict(self.headers), json.loads(content), time.monotonic())
                reply = server._reply(asked)
                if reply is None:  # a connection that breaks
                    self.close_connection = True
                    return
                body = reply.content if isinstance(reply.content, bytes) else json.dumps(reply.content).encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: reply.cut_at])
                self.close_connection = reply.cut_at is not None

            def log_message(self, *_: Any) -> None:
                return

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.handle_error = lambda *_: None  # a client that goes away in the middle is part of the tests
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def _reply(self, asked: Asked) -> Reply | None:
        with self._lock:
            self.asked.append(asked)
            move = self.moves.popleft() if self.moves else self.always
        if self._needs is not None and asked.headers.get(self._needs[0]) != self._needs[1]:
            return Reply({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401)
        reply = move(asked)
        if reply is BREAK:
            return None
        if reply is not None:
            return reply
        answer = self._shape(asked, self.rows(asked.texts))
        with self._lock:
            self.answered.update(text for text in asked.texts if text not in endpoint_probe.TEXTS)
        return Reply(answer)


BREAK = Reply(b"")
"""The connection is closed without an answer."""
