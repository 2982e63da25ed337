"""Blocks through lanes: rows come back in order, memory errors halve a batch, others come out, no thread is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.encoding import pipeline
from harness.encoding.pipeline import Batch, Prepared
from harness.types import Encoded

Launch = pipeline.Launch
BLOCKS = st.lists(st.lists(st.integers(0, 10**6).map(str), max_size=14), max_size=6)


def rows_of(texts: Sequence[str]) -> np.ndarray:
    """A row that tells the text."""
    return np.array([[float(text), 1.0] for text in texts], dtype=np.float32)


def is_memory(err: BaseException) -> bool:
    return isinstance(err, MemoryError)


def batch_of(positions: np.ndarray, texts: Sequence[str]) -> Batch:
    def halves() -> tuple[Batch, Batch]:
        half = len(positions) // 2
        return batch_of(positions[:half], texts), batch_of(positions[half:], texts)

    inputs = [texts[i] for i in positions]
    return Batch(positions, inputs, 10 * len(positions), halves if len(positions) > 1 else None)


def prepared(size: int, *, backwards: bool = False) -> Callable[[Sequence[str]], Prepared]:
    """Batches of `size` texts; `backwards`, the last texts come first."""

    def prepare(texts: Sequence[str]) -> Prepared:
        order = np.arange(len(texts))[:: -1 if backwards else 1]
        cut = [batch_of(order[start : start + size], texts) for start in range(0, len(order), size)]
        lengths = np.array([len(text) for text in texts], dtype=np.int32)
        return Prepared(cut, lengths, lengths > 3)

    return prepare


def at_once(forward: Callable[[Sequence[str]], np.ndarray] = rows_of) -> Launch:
    """A lane that computes when it is started, as on a CPU."""

    def launch(texts: Any) -> Callable[[], np.ndarray]:
        rows = forward(texts)
        return lambda: rows

    return launch


def later(forward: Callable[[Sequence[str]], np.ndarray] = rows_of) -> Launch:
    """A lane that computes, and fails, when its rows are fetched, as on a GPU."""
    return lambda texts: lambda: forward(texts)


def encode(blocks: Sequence[Sequence[str]], *lanes: Launch, size: int = 3, **options: Any) -> Iterator[Encoded]:
    return pipeline.encode(blocks, prepare=prepared(size, **options), lanes=lanes, memory=pipeline.Memory(is_memory))


def lane_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("lane-", "tokenize"))]


@settings(max_examples=60, deadline=None)
@given(BLOCKS, st.integers(1, 5), st.integers(1, 4), st.booleans(), st.sampled_from([at_once, later]))
def test_rows_come_back_in_order(
    blocks: list[list[str]], size: int, lanes: int, backwards: bool, lane: Callable[[], Launch]
) -> None:
    """Whatever the blocks, the batches and the number of lanes: block i's row j is that of text j, with its counts."""
    found = list(encode(blocks, *[lane() for _ in range(lanes)], size=size, backwards=backwards))
    assert len(found) == len(blocks)
    for encoded, texts in zip(found, blocks, strict=True):
        assert encoded.vectors.dtype == np.float32
        assert encoded.vectors.tolist() == rows_of(texts).tolist()
        assert encoded.tokens is not None
        assert encoded.truncated is not None
        assert encoded.tokens.tolist() == [len(text) for text in texts]
        assert encoded.truncated.tolist() == [len(text) > 3 for text in texts]
        assert encoded.tokens_padded == 10 * len(texts)


def test_a_slow_lane_changes_nothing() -> None:
    """A lane that is slower than the others delays rows and does not move them."""

    def slowly(texts: Sequence[str]) -> np.ndarray:
        time.sleep(0.01)
        return rows_of(texts)

    blocks = [[str(100 * block + i) for i in range(12)] for block in range(4)]
    found = list(encode(blocks, at_once(slowly), at_once(), later()))
    assert [encoded.vectors.tolist() for encoded in found] == [rows_of(texts).tolist() for texts in blocks]


def test_every_lane_works() -> None:
    """Two lanes are used at the same time: each waits in its forward pass until the other has begun."""
    both = threading.Barrier(2, timeout=10)

    def together(texts: Sequence[str]) -> np.ndarray:
        both.wait()
        return rows_of(texts)

    (encoded,) = encode([["1", "2"]], at_once(together), at_once(together), size=1)
    assert encoded.vectors[:, 0].tolist() == [1, 2]


@pytest.mark.parametrize(("texts", "expected"), [("1", {"lane-0"}), ("1234", {"lane-0", "lane-1"}), ("", set())])
def test_no_thread_starts_in_vain(texts: str, expected: set[str]) -> None:
    """A single block is tokenized by the caller, and no more lanes start than there are batches of 3 texts."""
    threads: set[str] = set()

    def prepare(block: Sequence[str]) -> Prepared:
        assert threading.current_thread() is threading.main_thread()
        return prepared(3)(block)

    def forward(batch: Sequence[str]) -> np.ndarray:
        threads.update(lane_threads())
        return rows_of(batch)

    answers = pipeline.encode(
        [list(texts)], prepare=prepare, lanes=[at_once(forward)] * 3, memory=pipeline.Memory(is_memory)
    )
    assert sum(len(encoded.vectors) for encoded in answers) == len(texts)
    assert threads == expected


def test_out_of_memory_halves_the_batch() -> None:
    """A batch that does not fit is cut in halves until it does, and so is the next one before it is tried."""
    sizes: list[int] = []

    def forward(texts: Sequence[str]) -> np.ndarray:
        sizes.append(len(texts))
        if len(texts) > 2:
            raise MemoryError
        return rows_of(texts)

    (encoded,) = encode([[str(i) for i in range(10)]], at_once(forward), size=5)
    assert encoded.vectors[:, 0].tolist() == list(range(10))
    assert encoded.tokens_padded == 100
    assert sizes == [5, 2, 3, 1, 2, 2, 1, 2]  # from the 3 that failed on, no more than 2


@settings(max_examples=40, deadline=None)
@given(BLOCKS, st.integers(1, 14), st.integers(1, 3), st.sampled_from([at_once, later]), st.integers(1, 4))
def test_out_of_memory_loses_no_text(
    blocks: list[list[str]], size: int, lanes: int, lane: Callable[[Any], Launch], room: int
) -> None:
    """However little fits, every text gets its row."""

    def cramped(texts: Sequence[str]) -> np.ndarray:
        if len(texts) > room:
            raise MemoryError
        return rows_of(texts)

    found = list(encode(blocks, *[lane(cramped) for _ in range(lanes)], size=size))
    assert [encoded.vectors.tolist() for encoded in found] == [rows_of(texts).tolist() for texts in blocks]


@pytest.mark.parametrize("lane", [at_once, later])
def test_a_single_text_that_does_not_fit_is_an_error(lane: Callable[[Any], Launch]) -> None:
    """No text is left out: when one alone does not fit, the error is the caller's; blocks before it have come."""

    def forward(texts: Sequence[str]) -> np.ndarray:
        if "3" in texts:
            raise MemoryError("too long")
        return rows_of(texts)

    answers = encode([["1", "2"], ["4", "3"], ["5"]], lane(forward))
    assert next(answers).vectors[:, 0].tolist() == [1, 2]
    with pytest.raises(MemoryError, match="too long"):
        next(answers)
    assert lane_threads() == []


@pytest.mark.parametrize("lane", [at_once, later])
def test_other_errors_are_not_retried(lane: Callable[[Any], Launch]) -> None:
    """An error that is not about memory comes out at once, from any of several lanes."""
    calls: list[int] = []

    def forward(texts: Sequence[str]) -> np.ndarray:
        calls.append(len(texts))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(encode([list("0123")], lane(forward), lane(forward), size=4))
    assert calls == [4]
    assert lane_threads() == []


@pytest.mark.parametrize("where", ["blocks", "prepare"])
def test_errors_before_the_model_come_out(where: str) -> None:
    """An error of whoever gives the blocks, or of the tokenizer, comes out and leaves no thread."""

    def blocks() -> Iterator[list[str]]:
        yield ["1"]
        if where == "blocks":
            raise LookupError("no more")
        yield ["2"]

    def prepare(texts: Sequence[str]) -> Prepared:
        if texts == ["2"]:
            raise LookupError("no more")
        return prepared(3)(texts)

    with pytest.raises(LookupError, match="no more"):
        list(pipeline.encode(blocks(), prepare=prepare, lanes=[at_once()], memory=pipeline.Memory(is_memory)))
    assert lane_threads() == []


def test_leaving_early() -> None:
    """A caller that stops after the first block leaves no thread behind, and little is computed in vain."""
    seen: list[str] = []

    def forward(texts: Sequence[str]) -> np.ndarray:
        seen.extend(texts)
        return rows_of(texts)

    answers = encode([[str(i)] for i in range(1000)], at_once(forward), at_once(forward))
    next(answers)
    assert len(lane_threads()) >= 2
    answers.close()  # type: ignore[attr-defined]
    assert lane_threads() == []
    assert len(seen) < 10


def test_blocks_are_taken_as_they_are_needed() -> None:
    """Memory stays bounded: no more than a few blocks are tokenized ahead of the one that is asked for."""
    taken: list[int] = []

    def blocks() -> Iterator[list[str]]:
        for block in range(50):
            taken.append(block)
            yield [str(block)]

    answers = pipeline.encode(blocks(), prepare=prepared(1), lanes=[at_once()], memory=pipeline.Memory(is_memory))
    for place, encoded in enumerate(answers):
        assert encoded.vectors[0, 0] == place
        assert len(taken) <= place + 4


def test_lanes_do_not_wait_for_the_caller() -> None:
    """While the caller is busy with the first block, the next ones are tokenized and computed."""
    computed = threading.Semaphore(0)

    def forward(texts: Sequence[str]) -> np.ndarray:
        computed.release()
        return rows_of(texts)

    answers = encode([[str(i)] for i in range(10)], at_once(forward))
    next(answers)
    for _ in range(4):
        assert computed.acquire(timeout=30)
    assert len(list(answers)) == 9


def test_a_slow_block_does_not_stop_the_tokenizer() -> None:
    """The next block is tokenized, and computed, while one takes long to tokenize; the answers are in order."""
    second = threading.Event()

    def prepare(texts: Sequence[str]) -> Prepared:
        if texts[0] == "0":
            assert second.wait(30), "the next block waited"
        return prepared(1)(texts)

    def forward(texts: Sequence[str]) -> np.ndarray:
        if texts[0] == "1":
            second.set()
        return rows_of(texts)

    blocks = [[str(i)] for i in range(3)]
    lanes = [at_once(forward)]
    answers = pipeline.encode(blocks, prepare=prepare, lanes=lanes, memory=pipeline.Memory(is_memory))
    assert [encoded.vectors[0, 0] for encoded in answers] == [0, 1, 2]


def test_no_texts() -> None:
    """No blocks, nothing; an empty block, an empty answer; no forward pass for either."""

    def forward(texts: Sequence[str]) -> np.ndarray:
        raise AssertionError("called without texts")

    assert list(encode([], at_once(forward))) == []
    first, second = encode([[], []], at_once(forward))
    assert first.vectors.shape[0] == second.vectors.shape[0] == 0
    assert first.tokens_padded == 0
