"""Environment variables that a command needs in its process, for as long as it runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def default_variables(**values: str) -> Iterator[None]:
    """Set the variables that the caller has not set, and unset them when the block ends."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
