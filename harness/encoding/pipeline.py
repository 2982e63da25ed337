"""Blocks of texts through a model: the next block is tokenized while batches of this one run on every lane.

A *lane* is a thread with a copy of the model: one for each GPU, or one for each core of a CPU, where lanes share the
weights. `prepare` turns a block into batches. `launch` starts one batch on a lane and returns a function that waits for
its rows, so that a GPU gets its next batch before the rows of the last one are fetched. This module knows nothing of
torch.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from harness.errors import EncodeError, first_line, kind_of
from harness.types import Encoded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float32, Int64

Launch: TypeAlias = Callable[[Any], Callable[[], "Float32"]]


class Batch(NamedTuple):
    """One forward pass.

    Attributes:
        positions: of its texts in the block, (n,) int64.
        inputs: what `launch` takes; the pipeline passes it on unread.
        tokens_padded: its tokens, padding included; None where that is not known.
        halves: makes two batches of it, for a batch that does not fit in memory; None for a single text.
    """

    positions: Int64
    inputs: Any
    tokens_padded: int | None
    halves: Callable[[], tuple[Batch, Batch]] | None


class Prepared(NamedTuple):
    """A tokenized block: its batches hold every position once; counts are those of `types.Encoded`."""

    batches: Sequence[Batch]
    tokens: NDArray[np.int32] | None
    truncated: NDArray[np.bool_] | None


@dataclass(slots=True)
class _Block:
    """A block whose batches are running: its rows so far, and how many are missing."""

    prepared: Prepared
    count: int
    rows: Float32 | None = None
    missing: int = 0
    failed: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, positions: Int64, rows: Float32) -> None:
        with self.lock:
            if self.rows is None:
                self.rows = np.empty((self.count, rows.shape[1]), dtype=np.float32)
            self.rows[positions] = rows
            self.missing -= len(positions)
            if self.missing == 0:
                self.done.set()

    def fail(self, err: BaseException) -> None:
        self.failed = self.failed or err
        self.done.set()

    def encoded(self) -> Encoded:
        rows = np.empty((0, 0), dtype=np.float32) if self.rows is None else self.rows
        padded = sum_or_none(batch.tokens_padded for batch in self.prepared.batches)
        return Encoded(rows, self.prepared.tokens, self.prepared.truncated, tokens_padded=padded)


def sum_or_none(terms: Iterable[int | None]) -> int | None:
    """The sum, or None where a term is None."""
    total = 0
    for term in terms:
        if term is None:
            return None
        total += term
    return total


def encode(
    blocks: Iterable[Sequence[str]],
    *,
    prepare: Callable[[Sequence[str]], Prepared],
    lanes: Sequence[Launch],
    is_out_of_memory: Callable[[BaseException], bool],
) -> Iterator[Encoded]:
    """The vectors of each block, in the order of the blocks and of the texts in them.

    A batch that does not fit in memory is cut in half, and both halves are tried again; only a single text that does
    not fit is an error. Batches are made before they are handed to lanes, so no vector depends on the number of lanes.

    Args:
        blocks: lists of texts.
        prepare: tokenizes a block; runs in a thread of its own.
        lanes: what starts a batch, one for each thread; the same function may come several times.
        is_out_of_memory: whether an error of `launch` means that a smaller batch may fit.
    """
    queue: SimpleQueue[tuple[_Block, Batch] | None] = SimpleQueue()
    threads = [
        threading.Thread(target=_work, args=(launch, queue, is_out_of_memory), daemon=True, name=f"lane-{index}")
        for index, launch in enumerate(lanes)
    ]
    for thread in threads:
        thread.start()
    running: deque[_Block] = deque()
    try:
        for count, prepared in _prepared(blocks, prepare):
            block = _Block(prepared, count, missing=count)
            if not count:
                block.done.set()
            running.append(block)
            for batch in prepared.batches:
                queue.put((block, batch))
            if len(running) > 1:  # one block waits in the queue while another is computed
                yield _result(running.popleft())
        while running:
            yield _result(running.popleft())
    finally:
        with contextlib.suppress(Empty):
            while True:
                queue.get_nowait()
        for _ in threads:
            queue.put(None)
        for thread in threads:
            thread.join()


def _result(block: _Block) -> Encoded:
    block.done.wait()
    if block.failed is not None:
        raise block.failed
    return block.encoded()


def _prepared(
    blocks: Iterable[Sequence[str]], prepare: Callable[[Sequence[str]], Prepared]
) -> Iterator[tuple[int, Prepared]]:
    """The size of every block, and the block prepared; the next one is prepared in the background."""
    with ThreadPoolExecutor(1, thread_name_prefix="tokenize") as executor:
        waiting: deque[tuple[int, Future[Prepared]]] = deque()
        for block in blocks:
            waiting.append((len(block), executor.submit(prepare, block)))
            if len(waiting) > 1:
                count, future = waiting.popleft()
                yield count, future.result()
        for count, future in waiting:
            yield count, future.result()


def _work(
    launch: Launch,
    queue: SimpleQueue[tuple[_Block, Batch] | None],
    is_out_of_memory: Callable[[BaseException], bool],
) -> None:
    """Run one lane: start a batch, then fetch the rows of the batch before it."""
    running: tuple[_Block, Batch, Callable[[], Float32]] | None = None
    while True:
        if running is not None and queue.empty():
            _fetch(*running, launch, is_out_of_memory)
            running = None
        item = queue.get()
        if item is None:
            break
        block, batch = item
        if block.failed is not None:
            continue
        started = _launched(block, batch, launch, is_out_of_memory)
        if running is not None:
            _fetch(*running, launch, is_out_of_memory)
        running = None if started is None else (block, batch, started)
    if running is not None:
        _fetch(*running, launch, is_out_of_memory)


def _launched(
    block: _Block, batch: Batch, launch: Launch, is_out_of_memory: Callable[[BaseException], bool]
) -> Callable[[], Float32] | None:
    try:
        return launch(batch.inputs)
    except Exception as err:
        _retry(block, batch, err, launch, is_out_of_memory)
        return None


def _fetch(
    block: _Block,
    batch: Batch,
    rows: Callable[[], Float32],
    launch: Launch,
    is_out_of_memory: Callable[[BaseException], bool],
) -> None:
    try:
        block.take(batch.positions, rows())
    except Exception as err:
        _retry(block, batch, err, launch, is_out_of_memory)


def _retry(
    block: _Block, batch: Batch, err: Exception, launch: Launch, is_out_of_memory: Callable[[BaseException], bool]
) -> None:
    """Both halves of a batch that did not fit, one after the other; any other error is the block's."""
    if not is_out_of_memory(err):
        block.fail(err)
        return
    if batch.halves is None:
        if kind_of(err) != "resource":  # a device whose library has no class for it
            err = EncodeError(f"one text does not fit in memory ({first_line(err)})", kind="resource")
        block.fail(err)
        return
    for half in batch.halves():
        started = _launched(block, half, launch, is_out_of_memory)
        if started is not None:
            _fetch(block, half, started, launch, is_out_of_memory)
