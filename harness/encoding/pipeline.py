"""Blocks of texts through a model: tokenized one block ahead, batches on as many lanes as there are, rows in order.

Knows nothing of torch. A *lane* is one copy of the model with its own thread: one for each GPU, or one for each core of
a CPU, where lanes share the weights. `prepare` turns a block into batches (tokens, padded), `launch` starts one batch
on a lane and returns a function that waits for its rows, so that a GPU has its next batch before the last one is
fetched.
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
        positions: where its rows go in the block.
        inputs: what `launch` takes; the pipeline only passes it on.
        tokens_padded: tokens it costs, padding included; None where that is not known.
        halves: makes two batches of it, for when it does not fit in memory; None when it is a single text.
    """

    positions: Int64
    inputs: Any
    tokens_padded: int | None
    halves: Callable[[], tuple[Batch, Batch]] | None


class Prepared(NamedTuple):
    """A block, tokenized: its batches hold every position once; counts as in `types.Encoded`."""

    batches: Sequence[Batch]
    tokens: NDArray[np.int32] | None
    truncated: NDArray[np.bool_] | None


@dataclass(slots=True)
class _Block:
    """A block under way."""

    prepared: Prepared
    count: int
    rows: Float32 | None = None
    left: int = 0
    failed: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, positions: Int64, rows: Float32) -> None:
        with self.lock:
            if self.rows is None:
                self.rows = np.empty((self.count, rows.shape[1]), dtype=np.float32)
            self.rows[positions] = rows
            self.left -= len(positions)
            if self.left == 0:
                self.done.set()

    def fail(self, err: BaseException) -> None:
        self.failed = self.failed or err
        self.done.set()

    def encoded(self) -> Encoded:
        rows = np.empty((0, 0), dtype=np.float32) if self.rows is None else self.rows
        padded = known_sum(batch.tokens_padded for batch in self.prepared.batches)
        return Encoded(rows, self.prepared.tokens, self.prepared.truncated, tokens_padded=padded)


def known_sum(terms: Iterable[int | None]) -> int | None:
    """The sum, or None where one of its terms is not known."""
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
    """The rows of each block, in order of the blocks and of the texts in them.

    A batch that does not fit in memory is cut in half and both halves are tried again; only a single text that does not
    fit is an error. No text is ever left out. What a row is does not depend on the number of lanes: batches are made
    before they are handed out.
    """
    queue: SimpleQueue[tuple[_Block, Batch] | None] = SimpleQueue()
    threads = [
        threading.Thread(target=_work, args=(launch, queue, is_out_of_memory), daemon=True, name=f"lane-{index}")
        for index, launch in enumerate(lanes)
    ]
    for thread in threads:
        thread.start()
    under_way: deque[_Block] = deque()
    try:
        for count, prepared in _ahead(blocks, prepare):
            block = _Block(prepared, count, left=count)
            if not count:
                block.done.set()
            under_way.append(block)
            for batch in prepared.batches:
                queue.put((block, batch))
            if len(under_way) > 1:  # one block waits in the queue while another is computed
                yield _finished(under_way.popleft())
        while under_way:
            yield _finished(under_way.popleft())
    finally:
        with contextlib.suppress(Empty):
            while True:
                queue.get_nowait()
        for _ in threads:
            queue.put(None)
        for thread in threads:
            thread.join()


def _finished(block: _Block) -> Encoded:
    block.done.wait()
    if block.failed is not None:
        raise block.failed
    return block.encoded()


def _ahead(
    blocks: Iterable[Sequence[str]], prepare: Callable[[Sequence[str]], Prepared]
) -> Iterator[tuple[int, Prepared]]:
    """Every block prepared, the next one in the background."""
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
    """One lane: keep one batch running while the rows of the one before are fetched."""
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
