"""The rows that a quick run keeps, drawn with a fixed seed: its scores are estimates, and are recorded apart."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

SEED = 42

_Value = TypeVar("_Value")


def rows(count: int, n: int) -> list[int]:
    """At most `n` of `count` rows; a class or a score is as likely to be drawn as it is frequent."""
    return sorted(random.Random(SEED).sample(range(count), min(count, n)))


def picked(values: Sequence[_Value], kept: Sequence[int]) -> list[_Value]:
    """The values of the rows that are kept."""
    return [values[row] for row in kept]
