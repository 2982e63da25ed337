"""Batches through a forward pass: rows come back in order, memory errors halve the batch, others pass through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.encoding.pipeline import encode


def rows_of(batch: list[str]) -> np.ndarray:
    """A row that tells the text: its number, and the size of nothing else."""
    return np.array([[float(text), 1.0] for text in batch], dtype=np.float32)


def is_memory(err: BaseException) -> bool:
    return isinstance(err, MemoryError)


@given(st.permutations(range(12)), st.lists(st.integers(1, 5), min_size=1))
def test_rows_come_back_in_order(order: list[int], sizes: list[int]) -> None:
    """Whatever the batches, row i is text i's."""
    batches, start = [], 0
    while start < len(order):
        size = sizes[len(batches) % len(sizes)]
        batches.append(np.array(order[start : start + size]))
        start += size
    done: list[int] = []
    texts = [str(i) for i in range(12)]
    result = encode(texts, batches=batches, forward=rows_of, is_out_of_memory=is_memory, on_batch=done.append)
    assert result.dtype == np.float32
    assert result[:, 0].tolist() == list(range(12))
    assert done == [len(batch) for batch in batches]


def test_out_of_memory_halves_the_batch() -> None:
    """A batch that does not fit is cut in halves until it does; the next batch is tried whole again."""
    sizes: list[int] = []

    def forward(batch: list[str]) -> np.ndarray:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise MemoryError
        return rows_of(batch)

    texts = [str(i) for i in range(10)]
    batches = [np.arange(5), np.arange(5, 10)]
    result = encode(texts, batches=batches, forward=forward, is_out_of_memory=is_memory)
    assert result[:, 0].tolist() == list(range(10))
    # 5 -> 2 and 3; 3 -> 1 and 2; the same again
    assert sizes == [5, 2, 3, 1, 2] * 2


def test_a_single_text_that_does_not_fit_is_an_error() -> None:
    """No text is left out: when one alone does not fit, the error is the caller's."""

    def forward(batch: list[str]) -> np.ndarray:
        if "3" in batch:
            raise MemoryError("too long")
        return rows_of(batch)

    with pytest.raises(MemoryError, match="too long"):
        encode(list("0123"), batches=[np.arange(4)], forward=forward, is_out_of_memory=is_memory)


def test_other_errors_are_not_retried() -> None:
    """An error that is not about memory passes through at once."""
    calls: list[int] = []

    def forward(batch: list[str]) -> np.ndarray:
        calls.append(len(batch))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        encode(list("0123"), batches=[np.arange(4)], forward=forward, is_out_of_memory=is_memory)
    assert calls == [4]


def test_no_texts() -> None:
    """Nothing in, nothing out: no forward pass."""

    def forward(batch: list[str]) -> np.ndarray:
        raise AssertionError("called without texts")

    result = encode([], batches=[], forward=forward, is_out_of_memory=is_memory)
    assert (result.shape, result.dtype) == ((0, 0), np.float32)
