"""Edits of a front matter's text: the least number of characters that make one change of its data (pure).

An edit replaces a span; edits are made from one reading of the text and applied together. Everything else in the file
keeps its bytes. `merge` parses the result again and refuses it unless the data changed as meant.
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
    """Put `text` where the characters from `start` to `end` are."""

    start: int
    end: int
    text: str


class Item(NamedTuple):
    """A new list item: how it looks as lines under a dash in column `indent`, and inside brackets."""

    block: Callable[[int], Sequence[str]]
    flow: str


def apply(card: Card, edits: Iterable[Edit]) -> str:
    """The card's text with all edits made; of two at one place, the first given comes first.

    Raises:
        CardError: two of them touch the same characters.
    """
    pieces: list[str] = []
    done = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < done:
            line = card.line_of(edit.start)
            raise CardError(
                f"{card.path}:{line}: two changes meet here; write out what stands around it, and run again"
            )
        pieces += [card.text[done : edit.start], edit.text]
        done = edit.end
    return "".join([*pieces, card.text[done:]])


def append(card: Card, sequence: Node, items: Sequence[Item], *, indent: int, in_flow: bool) -> Edit:
    """Add items at the end of a list that is not an alias.

    Args:
        card: the file.
        sequence: a list, or the empty value (null) in its place.
        items: at least one.
        indent: the column of the dashes of a list that has none yet.
        in_flow: whether the list stands in a mapping or list of brackets.
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
    """At which position of the list `append` puts its items: the last, but for one case (see `_stays_last`)."""
    return len(sequence.items) - (bool(sequence.items) and not sequence.flow and _stays_last(card, sequence))


def add_key(card: Card, key: str, item: Item) -> Edit:
    """Add `key` with a list of one item to the front matter, which lacks it and exists, be it empty."""
    lines = [f"{key}:", *item.block(0)]
    root = card.root
    if root is None:
        if card.text.startswith("---", card.end):  # closed by the very next line
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
    """Take items out of a list that is not an alias, with the lines or commas that belong to them.

    `key` is the key whose value the list is: where nothing remains, `[]` is put behind it.
    """
    gone = sorted(set(indices))
    if len(gone) == len(sequence.items):
        if sequence.flow:
            return [Edit(sequence.start + 1, sequence.end - 1, "")]
        behind = card.text.index(":", key.end) + 1
        return [Edit(behind, behind, " []"), *(_item_lines(card, sequence, index) for index in gone)]
    if sequence.flow:
        return [_without_comma(sequence, index, set(gone)) for index in gone]
    return [_item_lines(card, sequence, index) for index in gone]


def line_start(text: str, offset: int) -> int:
    """The first character of the line of `offset`."""
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def dash_column(card: Card, sequence: Node) -> int:
    """The column of a block list's dashes."""
    dash = _dash(card, sequence, 0)
    return dash - line_start(card.text, dash)


def _after(card: Card, block: Node, lines: Sequence[str], *, column: int, otherwise: int) -> Edit:
    """New lines after a block, or where it has to stay last, at the line that begins at `otherwise`."""
    if _stays_last(card, block):
        return Edit(otherwise, otherwise, "".join(f"{line}{card.newline}" for line in lines))
    place = _end_of_block(card.text, block, column=column)
    return Edit(place, place, _below(card, lines))


def _stays_last(card: Card, block: Node) -> bool:
    """Whether a line after the block would change its last value.

    A block scalar that ends the front matter has no line break at its end: it would get one from a line behind it.
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
    """Where a new line can follow: at the end of the block's last line, after comments deeper than `column`."""
    place = _own_end(text, block)
    if place < block.end:
        return place
    rest = _REST_OF_LINE.match(text, place)
    assert rest is not None
    place = rest.end()
    while (comment := _COMMENT_LINE.match(text, place)) and len(comment.group(1)) > column:
        place = comment.end()
    return place


def _own_end(text: str, node: Node) -> int:
    """The node's end; for a block scalar, which ends behind a line break, before that."""
    if text.endswith("\r\n", 0, node.end):
        return node.end - 2
    return node.end - 1 if text.endswith(("\n", "\r"), 0, node.end) else node.end


def _dash(card: Card, sequence: Node, index: int) -> int:
    """The dash of an item: the last one that begins a line between the item before and the item itself."""
    text, begin = card.text, sequence.items[index - 1].end if index else sequence.start
    if index == 0 and text[begin] == "-":
        return begin
    gap = text[line_start(text, begin) : sequence.items[index].start]
    found = [match.end() for match in re.finditer(r"(?:\A|[\r\n]) *(?=-(?:\s|\Z))", gap)]
    if not found:
        line = sequence.items[index].line
        raise CardError(f"{card.path}:{line}: this item has no line of its own; begin it with a dash on a new line")
    return line_start(text, begin) + found[-1]


def _item_lines(card: Card, sequence: Node, index: int) -> Edit:
    """The lines of an item, with comments that are indented deeper than its dash."""
    dash = _dash(card, sequence, index)
    begin = line_start(card.text, dash)
    end = _end_of_block(card.text, sequence.items[index], column=dash - begin)
    after = _BREAK.match(card.text, end)
    return Edit(begin, after.end() if after else end, "")


def _without_comma(sequence: Node, index: int, gone: set[int]) -> Edit:
    """With the comma that follows; items at the end go with the comma before."""
    items = sequence.items
    if any(later not in gone for later in range(index + 1, len(items))):
        return Edit(items[index].start, items[index + 1].start, "")
    return Edit(items[index - 1].end, items[index].end, "")
