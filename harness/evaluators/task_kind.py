"""What a task type's file gives and is given, in the terms that all types share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from harness.types import Scores

if TYPE_CHECKING:
    from harness.evaluators.items import Items
    from harness.types import Float32


class Scored(NamedTuple):
    """What a scorer returns.

    Attributes:
        scores: metric -> value.
        items: metric -> the items whose score it is, for every metric that is made of single items.
    """

    scores: Scores
    items: Mapping[str, Items]


class Sides(NamedTuple):
    """The vectors of two sides, and how the model compares them.

    Attributes:
        left: (n, dim).
        right: (m, dim).
        similarity: the name of the model's similarity; see `similarity.NAMES`.
    """

    left: Float32
    right: Float32
    similarity: str = "cosine"
