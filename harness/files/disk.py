"""Files read and written with care: bounded reads, atomic writes under a lock, and refusals that say what to do.

Reading and writing raise OSError; `on_disk`, at the outer edge, makes one RecordError of it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.errors import FULL, RecordError, kind_of

MAX_BYTES = 64 * 2**20
LOCK = ".harness.lock"
LOCK_SECONDS = 60.0
"""A lock is held for one read and two writes; whoever waits longer has met a process that hangs."""


def read_text(path: Path) -> str:
    """A file's UTF-8 text.

    Raises:
        RecordError: Not a regular file (reading a pipe would never end), more than 64 MiB, or not UTF-8.
        OSError: The disk refuses.
    """
    if not path.is_file():
        raise RecordError(f"{path}: not a regular file")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise RecordError(f"{path}: {size} bytes, more than {MAX_BYTES}: not a result file")
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as err:
        raise RecordError(f"{path}: not UTF-8 text (byte {err.start}): not a result file") from err


def check_inside(path: Path, root: Path) -> None:
    """Raises RecordError where a symbolic link on the way leads out of `root`."""
    if not path.resolve().is_relative_to(root.resolve()):
        raise RecordError(f"{path}: a symbolic link leads out of {root}; replace it by what it points to")


def replace_if_different(path: Path, text: str) -> None:
    """As `replace`, but an unchanged file keeps its time stamp."""
    if not path.is_file() or path.read_bytes() != text.encode():
        replace(path, text)


def replace(path: Path, content: str | bytes) -> None:
    """Write `content`, text as UTF-8: readers and a crash see the old file or the new one; an error leaves no other.

    Under the lock only: the temporary file's name is fixed, so that the next writer sweeps up after a killed one.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - the one call that tests make fail
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Make the new name survive a power cut; Windows has no such call."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Make the folder `root` if absent and hold its lock, against other threads and processes.

    Raises:
        RecordError: Somebody else holds it for a minute, or the file system cannot lock.
        OSError: The disk refuses.
    """
    from filelock import FileLock, Timeout

    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / LOCK, timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout as err:
        raise RecordError(
            f"{root / LOCK}: another process has held it for {LOCK_SECONDS:.0f} seconds; "
            "end that process and run again",
            kind="transient",
        ) from err
    except NotImplementedError as err:
        raise RecordError(
            f"{root}: its file system cannot lock files; choose a results folder on another disk", kind="request"
        ) from err
    try:
        yield
    finally:
        lock.release()


_WHAT_TO_DO: Mapping[int, str] = {
    **dict.fromkeys(FULL, "free some space and run again"),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS), "change its permissions or choose another results folder"
    ),
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST, errno.EISDIR), "move away what lies there or choose another folder"),
    errno.ENAMETOOLONG: "choose a results folder with a shorter path",
}


@contextlib.contextmanager
def on_disk(path: Path, done: str) -> Iterator[None]:
    """The disk's refusals as one clear message, whose kind is `disk` where the disk is full."""
    try:
        yield
    except OSError as err:
        advice = _WHAT_TO_DO.get(err.errno or 0, "check the disk and run again")
        raise RecordError(
            f"{err.filename or path}: cannot be {done}: {err.strerror or err}; {advice}",
            kind=kind_of(err, otherwise="request"),
        ) from err
