"""The embedding store as a whole: how much lies there, whether it is sound, and what goes when it grows too large."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.encoding import vector_files

_STALE_SECONDS = 24 * 3600
DEFAULT_GIB = 20.0


class Usage(NamedTuple):
    """One namespace on disk: what made it, how many blocks and bytes, when it was last used (seconds since 1970)."""

    namespace: str
    identity: Mapping[str, Any]
    blocks: int
    bytes: int
    used: float


def limit_bytes() -> int:
    """The size that the store is kept under: `$HARNESS_STORE_GIB`, else 20 GiB."""
    try:
        gib = float(os.environ.get("HARNESS_STORE_GIB") or DEFAULT_GIB)
    except ValueError:
        gib = DEFAULT_GIB
    return int(gib * 2**30)


def usage(root: Path | None = None) -> list[Usage]:
    """Every namespace on disk, most recently used first."""
    found = []
    for path in vector_files.namespaces(root or vector_files.folder()):
        try:
            identity = json.loads((path / "namespace.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            identity = {}
        states = [state for file in path.glob(f"*{vector_files.SUFFIX}") if (state := vector_files.state(file))]
        if states:
            size, used = sum(state.st_size for state in states), max(state.st_mtime for state in states)
            found.append(Usage(path.name, identity if isinstance(identity, dict) else {}, len(states), size, used))
    return sorted(found, key=lambda one: -one.used)


def verify(root: Path | None = None) -> tuple[int, list[str]]:
    """Check every block against its name: how many are sound, and the files that are not (they are removed)."""
    sound, broken = 0, []
    for path in vector_files.namespaces(root or vector_files.folder()):
        for file in sorted(path.glob(f"*{vector_files.SUFFIX}")):
            if vector_files.sound(file) is None:
                broken.append(str(file))
            else:
                sound += 1
    return sound, broken


def clear(root: Path | None = None, *, namespaces: Sequence[str] | None = None) -> int:
    """Remove all blocks, or those of some namespaces; the bytes that came free."""
    freed = 0
    for path in vector_files.namespaces(root or vector_files.folder()):
        if namespaces is not None and path.name not in namespaces:
            continue
        for file in vector_files.files(path):
            state = vector_files.state(file)
            with contextlib.suppress(OSError):
                file.unlink()
                freed += state.st_size if state else 0
        with contextlib.suppress(OSError):
            path.rmdir()
    return freed


def evict(limit: int | None = None, *, root: Path | None = None) -> int:
    """Remove the blocks that were used longest ago until the store is smaller than `limit` bytes; the bytes freed.

    Temporary files that a killed process left behind go too.
    """
    limit = limit_bytes() if limit is None else limit
    files: list[tuple[float, int, Path]] = []
    for path in vector_files.namespaces(root or vector_files.folder()):
        for file in vector_files.files(path):
            state = vector_files.state(file)
            if state is None:
                continue
            if file.suffix == vector_files.SUFFIX and not file.name.startswith("."):
                files.append((state.st_mtime, state.st_size, file))
            elif file.name.startswith(".") and time.time() - state.st_mtime > _STALE_SECONDS:
                with contextlib.suppress(OSError):
                    file.unlink()
    total, freed = sum(size for _, size, _ in files), 0
    for _, size, file in sorted(files, key=lambda one: one[:2]):
        if total - freed <= limit:
            break
        with contextlib.suppress(OSError):
            file.unlink()
            freed += size
    return freed
