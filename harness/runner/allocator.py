"""The process's memory allocator, told to keep what it frees (Linux with glibc; elsewhere nothing happens).

A forward pass on a CPU allocates and frees arrays of some megabytes hundreds of times a second. By default glibc gives
each of them back to the system and gets it again page by page, which can take longer than the arithmetic in between.
"""

from __future__ import annotations

import ctypes
import functools
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST = 1 << 25
"""Above 32 MiB, the most that every glibc accepts, arrays are still mapped and given back one by one."""
_KEPT = 1 << 30


@functools.cache
def keep_freed() -> bool:
    """Reuse freed memory up to 1 GiB instead of giving it back at once; whether the allocator could be told."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST)) and bool(mallopt(_TRIM_THRESHOLD, _KEPT))
