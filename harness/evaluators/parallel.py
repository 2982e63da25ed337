"""Many small problems side by side, each on one thread.

A regression on a few hundred rows costs more in the threads of the linear algebra library than it gains: ten
regressions of 160 rows and 20 classes take 0.12 s of processor time with one thread each, and 4.6 s with two each.
A problem's result does not depend on the number of cores.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _OneBlasThread:
    """One thread for the linear algebra library of the whole process, from the first who asks to the last who leaves.

    A thread of its own sets the limit and takes it back, for threadpoolctl 3.8 heeds only the first thread that ever
    set one for as long as that thread lives: a search in the main thread would leave regressions in another unlimited.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._over = threading.Event()
        self._holder = threading.Thread()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                held, self._over = threading.Event(), threading.Event()
                self._holder = threading.Thread(target=_hold, args=(held, self._over), daemon=True)
                self._holder.start()
                held.wait()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._over.set()
                self._holder.join()


def _hold(held: threading.Event, over: threading.Event) -> None:
    import threadpoolctl

    forget = getattr(threadpoolctl.OpenBLASController, "clear_controlling_thread", None)
    try:
        if forget is not None:
            forget(force=True)
        with threadpoolctl.threadpool_limits(limits=1, user_api="blas"):
            held.set()
            over.wait()
    finally:
        held.set()


_ONE_BLAS_THREAD = _OneBlasThread()


def each(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """`function` of every item, in order; the first error is raised."""
    from threadpoolctl import threadpool_limits

    def limit_this_thread() -> None:
        threadpool_limits(limits=1, user_api="openmp")  # counts by thread; BLAS counts by process

    with (
        _ONE_BLAS_THREAD,
        ThreadPoolExecutor(cores(), "score", initializer=limit_this_thread) as executor,
    ):
        return list(executor.map(function, items))
