"""Tables as text: aligned columns for a terminal, Markdown and LaTeX (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

HEADER_ROOM = 2
"""By how many characters a column is wider than its header, at least."""

_MARKDOWN = str.maketrans({char: f"\\{char}" for char in "\\|*_[]`~$"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def plain(
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: Collection[int] = (),
    header_room: int = HEADER_ROOM,
) -> str:
    """Columns for a terminal under a line of dashes, ending in a newline.

    Args:
        headers: of the columns.
        rows: of cells; None is an empty cell.
        right: the numbers, from 0, of the columns that are aligned right.
        header_room: as `HEADER_ROOM`.
    """
    lines, widths = _aligned(headers, rows, right=right, header_room=header_room)
    lines.insert(1, ["-" * width for width in widths])
    return "".join("  ".join(cells).rstrip() + "\n" for cells in lines)


def plain_records(rows: Sequence[Mapping[str, object]], *, right: Collection[int] = ()) -> str:
    """As `plain`, of rows that name their cells; the names are the headers."""
    headers = list(dict.fromkeys(name for row in rows for name in row))
    return plain(headers, [[row.get(name) for name in headers] for row in rows], right=right) if rows else ""


def markdown(
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: Collection[int] = (),
    compact: bool = False,
) -> str:
    """A Markdown table of cells that are escaped already, ending in a newline.

    Args:
        headers: of the columns.
        rows: of cells; None is an empty cell.
        right: the numbers, from 0, of the columns that are aligned right.
        compact: whether columns are as narrow as what they hold.
    """
    lines, widths = _aligned(headers, rows, right=right, header_room=0 if compact else HEADER_ROOM, least=3)
    if compact:
        rule = ["-" * (width - 1) + ":" if at in right else "-" * width for at, width in enumerate(widths)]
        lines.insert(1, rule)
    text = [f"| {' | '.join(cells)} |\n" for cells in lines]
    if not compact:
        rule = ["-" * (width + 1) + ":" if at in right else ":" + "-" * (width + 1) for at, width in enumerate(widths)]
        text.insert(1, f"|{'|'.join(rule)}|\n")
    return "".join(text)


def latex(headers: Sequence[str], rows: Sequence[Sequence[object]], *, right: Collection[int] = ()) -> str:
    """A LaTeX `tabular` of cells that are escaped already; arguments as of `plain`."""
    lines, _ = _aligned(headers, rows, right=right, header_room=HEADER_ROOM)
    columns = "".join("r" if at in right else "l" for at in range(len(headers)))
    header, *body = [f" {' & '.join(cells)} \\\\" for cells in lines]
    rule = r"\hline"
    text = [rf"\begin{{tabular}}{{{columns}}}", rule, header, rule, *body, rule, r"\end{tabular}"]
    return "\n".join(text) + "\n"


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is, in a table too."""
    return text.translate(_MARKDOWN)


class _Aligned(NamedTuple):
    lines: list[list[str]]
    widths: list[int]


def _aligned(
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: Collection[int],
    header_room: int,
    least: int = 1,
) -> _Aligned:
    lines = [list(headers), *(["" if cell is None else str(cell) for cell in row] for row in rows)]
    widths = [max(least, len(header) + header_room, *map(len, cells)) for header, *cells in zip(*lines, strict=True)]
    padded = [
        [cell.rjust(width) if at in right else cell.ljust(width) for at, (cell, width) in enumerate(zip(line, widths))]
        for line in lines
    ]
    return _Aligned(padded, widths)
