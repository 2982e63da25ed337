"""The digest of a record's content, which is stored in its file to detect later changes of the file (pure).

It is the sha256 of the file's text without the line of the digest, `harness.digest`, which has a fixed place. A file
with another layout (indentation, order of keys) counts as unchanged: `json_format` restores the writer's layout before
it compares.
"""

from __future__ import annotations

import hashlib
import re

KEY = "digest"
PLACEHOLDER = "0" * 64
"""Stands for the digest in a text whose digest is not computed yet."""
_LINE = re.compile(rb'\n    "digest": "([0-9a-f]{64})",|,\n    "digest": "([0-9a-f]{64})"(?=\n  \})')
"""The digest at a depth of two levels, where besides lists only values of the key `harness` are; with its comma."""


def digest_of(text: str | bytes) -> str:
    """The digest for a file with this text, which does not hold the digest yet."""
    return hashlib.sha256(text.encode(errors="surrogatepass") if isinstance(text, str) else text).hexdigest()


def filled_in(text: str) -> str:
    """The text with its digest in the place of `PLACEHOLDER`."""
    data = text.encode()
    line = _LINE.search(data)
    assert line is not None, "the writer puts the digest at its place"
    digest = digest_of(data[: line.start()] + data[line.end() :])
    place = text.index(PLACEHOLDER, len(data[: line.start()].decode()))
    return text[:place] + digest + text[place + len(PLACEHOLDER) :]


def is_as_written(data: bytes) -> bool:
    """Whether a file's bytes hold a digest that fits them."""
    line = _LINE.search(data)
    return line is not None and digest_of(data[: line.start()] + data[line.end() :]) == (line[1] or line[2]).decode()
