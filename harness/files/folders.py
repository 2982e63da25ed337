"""Where caches and results lie."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import HarnessError, UnknownName


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with `~` replaced by the home directory.

    Raises:
        HarnessError: the system knows no such home directory, as in many containers.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as err:
        raise HarnessError(
            f"{path}: no home directory is known for the `~`; write the whole path (of the cache: in HARNESS_CACHE)"
        ) from err


def cache_folder() -> Path:
    """`$HARNESS_CACHE`, else `~/.cache/embedding-harness`: logs, manifests and digests; safe to delete."""
    return expanded(os.environ.get("HARNESS_CACHE") or "~/.cache/embedding-harness")


def results_folder(folder: str | os.PathLike[str] | None) -> Path:
    """`folder`, else `$HARNESS_RESULTS`, else `results`."""
    return expanded(folder or os.environ.get("HARNESS_RESULTS") or "results")


def existing_results(folder: str | os.PathLike[str] | None) -> Path:
    """As `results_folder`, for commands that read records.

    Raises:
        UnknownName: there is no such folder.
    """
    path = results_folder(folder)
    if not path.is_dir():
        raise UnknownName(f"no results folder {path}; run `harness run` first, or name one with --results")
    return path
