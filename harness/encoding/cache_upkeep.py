"""Upkeep of the vector cache: how much it holds, whether its blocks are valid, and what is evicted when it is full."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.encoding import vector_files
from harness.errors import HarnessError

_STALE_SECONDS = 24 * 3600
DEFAULT_GIB = 20.0
_MEASURED_EVERY = 0.05
"""Of the limit: after how much writing the cache is measured, and how much room is made when it is full."""


class Usage(NamedTuple):
    """One namespace on disk.

    Attributes:
        identity: everything besides the texts that made its vectors; empty where that cannot be read.
        used: when it was last used, in seconds since 1970.
    """

    namespace: str
    identity: Mapping[str, Any]
    blocks: int
    bytes: int
    used: float


def limit_bytes() -> int:
    """The largest size of the cache in bytes: `$HARNESS_STORE_GIB`, else 20 GiB.

    Raises:
        HarnessError: the variable holds something else than a finite number that is not negative.
    """
    text = os.environ.get("HARNESS_STORE_GIB") or str(DEFAULT_GIB)
    try:
        gib = float(text)
    except ValueError:
        gib = math.nan
    if not 0 <= gib < math.inf:
        raise HarnessError(
            f"HARNESS_STORE_GIB={text[:40]!r}: expected the largest size of the vector cache in gibibytes, 0 or more"
        )
    return int(min(gib * 2**30, float(sys.maxsize)))


def usage(root: Path | None = None) -> list[Usage]:
    """Every namespace on disk, most recently used first."""
    usages = []
    for path in vector_files.namespaces(root or vector_files.folder()):
        try:
            identity = json.loads((path / vector_files.DESCRIPTION).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            identity = {}
        blocks = [status for file in vector_files.blocks(path) if (status := vector_files.status(file))]
        if blocks:
            size, used = sum(block.st_size for block in blocks), max(block.st_mtime for block in blocks)
            usages.append(Usage(path.name, identity if isinstance(identity, dict) else {}, len(blocks), size, used))
    return sorted(usages, key=lambda namespace: -namespace.used)


class CheckedBlocks(NamedTuple):
    """How many blocks are valid, and the files of the others, which are removed."""

    valid: int
    removed: list[str]


def verify(root: Path | None = None) -> CheckedBlocks:
    """Check the content of every block against its name."""
    valid, removed = 0, []
    for path in vector_files.namespaces(root or vector_files.folder()):
        for file in vector_files.blocks(path):
            if vector_files.valid_block(file) is None:
                removed.append(str(file))
            else:
                valid += 1
    return CheckedBlocks(valid, removed)


def clear(root: Path | None = None, *, namespaces: Sequence[str] | None = None) -> int:
    """Remove all blocks, or those of some namespaces; returns the number of bytes freed.

    Only files that are named as the cache names them are removed, and no link is followed.
    """
    freed = 0
    for path in vector_files.namespaces(root or vector_files.folder()):
        if namespaces is not None and path.name not in namespaces:
            continue
        for file in (*vector_files.blocks(path), *vector_files.temporary_files(path), path / vector_files.DESCRIPTION):
            status = vector_files.status(file)
            with contextlib.suppress(OSError):
                file.unlink()
                freed += status.st_size if status else 0
        with contextlib.suppress(OSError):
            path.rmdir()
    return freed


class Room:
    """Keeps a cache under its limit while this process writes blocks, at a constant cost for each.

    The whole cache is measured when the first block is written, and again when this process has written a twentieth of
    the limit, for other processes write too.
    """

    def __init__(self, root: Path) -> None:
        limit_bytes()  # refuses what is no size before anything is encoded
        self._root = root
        self._size: int | None = None
        self._written = 0

    def take(self, count: int) -> None:
        """Note that a block of so many bytes was written; evict others where the cache is too large now."""
        limit = limit_bytes()
        self._written += count
        if self._size is None or self._written > limit * _MEASURED_EVERY:
            self._size, self._written = size(self._root), 0
        else:
            self._size += count
        if self._size > limit:
            evict(int(limit * (1 - _MEASURED_EVERY)), root=self._root)
            self._size, self._written = size(self._root), 0


def size(root: Path | None = None) -> int:
    """How many bytes the blocks of the cache take."""
    folders = vector_files.namespaces(root or vector_files.folder())
    return sum(
        status.st_size
        for folder in folders
        for file in vector_files.blocks(folder)
        if (status := vector_files.status(file))
    )


def evict(limit: int | None = None, *, root: Path | None = None) -> int:
    """Remove blocks, those used longest ago first, until the cache holds at most `limit` bytes.

    Temporary files that a killed process left behind are removed too.

    Returns:
        The number of bytes freed.
    """
    limit = limit_bytes() if limit is None else limit
    files: list[tuple[float, int, Path]] = []
    for path in vector_files.namespaces(root or vector_files.folder()):
        for file in vector_files.blocks(path):
            status = vector_files.status(file)
            if status is not None:
                files.append((status.st_mtime, status.st_size, file))
        for file in vector_files.temporary_files(path):
            status = vector_files.status(file)
            if status is not None and time.time() - status.st_mtime > _STALE_SECONDS:
                with contextlib.suppress(OSError):
                    file.unlink()
    total, freed = sum(size for _, size, _ in files), 0
    for _, size, file in sorted(files, key=lambda block: block[:2]):
        if total - freed <= limit:
            break
        with contextlib.suppress(OSError):
            file.unlink()
            freed += size
    return freed
