"""Writes the blocks of the vector cache in a thread, so that no device waits for digests and the disk.

What waits is bounded: whoever adds a block to a full queue waits. A process that is killed loses the blocks that wait.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.encoding import cache_upkeep, vector_files
from harness.files import atomic

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WAITING_BLOCKS = 8
"""As many blocks wait at most, and are written together when the disk is slower than the model."""


class Unwritten(NamedTuple):
    """A block that is not on disk.

    Attributes:
        folder: of its namespace.
        identity: of its namespace.
        tensors: what the block holds; see `vector_files`.
        written: called with the block's name when it is on disk, or with None when it cannot be written.
    """

    folder: Path
    identity: Mapping[str, Any]
    tensors: Mapping[str, NDArray[Any]]
    written: Callable[[str | None], None]


class BlockWriter:
    """Writes blocks in the order in which they are added. Close it to have all of them on disk.

    Args:
        root: the folder of the cache, which is kept under its limit.
    """

    def __init__(self, root: Path) -> None:
        self._room = cache_upkeep.Room(root)
        self._queue: Queue[Unwritten | None] = Queue(_WAITING_BLOCKS)
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def add(self, block: Unwritten) -> None:
        """Write a block, soon."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True, name="vector-cache")
            self._thread.start()
        self._queue.put(block)

    def close(self) -> None:
        """Wait until every block is on disk, and end the thread; another `add` starts another.

        Raises:
            Exception: a defect of this program. A disk that refuses costs time, not results.
        """
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _work(self) -> None:
        while (block := self._queue.get()) is not None:
            group, ends = [block], False
            try:
                while (following := self._queue.get_nowait()) is not None:
                    group.append(following)
                ends = True
            except Empty:
                pass
            try:
                write(group, room=self._room)
            except Exception as err:  # raised where the writer is closed
                self._error = err
            if ends:
                return


def write(blocks: Sequence[Unwritten], *, room: cache_upkeep.Room) -> None:
    """Write blocks now, and keep the cache under its limit."""
    files: dict[Path, bytes] = {}
    names: list[str] = []
    for block in blocks:
        description = block.folder / vector_files.DESCRIPTION
        if not description.is_file():
            atomic.write_cache(description, json.dumps(block.identity, indent=1, sort_keys=True))
        name, content = vector_files.as_block(block.folder.name, block.tensors)
        names.append(name)
        files[block.folder / f"{name}{vector_files.SUFFIX}"] = content
    written = set(atomic.write_together(files))
    for block, name in zip(blocks, names, strict=True):
        file = block.folder / f"{name}{vector_files.SUFFIX}"
        block.written(name if file in written else None)
    for file in written:
        room.take(len(files[file]))
