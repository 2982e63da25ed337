"""Front matters that the hub does not recognise, because they do not stand at the beginning of the file (pure).

The hub shows such a card without its metadata, and says nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from harness.cards import card_file
from harness.cards.card_file import Card
from harness.cards.edit.text_edits import Edit
from harness.errors import CardError

_OPENING = re.compile(r"^[\ufeff\u200b-\u200f\u2060]*([ \t]*---)([ \t]*)(\r\n|\r|\n)", flags=re.MULTILINE)
_NOT_BREAKS = re.compile(r"[^\r\n]")
_KEYS = frozenset(
    (
        *("base_model", "datasets", "language", "library_name", "license", "license_name", "metrics", "model-index"),
        *("pipeline_tag", "tags", "thumbnail", "widget"),
    )
)


class Unrecognised(NamedTuple):
    """A front matter that the hub does not recognise.

    Attributes:
        line: of its opening dashes.
        why: what keeps the hub from recognising it.
        advice: what to do.
        card: the card as it would be read if the front matter were recognised; every character keeps its place.
        edits: the edits of the card that mend it; empty if only the author can.
    """

    line: int
    why: str
    advice: str
    card: Card
    edits: tuple[Edit, ...]

    def __str__(self) -> str:
        return f"{self.card.path}:{self.line}: the hub ignores this front matter: {self.why}; {self.advice}"


def unrecognised(card: Card) -> Unrecognised | None:
    """The front matter of a card that has none at its beginning; None if it has, or if there is none anywhere."""
    opening = _OPENING.search(card.text) if not card.has_front_matter else None
    if opening is None:
        return None
    before, blanks = card.text[: opening.start(1)], opening[2]
    if before.count("```") % 2:
        return None
    # The hub skips white space before the dashes, so that blanks in place of the text keep every offset and line.
    masked = _NOT_BREAKS.sub(" ", before) + blanks + opening[1] + card.text[opening.end(2) :]
    try:
        read = card_file.parse(masked, path=card.path)
    except CardError:
        return None
    if read.root is None or not _KEYS.intersection(key for key, _ in read.root.entries()):
        return None
    line = card.line_of(opening.start(1))
    if before.strip():
        first = card.line_of(len(before) - len(before.lstrip()))
        why = f"there is text before it (line {first}), and it must be the first thing in the file"
        return Unrecognised(line, why, "move that text below the front matter", read, ())
    edits = (Edit(opening.start(2), opening.end(2), ""),)
    return Unrecognised(line, "blanks follow the opening dashes", "delete them", read, edits)
