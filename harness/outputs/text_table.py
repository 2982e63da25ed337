"""Tables as text: aligned columns for a terminal, Markdown and LaTeX (pure)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

_BREAKS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_MARKDOWN = str.maketrans({char: f"\\{char}" for char in "\\|*_[]`~$"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def plain(
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: Collection[int] = (),
    compact: bool = False,
) -> str:
    """Columns for a terminal under a line of dashes, ending in a newline.

    Args:
        headers: of the columns.
        rows: of cells; None is an empty cell.
        right: the numbers, from 0, of the columns that are aligned right.
        compact: whether columns are as narrow as what they hold; else tabulate leaves room beside the headers.
    """
    if compact:
        lines = _texts(headers, rows)
        lines.insert(1, ["-" * width for width in _widths(lines)])
        return "".join("  ".join(cells).rstrip() + "\n" for cells in _padded(lines, right))
    text = _tabulated(rows, headers=headers, style="simple", right=right)
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


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
    """A Markdown table of cells that are escaped already; arguments as of `plain`."""
    if not compact:
        return _tabulated(rows, headers=headers, style="pipe", right=right) + "\n"
    lines = _texts(headers, rows)
    widths = [max(3, width) for width in _widths(lines)]
    lines.insert(1, ["-" * (width - 1) + ":" if at in right else "-" * width for at, width in enumerate(widths)])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in _padded(lines, right))


def latex(headers: Sequence[str], rows: Sequence[Sequence[object]], *, right: Collection[int] = ()) -> str:
    """A LaTeX `tabular` of cells that are escaped already; arguments as of `plain`."""
    return _tabulated(rows, headers=headers, style="latex_raw", right=right) + "\n"


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is, in a table too, where a line break would end the row."""
    return _BREAKS.sub(" ", text).translate(_MARKDOWN)


def one_line(text: str, *, most: int = 120) -> str:
    """The text as one printable line, shortened to `most` characters; what cannot be printed is shown as a blank."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return line if len(line) <= most else line[: most - 3] + "..."


def _tabulated(
    rows: Sequence[Sequence[object]], *, style: str, right: Collection[int], headers: Sequence[str] = ()
) -> str:
    from tabulate import tabulate

    columns = len(headers or rows[0])
    align = ["right" if at in right else "left" for at in range(columns)]
    text: str = tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True, colalign=align)
    return text


def _texts(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> list[list[str]]:
    return [list(headers), *(["" if cell is None else str(cell) for cell in row] for row in rows)]


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*lines, strict=True)]


def _padded(lines: Sequence[Sequence[str]], right: Collection[int]) -> list[list[str]]:
    """Cells as wide as their column, which tabulate makes wider than its header; nor need fast commands import it."""
    widths = _widths(lines)
    return [
        [text.rjust(width) if at in right else text.ljust(width) for at, (text, width) in enumerate(zip(line, widths))]
        for line in lines
    ]
