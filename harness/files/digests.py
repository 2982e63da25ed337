"""Files identified by their content, for local tasks have no revision to go by. Light, because every plan asks."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath

from harness.errors import DataError
from harness.files.file_trees import files_below
from harness.types import TaskSpec

LOCAL_SUFFIXES = (".jsonl", ".csv", ".tsv", ".parquet")


def digests(task: TaskSpec) -> dict[str, str]:
    """sha256 of every data file of a local task, which has no revision to go by.

    Raises:
        DataError: the source does not exist, or cannot be read.
    """
    root = Path(task.file).parent / task.source.path
    files = [root] if root.is_file() else _tables_below(root)
    if not files:
        raise DataError(f"{task.name}: no data at {root}; source of {task.file}")
    # Named by the spec's own path and not by where it lies, so that a record holds from every working directory.
    named = PurePosixPath(task.source.path).name
    return {(PurePosixPath(named) / path.relative_to(root).as_posix()).as_posix(): _of_data(path) for path in files}


def sha256(path: Path) -> str:
    """Of a file's content, in hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    sha = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


def _tables_below(root: Path) -> list[Path]:
    try:
        return [path for path in files_below(root) if path.suffix in LOCAL_SUFFIXES]
    except FileNotFoundError:
        return []
    except OSError as err:
        raise DataError(f"{err.filename}: cannot be listed ({err.strerror})") from err


def _of_data(path: Path) -> str:
    try:
        return sha256(path)
    except OSError as err:
        raise DataError(f"{path}: cannot be read ({err.strerror})") from err
