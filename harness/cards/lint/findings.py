"""One thing that is wrong with a card."""

from __future__ import annotations

from typing import NamedTuple

from harness.cards.edit.text_edits import Edit


class Finding(NamedTuple):
    """What is wrong, where, and what to do about it.

    Attributes:
        line: of the file, counted from 1.
        code: the kind of finding, in one word.
        what: what was found, and what was expected.
        fix: what to do.
        edits: the change that does it, in order and apart; empty where only the author can know.
    """

    line: int
    code: str
    what: str
    fix: str
    edits: tuple[Edit, ...] = ()
