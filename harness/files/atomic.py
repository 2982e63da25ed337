"""The one way to write a file: a reader, or a crash, meets the old content or the new content, never a part of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.errors import HarnessError
from harness.files import temporary_files
from harness.files.disk_errors import on_disk


def write(
    path: Path,
    content: str | bytes,
    *,
    durable: bool = True,
    locked: bool = True,
    before_replacing: Callable[[Path], object] = lambda temporary: None,
) -> None:
    """Replace what a file holds by `content` (text as UTF-8). The folder must exist.

    Args:
        path: the file; absent or present.
        content: everything that it will hold.
        durable: whether the content must survive a power cut. A cache does without.
        locked: whether the caller keeps other writers of this file away. The temporary file then has a fixed name, so
            that the next writer removes what a killed one left. Else each writer, on whatever machine, has a temporary
            file of its own, and removes those whose writers have ended.
        before_replacing: called with the complete temporary file. The old file stays if it raises.

    Raises:
        OSError: the disk refuses. The old file stays and no temporary file is left.
    """
    if durable and not locked:
        temporary_files.sweep(path)
    temporary, file = temporary_files.opened(path, numbered=not locked)
    try:
        with file:
            file.write(_as_bytes(content))
            file.flush()
            if durable:
                os.fsync(file.fileno())
            before_replacing(temporary)
            if os.name != "posix":
                file.close()  # Windows replaces nothing by a file that is open
            os.replace(temporary, path)  # noqa: PTH105 - the one call that tests make fail
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def write_together(contents: Mapping[Path, bytes]) -> list[Path]:
    """Write new files of a cache that survive a power cut; the disk is waited for once for all, not once for each.

    Args:
        contents: file -> what it will hold. The folders must exist. Other processes may write the same files.

    Returns:
        The files that are written. A cache that cannot be written costs time, not results.
    """
    waiting: dict[Path, Path] = {}
    for path, content in contents.items():
        temporary = temporary_files.place(path, number=temporary_files.random_number())
        try:
            temporary.write_bytes(content)
            waiting[path] = temporary
        except OSError:
            _remove(temporary)
    written = []
    for path, temporary in waiting.items():
        try:
            _sync(temporary)
            os.replace(temporary, path)  # noqa: PTH105 - the one call that tests make fail
            written.append(path)
        except OSError:
            _remove(temporary)
    for folder in {path.parent for path in written}:
        with contextlib.suppress(OSError):
            _sync_folder(folder)
    return written


def write_if_different(path: Path, content: str | bytes, *, locked: bool = True) -> bool:
    """As `write`, but an equal file keeps its time stamp; whether it was written."""
    if path.is_file() and path.read_bytes() == _as_bytes(content):
        if not locked:
            temporary_files.sweep(path)
        return False
    write(path, content, locked=locked)
    return True


def write_output(path: Path, content: str | bytes) -> bool:
    """As `write_if_different`, for a file that the user asked for: its folder is made if absent.

    Raises:
        HarnessError: the disk refuses.
    """
    with on_disk(path, "written", error=HarnessError):
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_if_different(path, content, locked=False)


def write_cache(path: Path, content: str | bytes) -> None:
    """Write a file of a cache, and its folder if absent. A cache that cannot be written costs time, not results."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, content, durable=False, locked=False)


def _as_bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut; Windows has no such call."""
    if os.name == "posix":
        _sync(folder, flags=os.O_RDONLY)


def _sync(path: Path, *, flags: int = os.O_RDWR) -> None:
    """Wait until the disk has what was written to a file or folder."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
