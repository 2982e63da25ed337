"""What a number was measured with: versions and platform, without importing what they name."""

from __future__ import annotations

import functools
import platform
from importlib import metadata

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
