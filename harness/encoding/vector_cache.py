"""The vector cache: vectors on disk under everything that made them. Its files are in `vector_files`.

The name of a namespace is the digest of everything that decides a vector besides the text (model commit, prompt,
precision, maximum length, device, versions ...), and a key is the digest of the text. So vectors of two models, prompts
or precisions cannot be mixed up. A block is named after its content, written under a temporary name, renamed, and never
changed: many processes may read and write one cache, and a process that is killed leaves whole blocks only. A block
whose content does not match its name, or that belongs to another namespace, is ignored: its texts are encoded again.
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


class CachedVectors(NamedTuple):
    """What the cache has for a list of n keys.

    Attributes:
        present: (n,) bool, whether the cache has the key.
        vectors: (n, dim) float32, undefined where absent; (n, 0) when all are absent.
        tokens: (n,) int32, -1 where unknown.
        truncated: (n,) int8: 1 for a text that was cut, 0 for one that was not, -1 where unknown.
    """

    present: NDArray[np.bool_]
    vectors: Float32
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
        dtype: the type of the vectors on disk; part of the identity.
        root: the folder of the cache.
    """

    def __init__(
        self, identity: Mapping[str, Any], *, dtype: Literal["float32", "float16"] = "float32", root: Path | None = None
    ) -> None:
        self.identity = {**identity, "dtype": dtype, "format": vector_files.FORMAT}
        self.name = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:32]
        self._dtype = dtype
        self._root = root or vector_files.folder()
        self._folder = self._root / self.name
        self._block_keys: dict[str, NDArray[np.void]] = {}
        self._written = 0

    def get(self, keys: Sequence[bytes]) -> CachedVectors:
        """What the cache has for `keys`."""
        pairs = _as_array(keys)
        cached = _all_absent(len(pairs))
        absent = ~cached.present
        if not len(pairs) or not self._folder.is_dir():
            return cached
        order = np.argsort(pairs["high"])
        ordered = pairs[order]
        for name in sorted(file.stem for file in self._folder.glob(f"*{vector_files.SUFFIX}")):
            block_keys = self._keys(name)
            if block_keys is None or not absent.any():
                continue
            matches = _matches(ordered, block_keys)
            places = order[matches.places]
            needed = absent[places]
            if not needed.any():
                continue
            file = self._folder / f"{name}{vector_files.SUFFIX}"
            block = vector_files.valid_block(file)
            if block is None:
                self._block_keys.pop(name, None)
                continue
            with contextlib.suppress(OSError):
                os.utime(file)  # the time of last use, by which blocks are evicted
            cached = _filled(cached, places[needed], block, rows=matches.rows[needed])
            absent = ~cached.present
        return cached

    def put(
        self,
        keys: Sequence[bytes],
        rows: Float32,
        *,
        tokens: NDArray[np.int32] | None,
        truncated: NDArray[np.bool_] | None,
    ) -> None:
        """Write a block. Nothing is raised: a cache that cannot be written costs time, not results."""
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

    def as_cached(self, rows: Float32) -> Float32:
        """`rows` as `get` will return them, so that the first run gives the same numbers as the second.

        Numbers that float16 cannot hold become infinity.
        """
        with np.errstate(over="ignore"):
            return rows if self._dtype == "float32" else rows.astype(self._dtype).astype(np.float32)

    def _keys(self, name: str) -> NDArray[np.void] | None:
        """The keys of a block, read once, in the order of the file."""
        if name not in self._block_keys:
            tensors = vector_files.read_block(self._folder / f"{name}{vector_files.SUFFIX}", only="keys") or {}
            keys = tensors.get("keys")
            if keys is None or keys.dtype != np.uint8 or keys.shape[1:] != (16,):
                return None
            self._block_keys[name] = _as_pairs(keys)
        return self._block_keys[name]


def _as_array(keys: Sequence[bytes]) -> NDArray[np.void]:
    return _as_pairs(np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), 16))


def _as_pairs(keys: NDArray[np.uint8]) -> NDArray[np.void]:
    """(n, 16) uint8 as n pairs of big-endian uint64, which sort and compare like the bytes."""
    return np.ascontiguousarray(keys).view([("high", ">u8"), ("low", ">u8")]).reshape(len(keys))


class _Matches(NamedTuple):
    """Equal keys: rows of a block, and for each of them a place in the sorted keys that were asked for."""

    rows: NDArray[np.int64]
    places: NDArray[np.int64]


def _matches(ordered: NDArray[np.void], block: NDArray[np.void]) -> _Matches:
    """The keys of `block` that are in `ordered`, which is sorted; a key that is in there twice matches twice."""
    first = np.searchsorted(ordered["high"], block["high"], side="left")
    last = np.searchsorted(ordered["high"], block["high"], side="right")
    rows = np.repeat(np.arange(len(block)), last - first)
    offsets = np.arange(len(rows)) - np.repeat(np.cumsum(last - first) - (last - first), last - first)
    places = first[rows] + offsets
    equal = ordered["low"][places] == block["low"][rows]
    return _Matches(rows[equal], places[equal])


def _all_absent(count: int) -> CachedVectors:
    return CachedVectors(
        np.zeros(count, dtype=bool),
        np.empty((count, 0), dtype=np.float32),
        np.full(count, -1, dtype=np.int32),
        np.full(count, -1, dtype=np.int8),
    )


def _filled(
    cached: CachedVectors, places: NDArray[np.int64], block: Mapping[str, NDArray[Any]], *, rows: NDArray[np.int64]
) -> CachedVectors:
    """`cached` with these rows of a block at `places`."""
    dimensions, vectors = block["rows"].shape[1], cached.vectors
    if vectors.shape[1] != dimensions:
        vectors = np.empty((len(cached.present), dimensions), dtype=np.float32)
    vectors[places] = block["rows"][rows]
    cached.tokens[places] = block["tokens"][rows]
    cached.truncated[places] = block["truncated"][rows]
    cached.present[places] = True
    return cached._replace(vectors=vectors)
