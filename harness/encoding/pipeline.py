"""Blocks of texts through a model: the next blocks are tokenized while batches of this one run on every lane.

A *lane* is a thread that runs batches: one for a GPU, or one for each core of a CPU, which share the weights.
`prepare` turns a block into batches. `launch` starts one batch on a lane and returns a function that waits for its
rows, so that a GPU gets its next batch before the rows of the last one are fetched. This module knows nothing of torch.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from harness.encoding.batches import sum_or_none
from harness.errors import EncodeError, first_line, kind_of
from harness.types import Encoded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float32, Int64

_FEEDERS = 2
"""The tokenizer itself uses all cores. While one thread waits for it, another makes batches of what it has given: that
holds the interpreter for a fiftieth of the time that a core takes to tokenize."""
BLOCKS_UNDER_WAY = 4
"""Tokenized or running at once: enough that lanes do not wait for a slow block, few enough to fit in memory."""

_T = TypeVar("_T")
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


def _nothing_to_free() -> None:
    pass


@dataclass(slots=True)
class Memory:
    """The memory that batches share, and how much of a batch it takes; an encoder has one for all that it encodes.

    Attributes:
        is_exhausted_by: whether an error means that a smaller batch may fit.
        free: gives back memory that no tensor holds any more; it is called before a smaller batch is tried.
        fits: the most padded tokens of a batch once a larger one did not fit; None before.
    """

    is_exhausted_by: Callable[[BaseException], bool]
    free: Callable[[], None] = _nothing_to_free
    fits: int | None = None

    def budget(self, tokens: int) -> int:
        """The padded tokens to put into a batch, where as many as `tokens` are wanted."""
        return tokens if self.fits is None else min(tokens, self.fits)

    def is_exceeded_by(self, batch: Batch) -> bool:
        """Whether a batch is larger than what is known to fit."""
        return self.fits is not None and batch.tokens_padded is not None and batch.tokens_padded > self.fits

    def lower(self, halves: Sequence[Batch]) -> None:
        """Remember that the batch of these halves did not fit."""
        sizes = [half.tokens_padded for half in halves if half.tokens_padded is not None]
        if sizes:
            self.fits = self.budget(max(sizes))


@dataclass(slots=True)
class _Block:
    """A block under way: once it is prepared, its rows so far, and how many are missing."""

    count: int
    prepared: Prepared | None = None
    rows: Float32 | None = None
    missing: int = 0
    failed: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, prepared: Prepared) -> None:
        self.prepared, self.missing = prepared, self.count
        if not self.count:
            self.done.set()

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

    def result(self) -> Encoded:
        self.done.wait()
        if self.failed is not None:
            raise self.failed
        assert self.prepared is not None, "it has rows"
        rows = np.empty((0, 0), dtype=np.float32) if self.rows is None else self.rows
        padded = sum_or_none(batch.tokens_padded for batch in self.prepared.batches)
        return Encoded(rows, self.prepared.tokens, self.prepared.truncated, tokens_padded=padded)


def encode(
    blocks: Iterable[Sequence[str]],
    *,
    prepare: Callable[[Sequence[str]], Prepared],
    lanes: Sequence[Launch],
    memory: Memory,
) -> Iterator[Encoded]:
    """The vectors of each block, in the order of the blocks and of the texts in them.

    A batch that does not fit in memory is cut in half, and both halves are tried again, as is every batch of its size
    from then on; only a single text that does not fit is an error. Batches are made before they are handed to lanes, so
    no vector depends on the number of lanes. No thread starts that has nothing to do.

    Args:
        blocks: lists of texts.
        prepare: tokenizes a block; two threads call it, for different blocks, or the caller, for a single one.
        lanes: what starts a batch, one for each thread; the same function may come several times.
        memory: what is known of the lanes' memory.
    """
    workers = _Lanes(lanes, memory)
    coming = iter(blocks)
    first = list(itertools.islice(coming, 2))
    coming = itertools.chain(first, coming)
    under_way: deque[_Block] = deque()
    executor = ThreadPoolExecutor(_FEEDERS, thread_name_prefix="tokenize")
    try:
        while True:
            while len(under_way) < BLOCKS_UNDER_WAY and (texts := next(coming, None)) is not None:
                under_way.append(_Block(len(texts)))
                if len(first) > 1:
                    executor.submit(_feed, under_way[-1], texts, prepare, workers)
                else:
                    _feed(under_way[-1], texts, prepare, workers)
            if not under_way:
                return
            yield under_way.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)
        workers.close()


class _Lanes:
    """The lanes at work: one more starts with each batch, until all have started."""

    def __init__(self, launches: Sequence[Launch], memory: Memory) -> None:
        self._launches, self._memory = launches, memory
        self._queue: SimpleQueue[tuple[_Block, Batch] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._starting = threading.Lock()

    def put(self, block: _Block, batch: Batch) -> None:
        """Queue a batch for the next lane that is free."""
        with self._starting:
            number = len(self._threads)
            if number < len(self._launches):
                work = _Lane(self._launches[number], self._memory).work
                thread = threading.Thread(target=work, args=(self._queue,), daemon=True, name=f"lane-{number}")
                thread.start()
                self._threads.append(thread)
        self._queue.put((block, batch))

    def close(self) -> None:
        """Drop the batches that no lane has begun, and wait for the others."""
        with contextlib.suppress(Empty):
            while True:
                self._queue.get_nowait()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()


def _feed(block: _Block, texts: Sequence[str], prepare: Callable[[Sequence[str]], Prepared], workers: _Lanes) -> None:
    """Prepare a block, and hand its batches to the lanes."""
    try:
        prepared = prepare(texts)
    except BaseException as err:  # raised where the block is waited for
        block.fail(err)
        return
    block.start(prepared)
    for batch in prepared.batches:
        workers.put(block, batch)


class _Lane:
    """One lane: it starts a batch, then fetches the rows of the batch before it."""

    def __init__(self, launch: Launch, memory: Memory) -> None:
        self._launch, self._memory = launch, memory
        self._waiting: deque[tuple[_Block, Batch]] = deque()
        self._running: tuple[_Block, Batch, Callable[[], Float32]] | None = None

    def work(self, queue: SimpleQueue[tuple[_Block, Batch] | None]) -> None:
        """Run the batches of `queue` until None comes."""
        ended = False
        while self._waiting or self._running is not None or not ended:
            if not self._waiting:
                if self._running is not None and (ended or queue.empty()):
                    self._fetch()
                    continue
                item = queue.get()
                if item is None:
                    ended = True
                    continue
                self._waiting.append(item)
            block, batch = self._waiting.popleft()
            if block.failed is not None:
                continue
            if batch.halves is not None and self._memory.is_exceeded_by(batch):
                self._put_first(block, batch.halves())
                continue
            rows = self._tried(block, batch, functools.partial(self._launch, batch.inputs))
            self._fetch()
            self._running = None if rows is None else (block, batch, rows)

    def _fetch(self) -> None:
        """Wait for the rows of the batch that runs, where there is one."""
        if self._running is None:
            return
        block, batch, wait = self._running
        self._running = None
        rows = self._tried(block, batch, wait)
        if rows is not None:
            block.take(batch.positions, rows)

    def _put_first(self, block: _Block, halves: Sequence[Batch]) -> None:
        self._waiting.extendleft((block, half) for half in reversed(halves))

    def _tried(self, block: _Block, batch: Batch, step: Callable[[], _T]) -> _T | None:
        """What `step` returns; None where it failed: the batch's halves then wait, or the block has failed.

        Nothing is freed or tried again while the error is handled: its traceback holds the tensors of the attempt.
        """
        try:
            return step()
        except Exception as err:
            if batch.halves is None or not self._memory.is_exhausted_by(err):
                block.fail(self._of_one_text(err))
                return None
        halves = batch.halves()
        self._memory.lower(halves)
        self._put_first(block, halves)
        gc.collect()
        self._memory.free()
        return None

    def _of_one_text(self, err: Exception) -> Exception:
        """The error to raise; where memory is exhausted by a text, one of our own says so."""
        if not self._memory.is_exhausted_by(err) or kind_of(err) == "resource":
            return err
        # A device whose library has no class for it.
        return EncodeError(f"one text does not fit in memory ({first_line(err)})", kind="resource")
