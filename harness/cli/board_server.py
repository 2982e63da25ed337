"""A server of the files of a site, for this machine only."""

from __future__ import annotations

import functools
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

HOST = "127.0.0.1"


def serve(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server that listens, on a free port for 0.

    Raises:
        HarnessError: the port is taken, or may not be used.
    """
    try:
        return ThreadingHTTPServer((HOST, port), functools.partial(_Pages, directory=str(folder)))
    except OSError as err:
        raise HarnessError(
            f"--port {port}: cannot be listened on ({err.strerror}); choose another, or leave it out"
        ) from err


class _Pages(SimpleHTTPRequestHandler):
    """Files of the site for requests that name this machine: no other name may lead here (DNS rebinding)."""

    def parse_request(self) -> bool:
        """Refuse a request for another host."""
        if not super().parse_request():
            return False
        host = self.headers.get("Host", "").rpartition(":")[0]
        if host not in (HOST, "localhost"):
            self.send_error(403, f"this server answers for {HOST} only")
            return False
        return True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of requests."""
