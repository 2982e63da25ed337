"""Progress bars of the hub's client, and of libraries with the same switches, hidden for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def hidden_bars(library: Any = None) -> Iterator[None]:
    """Show no progress bars of the library while the block runs; afterwards they are as they were.

    Args:
        library: a module with the functions `are_progress_bars_disabled`, `disable_progress_bars` and
            `enable_progress_bars`, as `datasets.utils`; `huggingface_hub.utils` if None.
    """
    if library is None:
        from huggingface_hub import utils

        library = utils
    hidden_before = library.are_progress_bars_disabled()
    if not hidden_before:
        library.disable_progress_bars()
    try:
        yield
    finally:
        if hidden_before != library.are_progress_bars_disabled():
            restore = library.disable_progress_bars if hidden_before else library.enable_progress_bars
            restore()
