"""Files that are kept for later with a digest of what they hold, which is checked before anything parses them.

A file of the cache begins with a line `sha256:<64 hexadecimal digits>`: the digest of its own name and of all that
follows, so that a file that was damaged or moved is no file. A JSON object that other programs read has the digest of
the rest as its last key.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from harness.files.atomic import write_cache

_MARK = b"sha256:"
_HEADER = len(_MARK) + 64 + 1
_LAST_KEY = re.compile(rb',?"digest":"([0-9a-f]{64})"\}\s*\Z')


def write(path: Path, content: str | bytes) -> None:
    """Write a file of the cache, and its folder if absent; nothing is raised where the disk refuses."""
    write_cache(path, sealed(path, content.encode() if isinstance(content, str) else content))


def sealed(path: Path, body: bytes) -> bytes:
    """What a file of this name holds so that `read` returns `body`."""
    return _header(path, body) + body


def read(path: Path) -> bytes | None:
    """What `write` was given; None where there is no file, or another one, or a damaged one."""
    try:
        if not path.is_file():
            return None
        data = path.read_bytes()
    except (OSError, ValueError):
        return None
    body = data[_HEADER:]
    return body if data[:_HEADER] == _header(path, body) else None


def read_json(path: Path) -> Any:
    """The JSON value in a file of the cache; None as for `read`."""
    body = read(path)
    return None if body is None else json.loads(body)


def with_digest(json_object: bytes) -> bytes:
    """The text of a JSON object with its digest as the last key."""
    rest = json_object.rstrip().removesuffix(b"}")
    comma = b"" if rest.rstrip().endswith(b"{") else b","
    return rest + comma + b'"digest":"' + hashlib.sha256(json_object).hexdigest().encode() + b'"}'


def without_digest(data: bytes) -> bytes | None:
    """The text that `with_digest` was given; None where it lacks the digest or was damaged."""
    last = _LAST_KEY.search(data)
    if last is None:
        return None
    json_object = data[: last.start()] + b"}"
    return json_object if hashlib.sha256(json_object).hexdigest().encode() == last[1] else None


def _header(path: Path, body: bytes) -> bytes:
    sha = hashlib.sha256(path.name.encode(errors="surrogateescape") + b"\n")
    sha.update(body)
    return _MARK + sha.hexdigest().encode() + b"\n"
