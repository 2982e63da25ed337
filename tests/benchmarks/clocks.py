"""How the benchmarks measure: medians of paired runs, and the peak memory of one process."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import TypeVar

PAIRS = 3
"""Both sides are measured in turn so many times, so that a busy moment hits both; the middle pair counts."""

_Measured = TypeVar("_Measured")


def pairs(theirs: Callable[[], _Measured], ours: Callable[[], _Measured]) -> list[tuple[_Measured, _Measured]]:
    """What each side measures, in turn."""
    return [(theirs(), ours()) for _ in range(PAIRS)]


def median(values: Sequence[float]) -> float:
    """The one in the middle."""
    return statistics.median(values)


def peak_kib() -> int:
    """Peak memory of this process alone, on Linux.

    `ru_maxrss` is no less than what the process that started this one held.
    """
    with open("/proc/self/status", encoding="utf-8") as status:  # noqa: PTH123
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
