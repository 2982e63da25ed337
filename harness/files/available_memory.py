"""How much memory of this machine is free for a run."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int | None:
    """Bytes that this process may still take; None where the system does not tell.

    What the system could free counts as available. A limit of the control group (of a container) counts too.
    """
    available = [number for number in (_of_system(), _of_group()) if number is not None]
    return min(available, default=None)


def _of_system() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _of_group() -> int | None:
    """What version 2 of Linux's control groups leaves; None without a limit."""
    with contextlib.suppress(OSError, ValueError):
        limit = int((_GROUP / "memory.max").read_text(encoding="ascii"))  # "max" where there is none
        return max(0, limit - int((_GROUP / "memory.current").read_text(encoding="ascii")))
    return None
