"""The lock of a folder, held against other threads and processes. The system releases it however a process ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from harness.errors import HarnessError, RecordError

LOCK = ".harness.lock"
LOCK_SECONDS = 60.0
"""A results folder is locked for one read and two writes; whoever waits longer has met a process that hangs."""


class LockHeld(HarnessError):
    """Another thread or process holds the lock."""

    default_kind = "transient"


@contextlib.contextmanager
def locked(folder: Path, *, name: str = LOCK, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Make `folder` if absent and hold its lock.

    Args:
        folder: what is locked.
        name: of the lock's file in it.
        seconds: how long to wait for another holder.

    Raises:
        LockHeld: another thread or process still holds it after this time.
        RecordError: the file system cannot lock.
        OSError: the disk refuses.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / name, timeout=seconds)
    try:
        lock.acquire()
    except Timeout as err:
        raise LockHeld(
            f"{folder / name}: another process has held it for {seconds:.0f} seconds; end that process and run again"
        ) from err
    except NotImplementedError as err:
        raise RecordError(
            f"{folder}: its file system cannot lock files; choose a folder on another disk", kind="request"
        ) from err
    try:
        yield
    finally:
        lock.release()
