"""Texts into batches: every text in exactly one, in the order that the vectors depend on."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.encoding import batches
from harness.encoding.batches import by_count, by_tokens, unique

LENGTHS = st.lists(st.integers(0, 600), max_size=80)


def test_unique() -> None:
    """Distinct texts in order of first appearance, and where each original one is among them."""
    found = unique(["b", "a", "b", "", "a"])
    assert found.texts == ["b", "a", ""]
    assert found.positions.tolist() == [0, 1, 0, 2, 1]
    assert found.positions.dtype == np.int64


@given(st.lists(st.text(max_size=3)))
def test_unique_is_reversible(texts: list[str]) -> None:
    """The positions rebuild the texts, and no text is there twice."""
    found = unique(texts)
    assert [found.texts[i] for i in found.positions] == texts
    assert len(set(found.texts)) == len(found.texts)


def test_by_count() -> None:
    """So many positions a batch, in order, the rest in the last."""
    assert [batch.tolist() for batch in by_count(5, size=2)] == [[0, 1], [2, 3], [4]]
    assert [batch.tolist() for batch in by_count(4, size=2)] == [[0, 1], [2, 3]]
    assert by_count(0, size=2) == []


def test_the_order_of_mteb() -> None:
    """Most characters first; ties as numpy's default sort of the negated lengths leaves them, stable or not."""
    assert batches.in_order_of_mteb([3, 9, 1, 7, 5]).tolist() == [1, 3, 4, 0, 2]
    lengths = [4, 2, 4, 4, 2] * 9
    assert batches.in_order_of_mteb(lengths).tolist() == np.argsort([-length for length in lengths]).tolist()
    assert batches.in_order_of_mteb([]).tolist() == []


def test_blocks() -> None:
    """Longest first, equal ones in the order given; at most 2,048 texts and 262,144 characters after padding."""
    assert [block.tolist() for block in batches.blocks([3, 9, 3, 7])] == [[1, 3, 0, 2]]
    assert [len(block) for block in batches.blocks([1] * 5000)] == [2048, 2048, 904]
    # 26 texts of 10,000 characters are 260,000; one more would be 270,000
    assert [len(block) for block in batches.blocks([10_000] * 60)] == [26, 26, 8]
    assert [len(block) for block in batches.blocks([10**6, 10**6])] == [1, 1]
    assert batches.blocks([]) == []


@given(st.lists(st.sampled_from([0, 1, 7, 100, 3_000, 300_000]), max_size=200))
def test_blocks_leave_no_text_out(lengths: list[int]) -> None:
    """Each position once, lengths falling, stable, whatever the lengths."""
    order = [int(i) for block in batches.blocks(lengths) for i in block]
    assert order == sorted(range(len(lengths)), key=lambda i: -lengths[i])


@pytest.mark.parametrize("batch_tokens", [None, 1024, 65_536, 1_000_000])
def test_a_block_holds_several_batches(batch_tokens: int | None) -> None:
    """However large a batch is, full blocks of texts of 4 characters a token are four batches or more."""
    characters = [400] * 100_000
    full = batches.blocks(characters, batch_tokens=batch_tokens)[:-1]
    for block in full:
        made = batches.by_tokens(np.full(len(block), 100), budget=batch_tokens or 1024)
        assert len(made) >= 4
    assert batch_tokens != 1024 or len(full[0]) == (1 << 18) // 400


def test_blocks_of_mteb() -> None:
    """Blocks hold whole batches of 32, in mteb's order."""
    lengths = [i % 97 for i in range(5000)]
    blocks = batches.blocks_of_mteb(lengths)
    assert [len(block) for block in blocks] == [2048, 2048, 904]
    assert all(len(block) % batches.MTEB_BATCH == 0 for block in blocks[:-1])
    assert np.concatenate(blocks).tolist() == batches.in_order_of_mteb(lengths).tolist()
    assert batches.blocks_of_mteb([]) == []


def test_by_tokens() -> None:
    """Longest first; a batch holds as many texts as fit the budget when padded to its longest."""
    # 9 | 5 5 fit 10 | 3 3 3 fit 9 of 10 (a fourth would make 12) | 1 is left
    cut = by_tokens([3, 5, 9, 3, 5, 1, 3], budget=10)
    assert [batch.tolist() for batch in cut] == [[2], [1, 4], [0, 3, 6], [5]]


def test_by_tokens_takes_a_text_that_exceeds_the_budget() -> None:
    """A text longer than the budget is a batch of its own, and empty texts cost one token."""
    assert [batch.tolist() for batch in by_tokens([50, 2], budget=10)] == [[0], [1]]
    assert [batch.tolist() for batch in by_tokens([0, 0, 0], budget=2)] == [[0, 1], [2]]


@given(st.integers(0, 200), st.integers(1, 40))
def test_by_count_leaves_no_text_out(count: int, size: int) -> None:
    """Each position once and in order, full batches but for the last."""
    cut = by_count(count, size=size)
    assert [int(i) for batch in cut for i in batch] == list(range(count))
    assert all(len(batch) == size for batch in cut[:-1])


@given(LENGTHS, st.integers(1, 1000))
def test_by_tokens_leaves_no_text_out_and_keeps_the_budget(lengths: list[int], budget: int) -> None:
    """Each position once, lengths falling, stable; padded size within the budget unless it is one text."""
    cut = by_tokens(lengths, budget=budget)
    order = [int(i) for batch in cut for i in batch]
    assert order == sorted(range(len(lengths)), key=lambda i: -lengths[i])
    for batch in cut:
        padded = len(batch) * max(1, max(lengths[i] for i in batch))
        assert padded <= budget or len(batch) == 1


@given(LENGTHS, st.integers(1, 1000))
def test_by_tokens_wastes_no_room(lengths: list[int], budget: int) -> None:
    """A batch is closed only when one more text would not have fitted."""
    cut = by_tokens(lengths, budget=budget)
    for batch in cut[:-1]:
        assert (len(batch) + 1) * max(1, lengths[batch[0]]) > budget


@given(LENGTHS, st.integers(1, 1000))
def test_packed_batches_keep_the_budget_and_waste_no_room(lengths: list[int], budget: int) -> None:
    """Each position once, lengths falling, stable; tokens within the budget unless it is one text; no room is left."""
    cut = batches.packed(lengths, budget=budget)
    order = [int(i) for batch in cut for i in batch]
    assert order == sorted(range(len(lengths)), key=lambda i: -lengths[i])
    assert all(sum(lengths[i] for i in batch) <= budget or len(batch) == 1 for batch in cut)
    for batch, following in itertools.pairwise(cut):
        assert sum(lengths[i] for i in batch) + lengths[following[0]] > budget
