"""What a number was measured with (versions and platform, without importing what they name), and the cache folder."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "embedding-harness",
    "mteb",
    "sentence-transformers",
    "transformers",
    "tokenizers",
    "torch",
    "datasets",
    "scikit-learn",
    "numpy",
    "bm25s",
)


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = [("python", platform.python_version())]
    for name in PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return tuple(found)


def versions() -> dict[str, str]:
    """Package -> installed version, for those that are installed."""
    return dict(_versions())


def platform_name() -> str:
    """Operating system and processor architecture."""
    return f"{platform.system()} {platform.machine()}"


@functools.cache
def machine() -> str:
    """Tells this machine from others in records, without giving away its name."""
    return hashlib.sha256(f"{platform.node()}\n{platform_name()}".encode()).hexdigest()[:12]


def peak_memory_mib() -> int | None:
    """The most memory that this process has held so far; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if platform.system() == "Darwin" else 2**10)


def cache_folder() -> Path:
    """`$HARNESS_CACHE`, else `~/.cache/embedding-harness`: logs, manifests and digests; safe to delete."""
    return Path(os.environ.get("HARNESS_CACHE") or "~/.cache/embedding-harness").expanduser()


def results_folder(folder: str | os.PathLike[str] | None) -> Path:
    """`folder`, else `$HARNESS_RESULTS`, else `results`."""
    return Path(folder or os.environ.get("HARNESS_RESULTS") or "results").expanduser()


def keep(file: Path, content: str | bytes) -> None:
    """Write a file of the cache atomically; a cache that cannot be written costs time, not results."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
