"""The run environment, what a number was measured with: versions, platform, machine, memory. Imports no package."""

from __future__ import annotations

import functools
import hashlib
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
    *("peft", "pylate", "onnxruntime", "openvino", "llama-cpp-python"),
)


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    installed = [("python", platform.python_version())]
    for name in PACKAGES:
        try:
            installed.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return tuple(installed)


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
