"""Files read with suspicion: regular, of bounded size, UTF-8, and inside the folder that they seem to lie in."""

from __future__ import annotations

from pathlib import Path

from harness.errors import RecordError

MAX_BYTES = 64 * 2**20


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
