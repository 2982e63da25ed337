"""Texts into batches (pure). A batch is an array of positions in the list of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from harness.types import Int64


class Unique(NamedTuple):
    """Distinct texts in order of first appearance, and for every original text its position among them."""

    texts: list[str]
    positions: Int64


def unique(texts: Sequence[str]) -> Unique:
    """Each text once: `[texts[i] for i in positions]` are the original texts again."""
    index: dict[str, int] = {}
    positions = np.fromiter((index.setdefault(text, len(index)) for text in texts), dtype=np.int64, count=len(texts))
    return Unique(list(index), positions)


def by_count(characters: Sequence[int], *, size: int) -> list[Int64]:
    """`size` texts a batch, most characters first.

    This is the batching of sentence-transformers 6.2 (`np.argsort` of negative lengths, its default sort included).
    Padding changes the last bits of a vector, and metrics over near ties (average precision of PawsX) amplify them;
    with the same batches the vectors are the same to the bit as those that mteb scores.
    """
    order = np.argsort([-count for count in characters])
    return [order[start : start + size].astype(np.int64) for start in range(0, len(order), size)]


def by_tokens(tokens: Sequence[int], *, budget: int) -> list[Int64]:
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
