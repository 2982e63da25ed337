"""The digest of a record's content, which its file carries so that a later change of the file is noticed (pure).

It is the sha256 of the file's text without the line that holds the digest: `harness.digest`, written at a fixed place.
A file that was laid out anew (other indentation, other order of keys) is still intact; `json_format` restores the
writer's layout before it compares.
"""

from __future__ import annotations

import hashlib
import re

KEY = "digest"
_LINE = re.compile(rb'\n    "digest": "([0-9a-f]{64})",|,\n    "digest": "([0-9a-f]{64})"(?=\n  \})')
"""Two levels deep, where besides lists only values of the key `harness` stand; with the comma that goes with it."""


def digest_of(text: str | bytes) -> str:
    """The digest for a file whose text is `text` but for the digest."""
    return hashlib.sha256(text.encode(errors="surrogatepass") if isinstance(text, str) else text).hexdigest()


def is_as_written(data: bytes) -> bool:
    """Whether a file's bytes hold a digest and are those that it was made of."""
    line = _LINE.search(data)
    return line is not None and digest_of(data[: line.start()] + data[line.end() :]) == (line[1] or line[2]).decode()
