"""The index of the vector cache: it finds every key where it was added, whatever was looked up in between."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.encoding.key_index import KeyIndex


def keys(numbers: list[int]) -> np.ndarray:
    """(n, 16) uint8 whose first halves differ as the numbers do, also in their lower 32 bits alone."""
    halves = np.array(numbers, dtype=np.uint64) * np.uint64(0x1_0000_0001)
    return np.stack([halves, halves], axis=1).view(np.uint8).reshape(len(numbers), 16)


BLOCKS = st.lists(st.lists(st.integers(0, 40), max_size=6), max_size=12)


@settings(max_examples=200, deadline=None)
@given(BLOCKS, st.lists(st.integers(0, 50), max_size=8), st.sets(st.integers(0, 11)))
def test_every_place_of_a_key_is_found(blocks: list[list[int]], asked: list[int], looks: set[int]) -> None:
    """All (asked key, block, row) of equal keys come back, by block, with look-ups between the additions or without."""
    index = KeyIndex()
    for number, block in enumerate(blocks):
        assert index.add(keys(block)) == number
        if number in looks:
            index.find(keys(asked))
    matches = index.find(keys(asked))
    expected = [
        (number, place, row)
        for number, block in enumerate(blocks)
        for place, key in enumerate(asked)
        for row, other in enumerate(block)
        if key == other
    ]
    assert sorted(zip(matches.blocks, matches.asked, matches.rows, strict=True)) == sorted(expected)
    assert (np.diff(matches.blocks) >= 0).all()


def test_keys_that_share_their_upper_bits() -> None:
    """Keys that are equal in the 32 bits by which the index sorts, and not in the next 32, are told apart."""
    halves = (np.uint64(7) << np.uint64(32)) | np.arange(5, dtype=np.uint64)
    some = np.stack([halves, halves], axis=1).view(np.uint8).reshape(5, 16)
    index = KeyIndex()
    index.add(some)
    matches = index.find(some[[3]])
    assert (matches.asked.tolist(), matches.blocks.tolist(), matches.rows.tolist()) == ([0], [0], [3])


def test_work_does_not_grow_with_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key costs a bounded number of sorted numbers in all: twice for each doubling of the index."""
    index, sizes = KeyIndex(), []
    rng = np.random.default_rng(0)
    original = np.sort

    def counted(numbers: np.ndarray) -> np.ndarray:
        sizes.append(len(numbers))
        return original(numbers)

    asked = rng.integers(0, 256, (10, 16), dtype=np.uint8)
    monkeypatch.setattr(np, "sort", counted)
    for _ in range(256):
        index.add(rng.integers(0, 256, (64, 16), dtype=np.uint8))
        index.find(asked)
    assert sum(sizes) <= 256 * 64 * (2 + np.log2(256))
