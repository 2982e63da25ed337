"""Embedding store: vectors on disk, found again by what made them.

    <folder>/<namespace>/namespace.json      what decides a vector besides its text, readable
    <folder>/<namespace>/<digest>.safetensors  a block: keys, vectors, token counts

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
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from harness import environment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float32

_FORMAT = 1
_SUFFIX = ".safetensors"
_TENSORS = ("keys", "rows", "tokens", "truncated")
_EVICT_EVERY = 64
_STALE_SECONDS = 24 * 3600
DEFAULT_GIB = 20.0


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


class Usage(NamedTuple):
    """One namespace on disk: what made it, how many blocks and bytes, when it was last used (seconds since 1970)."""

    namespace: str
    identity: Mapping[str, Any]
    blocks: int
    bytes: int
    used: float


def folder() -> Path:
    """Where the store lies: `embeddings` in the cache folder."""
    return environment.cache_folder() / "embeddings"


def limit_bytes() -> int:
    """The size that the store is kept under: `$HARNESS_STORE_GIB`, else 20 GiB."""
    try:
        gib = float(os.environ.get("HARNESS_STORE_GIB") or DEFAULT_GIB)
    except ValueError:
        gib = DEFAULT_GIB
    return int(gib * 2**30)


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
        self.identity = {**identity, "dtype": dtype, "format": _FORMAT}
        self.name = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:32]
        self._dtype = dtype
        self._root = root or folder()
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
        for name in sorted(file.stem for file in self._folder.glob(f"*{_SUFFIX}")):
            block_keys = self._keys(name)
            if block_keys is None or not missing.any():
                continue
            rows_of_block, at = _matches(ordered, block_keys)
            places = order[at]
            fresh = missing[places]
            if not fresh.any():
                continue
            file = self._folder / f"{name}{_SUFFIX}"
            block = _sound(file)
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
        digest = _digest(self.name, tensors)
        content = save(tensors, metadata={"namespace": self.name, "format": str(_FORMAT)})
        with contextlib.suppress(OSError):
            if not (self._folder / "namespace.json").is_file():
                environment.keep(self._folder / "namespace.json", json.dumps(self.identity, indent=1, sort_keys=True))
            _write(self._folder / f"{digest}{_SUFFIX}", content)
            self._written += 1
            if self._written % _EVICT_EVERY == 0:
                evict(root=self._root)

    def as_stored(self, rows: Float32) -> Float32:
        """`rows` as they will come back from the store, so that the first run gives the numbers of the second.

        What float16 cannot hold becomes infinity.
        """
        with np.errstate(over="ignore"):
            return rows if self._dtype == "float32" else rows.astype(self._dtype).astype(np.float32)

    def _keys(self, name: str) -> NDArray[np.void] | None:
        """The keys of a block, read once, in order of the file."""
        if name not in self._blocks:
            keys = (_open(self._folder / f"{name}{_SUFFIX}", only="keys") or {}).get("keys")
            if keys is None or keys.dtype != np.uint8 or keys.shape[1:] != (16,):
                return None
            self._blocks[name] = _as_bytes(keys)
        return self._blocks[name]


def usage(root: Path | None = None) -> list[Usage]:
    """Every namespace on disk, most recently used first."""
    found = []
    for path in _namespaces(root or folder()):
        try:
            identity = json.loads((path / "namespace.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            identity = {}
        states = [state for file in path.glob(f"*{_SUFFIX}") if (state := _state(file))]
        if states:
            size, used = sum(state.st_size for state in states), max(state.st_mtime for state in states)
            found.append(Usage(path.name, identity if isinstance(identity, dict) else {}, len(states), size, used))
    return sorted(found, key=lambda one: -one.used)


def verify(root: Path | None = None) -> tuple[int, list[str]]:
    """Check every block against its name: how many are sound, and the files that are not (they are removed)."""
    sound, broken = 0, []
    for path in _namespaces(root or folder()):
        for file in sorted(path.glob(f"*{_SUFFIX}")):
            if _sound(file) is None:
                broken.append(str(file))
            else:
                sound += 1
    return sound, broken


def clear(root: Path | None = None, *, namespaces: Sequence[str] | None = None) -> int:
    """Remove all blocks, or those of some namespaces; the bytes that came free."""
    freed = 0
    for path in _namespaces(root or folder()):
        if namespaces is not None and path.name not in namespaces:
            continue
        for file in path.iterdir():
            state = _state(file)
            with contextlib.suppress(OSError):
                file.unlink()
                freed += state.st_size if state else 0
        with contextlib.suppress(OSError):
            path.rmdir()
    return freed


def evict(limit: int | None = None, *, root: Path | None = None) -> int:
    """Remove the blocks that were used longest ago until the store is smaller than `limit` bytes; the bytes freed.

    Temporary files that a killed process left behind go too.
    """
    limit = limit_bytes() if limit is None else limit
    files: list[tuple[float, int, Path]] = []
    for path in _namespaces(root or folder()):
        for file in path.iterdir():
            state = _state(file)
            if state is None:
                continue
            if file.suffix == _SUFFIX and not file.name.startswith("."):
                files.append((state.st_mtime, state.st_size, file))
            elif file.name.startswith(".") and time.time() - state.st_mtime > _STALE_SECONDS:
                file.unlink(missing_ok=True)
    total, freed = sum(size for _, size, _ in files), 0
    for _, size, file in sorted(files, key=lambda one: one[:2]):
        if total - freed <= limit:
            break
        with contextlib.suppress(OSError):
            file.unlink()
            freed += size
    return freed


def _digest(namespace: str, tensors: Mapping[str, NDArray[Any]]) -> str:
    """The name of a block: content and namespace, so that a block moved to another namespace no longer fits it."""
    digest = hashlib.sha256(namespace.encode())
    for name in _TENSORS:
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()[:32]


def _sound(file: Path) -> Mapping[str, NDArray[Any]] | None:
    """A block that is what its name says; else None, and the file is gone."""
    tensors = _open(file)
    if tensors is None or set(tensors) != set(_TENSORS) or _digest(file.parent.name, tensors) != file.stem:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
        return None
    return tensors


def _namespaces(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _state(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None


def _write(file: Path, content: bytes) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _open(file: Path, *, only: str | None = None) -> dict[str, NDArray[Any]] | None:
    """The tensors of a block, or one of them; None where the file is not a block."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as tensors:
            return {name: tensors.get_tensor(name) for name in tensors.keys() if only in (None, name)}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None


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
