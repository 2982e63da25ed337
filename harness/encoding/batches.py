"""Texts to blocks and batches (pure); both are (n,) int64 arrays of positions in the list of texts.

A block is what is tokenized, and written to the vector cache, in one piece; a batch is what goes through the model in
one forward pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from harness.types import Int64

MTEB_BATCH = 32
"""Texts in a batch in mteb and in sentence-transformers, by default."""
_BLOCK_TEXTS = 2048
_BLOCK_CHARACTERS = 1 << 18
"""Large enough that writing a block is cheap compared to encoding it; small enough that losing one costs seconds."""
_CHARACTERS_OF_TOKEN, _BATCHES_OF_BLOCK = 4, 4
"""A block has at least so many batches, with 4 characters a token: the last of them, which is not full, then costs
little."""


class Unique(NamedTuple):
    """Distinct texts in order of first appearance, and the position of each original text among them."""

    texts: list[str]
    positions: Int64


def unique(texts: Sequence[str]) -> Unique:
    """Each text once; `[unique.texts[i] for i in unique.positions]` gives the original texts."""
    index: dict[str, int] = {}
    positions = np.fromiter((index.setdefault(text, len(index)) for text in texts), dtype=np.int64, count=len(texts))
    return Unique(list(index), positions)


def in_order_of_mteb(characters: Sequence[int]) -> Int64:
    """Positions of the texts, longest first, in the order in which sentence-transformers 6.2 cuts batches of 32.

    That order is `np.argsort` of the negative lengths with its default sort, which is not stable. Padding changes the
    last bits of a vector, and metrics over near ties (average precision of PawsX) amplify them; with the same batches
    the vectors equal those that mteb scores, to the bit.
    """
    return np.argsort([-count for count in characters]).astype(np.int64)


def blocks_of_mteb(characters: Sequence[int]) -> list[Int64]:
    """Blocks of whole batches, in mteb's order."""
    order = in_order_of_mteb(characters)
    return [order[start : start + _BLOCK_TEXTS] for start in range(0, len(order), _BLOCK_TEXTS)]


def blocks(characters: Sequence[int], *, batch_tokens: int | None = None) -> list[Int64]:
    """Blocks of texts of similar length, longest first: at most 2,048 texts and about 262,144 characters each.

    Where a batch holds so many tokens that a block of this size would be a few batches, blocks are larger.

    Args:
        characters: of each text.
        batch_tokens: padded tokens in a batch, where there is such a budget.
    """
    lengths = np.asarray(characters, dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    times = max(1, (batch_tokens or 0) * _CHARACTERS_OF_TOKEN * _BATCHES_OF_BLOCK // _BLOCK_CHARACTERS)
    blocks, start = [], 0
    while start < len(order):
        count = min(times * _BLOCK_TEXTS, times * _BLOCK_CHARACTERS // max(1, int(lengths[order[start]])))
        blocks.append(order[start : start + max(1, count)])
        start += len(blocks[-1])
    return blocks


def by_count(count: int, *, size: int) -> list[Int64]:
    """Batches of `size` texts, in order; the last one may be smaller."""
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]


def by_tokens(tokens: Sequence[int] | Int64, *, budget: int) -> list[Int64]:
    """Batches that hold as many texts as fit `budget` tokens after padding to the longest of them; longest first.

    A text with more tokens than the budget gets a batch of its own.
    """
    lengths = np.asarray(tokens, dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        count = max(1, budget // max(1, int(lengths[order[start]])))
        batches.append(order[start : start + count])
        start += count
    return batches


def packed(tokens: Sequence[int] | Int64, *, budget: int) -> list[Int64]:
    """Batches of texts that hold at most `budget` tokens together, without padding; longest first.

    A text with more tokens than the budget gets a batch of its own.
    """
    lengths = np.asarray(tokens, dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    ends = np.cumsum(lengths[order])
    batches, start = [], 0
    while start < len(order):
        before = int(ends[start] - lengths[order[start]])
        stop = max(start + 1, int(np.searchsorted(ends, before + budget, side="right")))
        batches.append(order[start:stop])
        start = stop
    return batches


def sum_or_none(terms: Iterable[int | None]) -> int | None:
    """The sum, or None where a term is None."""
    total = 0
    for term in terms:
        if term is None:
            return None
        total += term
    return total
