"""Makes the process's memory allocator keep freed memory (Linux with glibc only; does nothing elsewhere).

A forward pass on a CPU allocates and frees arrays of some megabytes hundreds of times a second. By default glibc
returns each to the system and gets it back page by page, which can take longer than the arithmetic in between.
"""

from __future__ import annotations

import ctypes
import functools
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST = 1 << 25
"""32 MiB, the largest value that every glibc accepts. Larger arrays are still mapped and returned one by one."""
_KEPT = 1 << 30


@functools.cache
def keep_freed() -> bool:
    """Keep up to 1 GiB of freed memory for reuse; returns whether the allocator has this setting."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST)) and bool(mallopt(_TRIM_THRESHOLD, _KEPT))
