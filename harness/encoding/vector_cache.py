"""The vector cache: vectors on disk under everything that made them. Its files are in `vector_files`.

The name of a namespace is the digest of everything that decides a vector besides the text (model commit, prompt,
precision, maximum length, device, versions ...), and a key is the digest of the text. So vectors of two models, prompts
or precisions cannot be mixed up. A block is named after its content, written under a temporary name, renamed, and never
changed: many processes may read and write one cache, and a process that is killed leaves whole blocks only. A block
whose content does not match its name, or that belongs to another namespace, is ignored: its texts are encoded again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from harness.encoding import cache_upkeep, vector_files, vector_writer
from harness.encoding.key_index import KeyIndex
from harness.encoding.vector_writer import BlockWriter, Unwritten

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float32


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


class Namespaces:
    """The namespaces that a run has open: the keys of each are read once, and a thread writes their blocks.

    At the end of its `with` block every block is on disk.

    Args:
        root: the folder of the cache.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = root or vector_files.folder()
        self._writer = BlockWriter(self._root)
        self._open: dict[str, Namespace] = {}

    def __enter__(self) -> Namespaces:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, identity: Mapping[str, Any], *, dtype: Literal["float32", "float16"]) -> Namespace:
        """The namespace of this identity and type."""
        namespace = Namespace(identity, dtype=dtype, root=self._root, writer=self._writer)
        return self._open.setdefault(namespace.name, namespace)

    def flush(self) -> None:
        """Have every block on disk."""
        self._writer.close()

    def close(self) -> None:
        """Have every block on disk, and free the memory of the keys, as when a model is closed."""
        self._open.clear()
        self.flush()


class Namespace:
    """The vectors of one way of encoding.

    Args:
        identity: everything besides the text that decides a vector, as JSON values.
        dtype: the type of the vectors on disk; part of the identity.
        root: the folder of the cache.
        writer: writes blocks in the background; without one `put` returns when the block is on disk.
    """

    def __init__(
        self,
        identity: Mapping[str, Any],
        *,
        dtype: Literal["float32", "float16"] = "float32",
        root: Path | None = None,
        writer: BlockWriter | None = None,
    ) -> None:
        self.identity = {**identity, "dtype": dtype, "format": vector_files.FORMAT}
        self.name = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:32]
        self._dtype, self._writer = dtype, writer
        root = root or vector_files.folder()
        self._folder, self._room = root / self.name, cache_upkeep.Room(root)
        self._index = KeyIndex()
        self._blocks: list[str | Mapping[str, NDArray[Any]] | None] = []
        self._listed: set[str] = set()
        self._changed: int | None = None

    def get(self, keys: Sequence[bytes]) -> CachedVectors:
        """What the cache has for `keys`."""
        asked = _as_array(keys)
        cached = _all_absent(len(asked))
        if not len(asked):
            return cached
        self._list()
        matches = self._index.find(asked)
        ends = np.flatnonzero(np.diff(matches.blocks, append=-1)) + 1
        for start, end in itertools.pairwise([0, *ends.tolist()]):
            places, rows = matches.asked[start:end], matches.rows[start:end]
            needed = ~cached.present[places]
            if not needed.any():
                continue
            number = int(matches.blocks[start])
            block = self._tensors(number)
            if block is None or rows[-1] >= len(block["keys"]):  # it was replaced after its keys were read
                self._blocks[number] = None
                continue
            if cached.present.any() and block["rows"].shape[1] != cached.vectors.shape[1]:
                continue  # of another width than the rows before it: one of them is not this model's
            places, rows = places[needed], rows[needed]
            equal = (block["keys"][rows] == asked[places]).all(axis=1)
            cached = _filled(cached, places[equal], block, rows=rows[equal])
        return cached

    def put(
        self,
        keys: Sequence[bytes],
        rows: Float32,
        *,
        tokens: NDArray[np.int32] | None,
        truncated: NDArray[np.bool_] | None,
    ) -> None:
        """Keep a block. Nothing is raised: a cache that cannot be written costs time, not results."""
        count = len(keys)
        tensors = {
            "keys": _as_array(keys),
            "rows": rows.astype(self._dtype),
            "tokens": np.full(count, -1, np.int32) if tokens is None else tokens.astype(np.int32),
            "truncated": np.full(count, -1, np.int8) if truncated is None else truncated.astype(np.int8),
        }
        number = self._index.add(tensors["keys"])
        self._blocks.append(tensors)
        unwritten = Unwritten(self._folder, self.identity, tensors, functools.partial(self._wrote, number))
        if self._writer is None:
            vector_writer.write([unwritten], room=self._room)
        else:
            self._writer.add(unwritten)

    def as_cached(self, rows: Float32) -> Float32:
        """`rows` as `get` will return them, so that the first run gives the same numbers as the second.

        Numbers that float16 cannot hold become infinity.
        """
        with np.errstate(over="ignore"):
            return rows if self._dtype == "float32" else rows.astype(self._dtype).astype(np.float32)

    def _list(self) -> None:
        """Add the blocks to the index that are on disk and new, where the folder has changed."""
        status = vector_files.status(self._folder)
        if status is None or status.st_mtime_ns == self._changed:
            return
        self._changed = status.st_mtime_ns
        for name in sorted({*vector_files.block_names(self._folder)} - self._listed):
            keys = vector_files.read_keys(self._file(name))
            if keys is not None:
                self._index.add(keys)
                self._blocks.append(name)
                self._listed.add(name)

    def _tensors(self, number: int) -> Mapping[str, NDArray[Any]] | None:
        """The content of a block; None where it is gone, or its file does not match its name."""
        block = self._blocks[number]
        if not isinstance(block, str):
            return block
        file = self._file(block)
        tensors = vector_files.valid_block(file)
        if tensors is not None:
            with contextlib.suppress(OSError):
                os.utime(file)  # the time of last use, by which blocks are evicted
        return tensors

    def _wrote(self, number: int, name: str | None) -> None:
        """Note that a block is on disk under a name, or cannot be written."""
        if name is not None:
            self._listed.add(name)
        self._blocks[number] = name

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}{vector_files.SUFFIX}"


def _as_array(keys: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), 16)


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
