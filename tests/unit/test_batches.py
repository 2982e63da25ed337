"""Texts into batches: every text in exactly one, in the order that the vectors depend on."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

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
    """So many texts a batch, most characters first."""
    assert [batch.tolist() for batch in by_count([3, 9, 1, 7, 5], size=2)] == [[1, 3], [4, 0], [2]]
    assert by_count([], size=2) == []


def test_by_count_orders_ties_as_sentence_transformers() -> None:
    """Among equal lengths the order is numpy's default sort of the negated lengths, whatever that is."""
    lengths = [4, 2, 4, 4, 2] * 9
    order = np.concatenate(by_count(lengths, size=7))
    assert order.tolist() == np.argsort([-length for length in lengths]).tolist()


def test_by_tokens() -> None:
    """Longest first; a batch holds as many texts as fit the budget when padded to its longest."""
    # 9 | 5 5 fit 10 | 3 3 3 fit 9 of 10 (a fourth would make 12) | 1 is left
    batches = by_tokens([3, 5, 9, 3, 5, 1, 3], budget=10)
    assert [batch.tolist() for batch in batches] == [[2], [1, 4], [0, 3, 6], [5]]


def test_by_tokens_takes_a_text_that_exceeds_the_budget() -> None:
    """A text longer than the budget is a batch of its own, and empty texts cost one token."""
    assert [batch.tolist() for batch in by_tokens([50, 2], budget=10)] == [[0], [1]]
    assert [batch.tolist() for batch in by_tokens([0, 0, 0], budget=2)] == [[0, 1], [2]]


@given(LENGTHS, st.integers(1, 40))
def test_by_count_leaves_no_text_out(lengths: list[int], size: int) -> None:
    """Each position once, full batches but for the last, lengths falling."""
    batches = by_count(lengths, size=size)
    order = [int(i) for batch in batches for i in batch]
    assert sorted(order) == list(range(len(lengths)))
    assert all(len(batch) == size for batch in batches[:-1])
    assert [lengths[i] for i in order] == sorted(lengths, reverse=True)


@given(LENGTHS, st.integers(1, 1000))
def test_by_tokens_leaves_no_text_out_and_keeps_the_budget(lengths: list[int], budget: int) -> None:
    """Each position once, lengths falling, stable; padded size within the budget unless it is one text."""
    batches = by_tokens(lengths, budget=budget)
    order = [int(i) for batch in batches for i in batch]
    assert order == sorted(range(len(lengths)), key=lambda i: -lengths[i])
    for batch in batches:
        padded = len(batch) * max(1, max(lengths[i] for i in batch))
        assert padded <= budget or len(batch) == 1


@given(LENGTHS, st.integers(1, 1000))
def test_by_tokens_wastes_no_room(lengths: list[int], budget: int) -> None:
    """A batch is closed only when one more text would not have fitted."""
    batches = by_tokens(lengths, budget=budget)
    for batch in batches[:-1]:
        assert (len(batch) + 1) * max(1, lengths[batch[0]]) > budget
