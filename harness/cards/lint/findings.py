"""The result of a check of a card."""

from __future__ import annotations

from typing import NamedTuple

from harness.cards.edit.text_edits import Edit


class Finding(NamedTuple):
    """One thing that is wrong with a card.

    Attributes:
        line: line of the file, counted from 1.
        code: the kind of finding, in one word.
        what: what is wrong, and what was expected.
        fix: what to do.
        edits: the edits that fix it, sorted and not overlapping; empty if only the author can fix it.
    """

    line: int
    code: str
    what: str
    fix: str
    edits: tuple[Edit, ...] = ()
