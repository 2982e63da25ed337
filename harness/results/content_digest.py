"""The digest of a record's content, which is stored in its file to detect later changes of the file (pure).

It is the sha256 of the file's text without the line of the digest, `harness.digest`, which has a fixed place. A file
with another layout (indentation, order of keys) counts as unchanged: `json_format` restores the writer's layout before
it compares.
"""

from __future__ import annotations

import hashlib
import re

KEY = "digest"
_LINE = re.compile(rb'\n    "digest": "([0-9a-f]{64})",|,\n    "digest": "([0-9a-f]{64})"(?=\n  \})')
"""The digest at a depth of two levels, where besides lists only values of the key `harness` are; with its comma."""


def digest_of(text: str | bytes) -> str:
    """The digest for a file with this text, which does not hold the digest yet."""
    return hashlib.sha256(text.encode(errors="surrogatepass") if isinstance(text, str) else text).hexdigest()


def is_as_written(data: bytes) -> bool:
    """Whether a file's bytes hold a digest that fits them."""
    line = _LINE.search(data)
    return line is not None and digest_of(data[: line.start()] + data[line.end() :]) == (line[1] or line[2]).decode()
