"""The files of the vector cache: a block is named after its content and its namespace, and never changed.

<folder>/<namespace>/namespace.json        what decides a vector besides its text, readable
<folder>/<namespace>/<digest>.safetensors  a block: keys, vectors, token counts
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.files.folders import cache_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
SUFFIX = ".safetensors"
DESCRIPTION = "namespace.json"
_NAME = re.compile(r"[0-9a-f]{32}")
_TEMPORARY = re.compile(r"\.(?:[0-9a-f]{32}\.safetensors|namespace\.json)\.[0-9a-f]{16}\.tmp")
_TENSORS = ("keys", "rows", "tokens", "truncated")
_HEADER_BYTES = 4096
"""More than the header of a block, which names four tensors and a namespace."""


def folder() -> Path:
    """The folder of the vector cache: `embeddings` in the cache folder."""
    return cache_folder() / "embeddings"


def namespaces(root: Path) -> list[Path]:
    """The folders of all namespaces: what bears other names, or is a link, is somebody else's."""
    return [path for path in files(root) if _NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink()]


def files(folder: Path) -> list[Path]:
    """The files and folders in a folder, sorted; none where another process has just removed it."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def block_names(folder: Path) -> list[str]:
    """The names of the blocks in a folder, in any order; none where another process has just removed it.

    Links, and files that are not named as blocks are, belong to somebody else.
    """
    try:
        with os.scandir(folder) as entries:
            return [entry.name[: -len(SUFFIX)] for entry in entries if _is_block(entry)]
    except OSError:
        return []


def blocks(folder: Path) -> list[Path]:
    """The files of the blocks in a folder, sorted."""
    return [folder / f"{name}{SUFFIX}" for name in sorted(block_names(folder))]


def temporary_files(folder: Path) -> list[Path]:
    """What writers are about to rename, or left behind when they were killed."""
    return [file for file in files(folder) if _TEMPORARY.fullmatch(file.name) and not file.is_symlink()]


def _is_block(entry: os.DirEntry[str]) -> bool:
    stem, suffix = entry.name[: -len(SUFFIX)], entry.name[-len(SUFFIX) :]
    return suffix == SUFFIX and _NAME.fullmatch(stem) is not None and entry.is_file(follow_symlinks=False)


def digest(namespace: str, tensors: Mapping[str, NDArray[Any]]) -> str:
    """The name of a block, from its content and its namespace: a block that was moved no longer matches its name."""
    sha = hashlib.sha256(namespace.encode())
    for name in _TENSORS:
        sha.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        sha.update(np.ascontiguousarray(tensors[name]).data)
    return sha.hexdigest()[:32]


class BlockFile(NamedTuple):
    """A block as it is written: its name, and the bytes of its file."""

    name: str
    content: bytes


def as_block(namespace: str, tensors: Mapping[str, NDArray[Any]]) -> BlockFile:
    """The file of these tensors."""
    from safetensors.numpy import save

    content = save(dict(tensors), metadata={"namespace": namespace, "format": str(FORMAT)})
    return BlockFile(digest(namespace, tensors), content)


def valid_block(file: Path) -> Mapping[str, NDArray[Any]] | None:
    """The tensors of a block; None where its content does not match its name, and then the file is removed."""
    tensors = read_block(file)
    if tensors is None or set(tensors) != set(_TENSORS) or digest(file.parent.name, tensors) != file.stem:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
        return None
    return tensors


def read_block(file: Path) -> dict[str, NDArray[Any]] | None:
    """All tensors of a block, unchecked; None where the file is not a block."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as tensors:
            return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None


def read_keys(file: Path) -> NDArray[np.uint8] | None:
    """The keys of a block, (n, 16) uint8, unchecked; None where the file is not a block.

    Only the header and the keys are read, in a tenth of the time that safetensors takes to open a file.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError:
        return None
    try:
        start = os.read(descriptor, _HEADER_BYTES)
        size = int.from_bytes(start[:8], "little")
        place = _place_of_keys(start[8 : 8 + size]) if 0 < size <= len(start) - 8 else None
        if place is None:
            return None
        os.lseek(descriptor, 8 + size + place.start, os.SEEK_SET)
        keys = np.frombuffer(os.read(descriptor, 16 * place.number), dtype=np.uint8)
        return keys.reshape(place.number, 16) if len(keys) == 16 * place.number else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


class _PlaceOfKeys(NamedTuple):
    """Where the keys of a block begin after its header, in bytes, and how many there are."""

    start: int
    number: int


@functools.lru_cache(maxsize=4096)
def _place_of_keys(header: bytes) -> _PlaceOfKeys | None:
    """Where the header of a safetensors file says that its keys are; blocks of one size have one header."""
    try:
        keys = json.loads(header)["keys"]
        (start, end), (count, width) = keys["data_offsets"], keys["shape"]
        is_right = keys["dtype"] == "U8" and width == 16 and start >= 0 and end - start == 16 * count
    except (ValueError, KeyError, TypeError):
        return None
    return _PlaceOfKeys(start, count) if is_right and isinstance(count, int) and isinstance(start, int) else None


def status(file: Path) -> os.stat_result | None:
    """Size and times of a file; None where another process has just removed it."""
    try:
        return file.stat()
    except OSError:
        return None
