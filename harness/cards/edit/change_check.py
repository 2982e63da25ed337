"""Did an edit of a front matter change what it was meant to, and nothing else? (pure)"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from harness.cards.card_file import Card
from harness.errors import CardError

Change: TypeAlias = Callable[[Any], None]
"""What an edit of the text does to the data, in place."""


def check(card: Card, text: str, changes: Sequence[Change]) -> None:
    """Whether the new text's data are the old text's with the changes that were meant, and nothing else.

    Raises:
        CardError: they are not.
    """
    expected = card.data()
    if expected is None:
        expected = {}
    for change in changes:
        change(expected)
    try:
        found = card.with_text(text).data()
    except CardError as err:
        raise CardError(f"{card.path}: the results cannot be put in without breaking the card ({err})") from err
    if not _equal(expected, found if changes else found or {}):
        raise CardError(
            f"{card.path}: the results cannot be put in without changing something else of the front matter; "
            "nothing written; write out its anchors and multi-line texts around the results"
        )


def _equal(one: Any, other: Any) -> bool:
    """Equal with types and order: 1 is not True, and not-a-number equals itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        keys = {(type(key), key) for key in one}
        return keys == {(type(key), key) for key in other} and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(_equal(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other or (one != one and other != other))
