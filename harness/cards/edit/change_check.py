"""The check that an edit of a front matter changed what it was meant to change and nothing else (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from harness.cards.card_file import Card
from harness.errors import CardError

DataChange: TypeAlias = Callable[[Any], None]
"""What an edit of the text does to the data of the front matter, in place."""


def check(card: Card, text: str, changes: Sequence[DataChange]) -> None:
    """Check that the data of the new text are the card's data with these changes applied.

    Raises:
        CardError: the data differ in anything else, or the new text cannot be parsed.
    """
    expected = card.data()
    if expected is None:
        expected = {}
    for change in changes:
        change(expected)
    try:
        edited = card.with_text(text).data()
    except CardError as err:
        raise CardError(f"{card.path}: the results cannot be added without breaking the front matter ({err})") from err
    if not _equal(expected, edited if changes else edited or {}):
        raise CardError(
            f"{card.path}: the results cannot be added without changing something else in the front matter; nothing "
            "was written; expand the anchors and rewrite the multi-line texts around the results on single lines"
        )


def _equal(left: Any, right: Any) -> bool:
    """Whether values are equal in type and content: 1 differs from True, and not-a-number equals itself."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        keys = {(type(key), key) for key in left}
        return keys == {(type(key), key) for key in right} and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(_equal(a, b) for a, b in zip(left, right, strict=True))
    return bool(left == right or (left != left and right != right))
