"""The files of the embedding store: a block is named after its content and its namespace, and never changed.

<folder>/<namespace>/namespace.json        what decides a vector besides its text, readable
<folder>/<namespace>/<digest>.safetensors  a block: keys, vectors, token counts
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.files.folders import cache_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
SUFFIX = ".safetensors"
_TENSORS = ("keys", "rows", "tokens", "truncated")


def folder() -> Path:
    """Where the store lies: `embeddings` in the cache folder."""
    return cache_folder() / "embeddings"


def namespaces(root: Path) -> list[Path]:
    """The folders of all namespaces."""
    return [path for path in files(root) if path.is_dir()]


def files(folder: Path) -> list[Path]:
    """What lies in a folder, by name; nothing where another process has just removed it."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def digest(namespace: str, tensors: Mapping[str, NDArray[Any]]) -> str:
    """The name of a block: content and namespace, so that a block moved to another namespace no longer fits it."""
    sha = hashlib.sha256(namespace.encode())
    for name in _TENSORS:
        sha.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        sha.update(np.ascontiguousarray(tensors[name]).data)
    return sha.hexdigest()[:32]


def sound(file: Path) -> Mapping[str, NDArray[Any]] | None:
    """A block that is what its name says; else None, and the file is gone."""
    tensors = opened(file)
    if tensors is None or set(tensors) != set(_TENSORS) or digest(file.parent.name, tensors) != file.stem:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
        return None
    return tensors


def opened(file: Path, *, only: str | None = None) -> dict[str, NDArray[Any]] | None:
    """The tensors of a block, or one of them; None where the file is not a block."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as tensors:
            return {name: tensors.get_tensor(name) for name in tensors.keys() if only in (None, name)}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None


def state(file: Path) -> os.stat_result | None:
    """Size and times of a file; None where it has just gone."""
    try:
        return file.stat()
    except OSError:
        return None
