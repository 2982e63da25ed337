"""Temporary files beside the file that each of them becomes: their names, and what killed writers left."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import IO, NamedTuple

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed
    fcntl = None  # type: ignore[assignment]

_LONGEST = 200
"""Bytes of a name that a temporary file's name repeats; file systems allow 255."""
_NUMBER = re.compile(r"[0-9a-f]{16}")


def random_number() -> str:
    """16 random digits. A process number is not enough: containers that share a folder share those too."""
    return secrets.token_hex(8)


def place(path: Path, *, number: str) -> Path:
    """`.NAME.NUMBER.tmp` beside the file, `.NAME.tmp` without a number."""
    return path.with_name(f".{_stem(path)}{number and '.'}{number}.tmp")


class Opened(NamedTuple):
    """A new temporary file, empty and open for writing."""

    path: Path
    file: IO[bytes]


def opened(path: Path, *, numbered: bool) -> Opened:
    """A temporary file for `path`. A numbered one is locked while it is open, which tells others that its writer lives.

    Raises:
        OSError: the disk refuses.
    """
    if not numbered:
        temporary = place(path, number="")
        temporary.unlink(missing_ok=True)
        return Opened(temporary, temporary.open("xb"))
    while True:
        temporary = place(path, number=random_number())
        file = temporary.open("xb")
        if _is_held(temporary, file):
            return Opened(temporary, file)
        file.close()


def _is_held(temporary: Path, file: IO[bytes]) -> bool:
    """Lock a file that was just made; whether nobody removed it before that."""
    if fcntl is None:
        return True
    with contextlib.suppress(OSError):  # a file system without locks; nobody sweeps there either
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        return os.path.samestat(temporary.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def sweep(path: Path) -> None:
    """Remove the numbered temporary files of `path` that no living writer holds."""
    if fcntl is None:
        return
    before, after = f".{_stem(path)}.", ".tmp"
    with contextlib.suppress(OSError):
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(before) and entry.name.endswith(after)]
        for name in names:
            if _NUMBER.fullmatch(name[len(before) : -len(after)]):
                _remove_unless_held(path.with_name(name))


def _remove_unless_held(temporary: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            temporary.unlink()
        finally:
            os.close(descriptor)


def _stem(path: Path) -> str:
    name = path.name.encode(errors="surrogateescape")
    return path.name if len(name) <= _LONGEST else hashlib.sha256(name).hexdigest()[:32]
