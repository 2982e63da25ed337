"""Embedding store: vectors on disk, found again by what made them. `block_files` are its files, `upkeep` its keeper.

The name of a namespace is the digest of everything that decides a vector besides the text (model commit, prompt,
precision, maximum length, device, versions ...), and a key is the digest of the text: vectors of two models, prompts or
precisions cannot meet. A block is named after its content, written to a temporary name and renamed, and never changed:
many processes may write and read one store, and a process that is killed leaves whole blocks only. A block whose
content does not fit its name, or that belongs to another namespace, is as good as absent: its texts are encoded again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from harness.encoding import cache_upkeep, vector_files
from harness.files import atomic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float32

_EVICT_EVERY = 64


class Held(NamedTuple):
    """Rows for a list of keys.

    Attributes:
        found: (n,) bool, which keys the store has.
        rows: (n, dim) float32, undefined where not found; (n, 0) when nothing is.
        tokens: (n,) int32, -1 where unknown.
        truncated: (n,) int8, 1 cut, 0 not, -1 unknown.
    """

    found: NDArray[np.bool_]
    rows: Float32
    tokens: NDArray[np.int32]
    truncated: NDArray[np.int8]


def key(*content: str) -> bytes:
    """16 bytes that stand for a text (or for a place in a list of texts)."""
    if len(content) == 1:
        return hashlib.sha256(content[0].encode("utf-8", "surrogatepass")).digest()[:16]
    return hashlib.sha256(json.dumps(content).encode()).digest()[:16]


class Namespace:
    """The vectors of one way of encoding.

    Args:
        identity: everything besides the text that decides a vector, as JSON values.
        dtype: how vectors lie on disk; part of the identity.
        root: the store's folder.
    """

    def __init__(
        self, identity: Mapping[str, Any], *, dtype: Literal["float32", "float16"] = "float32", root: Path | None = None
    ) -> None:
        self.identity = {**identity, "dtype": dtype, "format": vector_files.FORMAT}
        self.name = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:32]
        self._dtype = dtype
        self._root = root or vector_files.folder()
        self._folder = self._root / self.name
        self._blocks: dict[str, NDArray[np.void]] = {}
        self._written = 0

    def get(self, keys: Sequence[bytes]) -> Held:
        """What the store has of `keys`."""
        wanted = _as_array(keys)
        held = _nothing(len(wanted))
        missing = ~held.found
        if not len(wanted) or not self._folder.is_dir():
            return held
        order = np.argsort(wanted["high"])
        ordered = wanted[order]
        for name in sorted(file.stem for file in self._folder.glob(f"*{vector_files.SUFFIX}")):
            block_keys = self._keys(name)
            if block_keys is None or not missing.any():
                continue
            rows_of_block, at = _matches(ordered, block_keys)
            places = order[at]
            fresh = missing[places]
            if not fresh.any():
                continue
            file = self._folder / f"{name}{vector_files.SUFFIX}"
            block = vector_files.sound(file)
            if block is None:
                self._blocks.pop(name, None)
                continue
            with contextlib.suppress(OSError):
                os.utime(file)  # used: among the last to go
            held = _filled(held, places[fresh], block, rows_of_block[fresh])
            missing = ~held.found
        return held

    def put(
        self,
        keys: Sequence[bytes],
        rows: Float32,
        *,
        tokens: NDArray[np.int32] | None,
        truncated: NDArray[np.bool_] | None,
    ) -> None:
        """Write a block. A store that cannot be written costs time, not results: nothing is raised."""
        from safetensors.numpy import save

        count = len(keys)
        tensors = {
            "keys": _as_array(keys).view(np.uint8).reshape(count, 16),
            "rows": rows.astype(self._dtype),
            "tokens": np.full(count, -1, np.int32) if tokens is None else tokens.astype(np.int32),
            "truncated": np.full(count, -1, np.int8) if truncated is None else truncated.astype(np.int8),
        }
        digest = vector_files.digest(self.name, tensors)
        content = save(tensors, metadata={"namespace": self.name, "format": str(vector_files.FORMAT)})
        with contextlib.suppress(OSError):
            if not (self._folder / "namespace.json").is_file():
                atomic.write_cache(self._folder / "namespace.json", json.dumps(self.identity, indent=1, sort_keys=True))
            atomic.write(self._folder / f"{digest}{vector_files.SUFFIX}", content, locked=False)
            self._written += 1
            if self._written % _EVICT_EVERY == 0:
                cache_upkeep.evict(root=self._root)

    def as_stored(self, rows: Float32) -> Float32:
        """`rows` as they will come back from the store, so that the first run gives the numbers of the second.

        What float16 cannot hold becomes infinity.
        """
        with np.errstate(over="ignore"):
            return rows if self._dtype == "float32" else rows.astype(self._dtype).astype(np.float32)

    def _keys(self, name: str) -> NDArray[np.void] | None:
        """The keys of a block, read once, in order of the file."""
        if name not in self._blocks:
            keys = (vector_files.opened(self._folder / f"{name}{vector_files.SUFFIX}", only="keys") or {}).get("keys")
            if keys is None or keys.dtype != np.uint8 or keys.shape[1:] != (16,):
                return None
            self._blocks[name] = _as_bytes(keys)
        return self._blocks[name]


def _as_array(keys: Sequence[bytes]) -> NDArray[np.void]:
    return _as_bytes(np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), 16))


def _as_bytes(keys: NDArray[np.uint8]) -> NDArray[np.void]:
    """(n, 16) uint8 as n big-endian pairs, which sort and compare like the bytes."""
    return np.ascontiguousarray(keys).view([("high", ">u8"), ("low", ">u8")]).reshape(len(keys))


def _matches(ordered: NDArray[np.void], block: NDArray[np.void]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of `block` that stand in `ordered`, and where; a key that stands there twice is found twice."""
    first = np.searchsorted(ordered["high"], block["high"], side="left")
    last = np.searchsorted(ordered["high"], block["high"], side="right")
    rows = np.repeat(np.arange(len(block)), last - first)
    offsets = np.arange(len(rows)) - np.repeat(np.cumsum(last - first) - (last - first), last - first)
    at = first[rows] + offsets
    same = ordered["low"][at] == block["low"][rows]
    return rows[same], at[same]


def _nothing(count: int) -> Held:
    return Held(
        np.zeros(count, dtype=bool),
        np.empty((count, 0), dtype=np.float32),
        np.full(count, -1, dtype=np.int32),
        np.full(count, -1, dtype=np.int8),
    )


def _filled(held: Held, places: NDArray[np.int64], block: Mapping[str, NDArray[Any]], rows: NDArray[np.int64]) -> Held:
    width = block["rows"].shape[1]
    vectors = held.rows if held.rows.shape[1] == width else np.empty((len(held.found), width), dtype=np.float32)
    vectors[places] = block["rows"][rows]
    held.tokens[places] = block["tokens"][rows]
    held.truncated[places] = block["truncated"][rows]
    held.found[places] = True
    return held._replace(rows=vectors)
