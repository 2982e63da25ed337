"""Edits of a front matter's text, each as short as its change of the data allows (pure).

An edit replaces a span of characters. All edits refer to the same text and are applied together; the rest of the file
keeps its bytes. `merge` parses the result again and refuses it unless the data changed as intended.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from harness.cards.card_file import Card
from harness.cards.edit.yaml_nodes import Node
from harness.errors import CardError

_REST_OF_LINE = re.compile(r"[^\r\n]*")
_COMMENT_LINE = re.compile(r"(?:\r\n|\r|\n)( *)#[^\r\n]*")
_BREAK = re.compile(r"\r\n|\r|\n")


class Edit(NamedTuple):
    """Replace the characters from `start` to `end` by `text`."""

    start: int
    end: int
    text: str


class Item(NamedTuple):
    """A new list item, as lines under a dash in column `indent` (`block`) and as text inside brackets (`flow`)."""

    block: Callable[[int], Sequence[str]]
    flow: str


def apply(card: Card, edits: Iterable[Edit]) -> str:
    """Apply edits to the card's text; two insertions at one place keep their given order.

    Raises:
        CardError: two edits overlap.
    """
    pieces: list[str] = []
    done = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < done:
            line = card.line_of(edit.start)
            raise CardError(f"{card.path}:{line}: overlapping edits; expand the anchors on this line and run again")
        pieces += [card.text[done : edit.start], edit.text]
        done = edit.end
    return "".join([*pieces, card.text[done:]])


def append(card: Card, sequence: Node, items: Sequence[Item], *, indent: int, in_flow: bool) -> Edit:
    """Append items to a list that is not an alias.

    Args:
        card: the card that holds the list.
        sequence: a list, or the empty value (null) in its place.
        items: at least one.
        indent: the column for the dashes of a list that is still empty.
        in_flow: whether the list is inside a mapping or list written with brackets.
    """
    flow = ", ".join(item.flow for item in items)
    if not sequence.items:
        if in_flow:
            return Edit(sequence.start, sequence.end, f"[{flow}]" if sequence.flow else f" [{flow}]")
        return Edit(sequence.start, sequence.end, _below(card, _lines(items, indent)))
    if sequence.flow:
        last = sequence.items[-1].end
        return Edit(last, last, f", {flow}")
    column = dash_column(card, sequence)
    first = line_start(card.text, _dash(card, sequence, len(sequence.items) - 1))
    return _after(card, sequence, _lines(items, column), column=column, otherwise=first)


def position(card: Card, sequence: Node) -> int:
    """The position in the list where `append` puts items: the end, or before an item that must stay last."""
    return len(sequence.items) - (bool(sequence.items) and not sequence.flow and _must_stay_last(card, sequence))


def add_key(card: Card, key: str, item: Item) -> Edit:
    """Add `key` with a list of one item to a front matter that exists, possibly empty, and lacks the key."""
    lines = [f"{key}:", *item.block(0)]
    root = card.root
    if root is None:
        if card.text.startswith("---", card.end):  # the closing line follows the opening one
            return Edit(card.end, card.end, "".join(f"{line}{card.newline}" for line in lines))
        blank = not card.front_matter
        return Edit(card.end, card.end, card.newline.join(lines) if blank else _below(card, lines))
    if root.flow:
        if not root.pairs:
            return Edit(root.start, root.end, card.newline.join(lines))
        last = root.pairs[-1][1].end
        return Edit(last, last, f", {key}: [{item.flow}]")
    column = root.start - line_start(card.text, root.start)
    indented = [" " * column + line for line in lines]
    return _after(card, root, indented, column=-1, otherwise=line_start(card.text, root.pairs[-1][0].start))


def remove(card: Card, sequence: Node, indices: Iterable[int], *, key: Node) -> list[Edit]:
    """Remove items from a list that is not an alias, with their lines or commas.

    `key` is the key of the list; where no item is left, it gets the value `[]`.
    """
    removed = sorted(set(indices))
    if len(removed) == len(sequence.items):
        if sequence.flow:
            return [Edit(sequence.start + 1, sequence.end - 1, "")]
        after_colon = card.text.index(":", key.end) + 1
        return [Edit(after_colon, after_colon, " []"), *(_item_lines(card, sequence, index) for index in removed)]
    if sequence.flow:
        return [_without_comma(sequence, index, set(removed)) for index in removed]
    return [_item_lines(card, sequence, index) for index in removed]


def line_start(text: str, offset: int) -> int:
    """The offset of the first character of the line that holds `offset`."""
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def dash_column(card: Card, sequence: Node) -> int:
    """The column of a block list's dashes."""
    dash = _dash(card, sequence, 0)
    return dash - line_start(card.text, dash)


def _after(card: Card, block: Node, lines: Sequence[str], *, column: int, otherwise: int) -> Edit:
    """Insert lines after a block, or at `otherwise` (the start of a line) where the block must stay last."""
    if _must_stay_last(card, block):
        return Edit(otherwise, otherwise, "".join(f"{line}{card.newline}" for line in lines))
    place = _end_of_block(card.text, block, column=column)
    return Edit(place, place, _below(card, lines))


def _must_stay_last(card: Card, block: Node) -> bool:
    """Whether a line after the block would change the block's last value.

    A block scalar at the end of the front matter has no final line break; a line after it would add one.
    """
    return block.end == card.end and _last_leaf(block).style in ("|", ">")


def _last_leaf(node: Node) -> Node:
    while node.kind in ("sequence", "mapping") and not node.flow and (node.items or node.pairs):
        node = node.items[-1] if node.items else node.pairs[-1][1]
    return node


def _below(card: Card, lines: Iterable[str]) -> str:
    return "".join(f"{card.newline}{line}" for line in lines)


def _lines(items: Sequence[Item], indent: int) -> list[str]:
    return [line for item in items for line in item.block(indent)]


def _end_of_block(text: str, block: Node, *, column: int) -> int:
    """The end of the block's last line, including following comments that are indented deeper than `column`."""
    place = _end_without_break(text, block)
    if place < block.end:
        return place
    rest = _REST_OF_LINE.match(text, place)
    assert rest is not None
    place = rest.end()
    while (comment := _COMMENT_LINE.match(text, place)) and len(comment.group(1)) > column:
        place = comment.end()
    return place


def _end_without_break(text: str, node: Node) -> int:
    """The node's end, before the line break that the span of a block scalar includes."""
    if text.endswith("\r\n", 0, node.end):
        return node.end - 2
    return node.end - 1 if text.endswith(("\n", "\r"), 0, node.end) else node.end


def _dash(card: Card, sequence: Node, index: int) -> int:
    """The offset of an item's dash: the last dash that begins a line after the previous item."""
    text, begin = card.text, sequence.items[index - 1].end if index else sequence.start
    if index == 0 and text[begin] == "-":
        return begin
    gap = text[line_start(text, begin) : sequence.items[index].start]
    dashes = [match.end() for match in re.finditer(r"(?:\A|[\r\n]) *(?=-(?:\s|\Z))", gap)]
    if not dashes:
        line = sequence.items[index].line
        raise CardError(f"{card.path}:{line}: this list item shares a line with another; put its dash on a new line")
    return line_start(text, begin) + dashes[-1]


def _item_lines(card: Card, sequence: Node, index: int) -> Edit:
    """Delete the lines of an item, with comments that are indented deeper than its dash."""
    dash = _dash(card, sequence, index)
    begin = line_start(card.text, dash)
    end = _end_of_block(card.text, sequence.items[index], column=dash - begin)
    after = _BREAK.match(card.text, end)
    return Edit(begin, after.end() if after else end, "")


def _without_comma(sequence: Node, index: int, removed: set[int]) -> Edit:
    """Delete an item and the comma after it, or the comma before it where no later item stays."""
    items = sequence.items
    if any(later not in removed for later in range(index + 1, len(items))):
        return Edit(items[index].start, items[index + 1].start, "")
    return Edit(items[index - 1].end, items[index].end, "")
