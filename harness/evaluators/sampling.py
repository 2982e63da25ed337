"""Draws the rows of a quick run with a fixed seed. Its scores are estimates, recorded as variants."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

SEED = 42

_Value = TypeVar("_Value")


def rows(count: int, n: int) -> list[int]:
    """At most `n` of `count` rows, ascending; every row is equally likely."""
    return sorted(random.Random(SEED).sample(range(count), min(count, n)))


def rows_of_groups(groups: Sequence[Sequence[int]], n: int) -> list[int]:
    """Whole groups of rows, drawn until the next one would make it more than `n` rows; one at least. Ascending."""
    if all(len(group) == 1 for group in groups):
        return sorted(groups[place][0] for place in rows(len(groups), n))
    kept: list[int] = []
    for group in random.Random(SEED).sample(list(groups), len(groups)):
        if kept and len(kept) + len(group) > n:
            break
        kept += group
    return sorted(kept)


def picked(values: Sequence[_Value], kept: Sequence[int]) -> list[_Value]:
    """The values of the kept rows."""
    return [values[row] for row in kept]
