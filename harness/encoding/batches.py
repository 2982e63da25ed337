"""Texts into blocks and batches (pure). Both are arrays of positions in the list of texts.

A block is what is written to disk at once, a batch what goes through the model at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from harness.types import Int64

MTEB_BATCH = 32
"""Texts a batch in mteb and in sentence-transformers, by default."""
_BLOCK_TEXTS = 2048
_BLOCK_CHARACTERS = 1 << 18
"""A block holds so much that writing it is cheap beside encoding it, and losing it does not hurt: seconds of work."""


class Unique(NamedTuple):
    """Distinct texts in order of first appearance, and for every original text its position among them."""

    texts: list[str]
    positions: Int64


def unique(texts: Sequence[str]) -> Unique:
    """Each text once: `[texts[i] for i in positions]` are the original texts again."""
    index: dict[str, int] = {}
    positions = np.fromiter((index.setdefault(text, len(index)) for text in texts), dtype=np.int64, count=len(texts))
    return Unique(list(index), positions)


def in_order_of_mteb(characters: Sequence[int]) -> Int64:
    """Positions by characters, most first, as sentence-transformers 6.2 sorts before it cuts batches of 32.

    That is `np.argsort` of the negative lengths with its default sort, which is not stable. Padding changes the last
    bits of a vector, and metrics over near ties (average precision of PawsX) amplify them; with the same batches the
    vectors are the same to the bit as those that mteb scores.
    """
    return np.argsort([-count for count in characters]).astype(np.int64)


def blocks_of_mteb(characters: Sequence[int]) -> list[Int64]:
    """Blocks of whole batches of mteb, in its order."""
    order = in_order_of_mteb(characters)
    return [order[start : start + _BLOCK_TEXTS] for start in range(0, len(order), _BLOCK_TEXTS)]


def blocks(characters: Sequence[int]) -> list[Int64]:
    """Blocks of texts of like length, longest first, stable: at most 2,048 texts and about 262,144 characters each."""
    lengths = np.asarray(characters, dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    cut, start = [], 0
    while start < len(order):
        count = min(_BLOCK_TEXTS, _BLOCK_CHARACTERS // max(1, int(lengths[order[start]])))
        cut.append(order[start : start + max(1, count)])
        start += len(cut[-1])
    return cut


def by_count(count: int, *, size: int) -> list[Int64]:
    """`size` positions a batch, in order."""
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]


def by_tokens(tokens: Sequence[int] | Int64, *, budget: int) -> list[Int64]:
    """As many texts a batch as fit `budget` tokens after padding to the longest, longest first, stable.

    A text longer than the budget is a batch of its own.
    """
    lengths = np.asarray(tokens, dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        count = max(1, budget // max(1, int(lengths[order[start]])))
        batches.append(order[start : start + count])
        start += count
    return batches
