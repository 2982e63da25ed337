"""The files of the vector cache: a block is named after its content and its namespace, and never changed.

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
    """The folder of the vector cache: `embeddings` in the cache folder."""
    return cache_folder() / "embeddings"


def namespaces(root: Path) -> list[Path]:
    """The folders of all namespaces."""
    return [path for path in files(root) if path.is_dir()]


def files(folder: Path) -> list[Path]:
    """The files and folders in a folder, sorted; none where another process has just removed it."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def digest(namespace: str, tensors: Mapping[str, NDArray[Any]]) -> str:
    """The name of a block, from its content and its namespace: a block that was moved no longer matches its name."""
    sha = hashlib.sha256(namespace.encode())
    for name in _TENSORS:
        sha.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        sha.update(np.ascontiguousarray(tensors[name]).data)
    return sha.hexdigest()[:32]


def valid_block(file: Path) -> Mapping[str, NDArray[Any]] | None:
    """The tensors of a block; None where its content does not match its name, and then the file is removed."""
    tensors = read_block(file)
    if tensors is None or set(tensors) != set(_TENSORS) or digest(file.parent.name, tensors) != file.stem:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
        return None
    return tensors


def read_block(file: Path, *, only: str | None = None) -> dict[str, NDArray[Any]] | None:
    """All tensors of a block, or the one named `only`, unchecked; None where the file is not a block."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as tensors:
            return {name: tensors.get_tensor(name) for name in tensors.keys() if only in (None, name)}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None


def status(file: Path) -> os.stat_result | None:
    """Size and times of a file; None where another process has just removed it."""
    try:
        return file.stat()
    except OSError:
        return None
