"""Where caches and results lie."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import UnknownName


def cache_folder() -> Path:
    """`$HARNESS_CACHE`, else `~/.cache/embedding-harness`: logs, manifests and digests; safe to delete."""
    return Path(os.environ.get("HARNESS_CACHE") or "~/.cache/embedding-harness").expanduser()


def results_folder(folder: str | os.PathLike[str] | None) -> Path:
    """`folder`, else `$HARNESS_RESULTS`, else `results`."""
    return Path(folder or os.environ.get("HARNESS_RESULTS") or "results").expanduser()


def existing_results(folder: str | os.PathLike[str] | None) -> Path:
    """As `results_folder`, for commands that read records.

    Raises:
        UnknownName: there is no such folder.
    """
    path = results_folder(folder)
    if not path.is_dir():
        raise UnknownName(f"no results folder {path}; run `harness run` first, or name one with --results")
    return path
