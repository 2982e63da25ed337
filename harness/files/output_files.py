"""Outputs on disk: written whole or not at all, and left alone where nothing changed."""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError, kind_of
from harness.files.disk import replace


def write(path: Path, content: str | bytes) -> bool:
    """Write a file, its folder too if absent; the file is at every moment the old one or the new one.

    Returns:
        Whether it changed; an equal file keeps its time stamp.

    Raises:
        HarnessError: the disk refuses.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.is_file() and path.read_bytes() == data:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, data)
    except OSError as err:
        raise HarnessError(
            f"{path}: cannot be written: {err.strerror or err}; choose another place",
            kind=kind_of(err, otherwise="request"),
        ) from err
    return True
