"""Tables as text."""

from __future__ import annotations

import csv
import io

import pytest

from harness.outputs import text_table
from harness.outputs.data_text import csv_text
from harness.outputs.text_table import escape_markdown, markdown


def test_columns_are_aligned_and_spare_spaces_at_the_end_are_left_out() -> None:
    """Numbers stand right, text stands left, None is an empty cell, and no line ends in a space."""
    rows = [["short", 7, "x"], ["a longer name", 12345, None]]
    assert text_table.plain(["task", "n", "note"], rows, right=[1], compact=True) == (
        "task               n  note\n"
        "-------------  -----  ----\n"
        "short              7  x\n"
        "a longer name  12345\n"
    )  # fmt: skip


def test_a_terminal_table_leaves_room_beside_its_headers() -> None:
    """A column is at least two characters wider than its header, as readers of the command's tables are used to."""
    assert text_table.plain(["suite", "tasks"], [["a", 3]], right=[1]) == (
        "suite      tasks\n"
        "-------  -------\n"
        "a              3\n"
    )  # fmt: skip


def test_records_become_columns_by_name() -> None:
    """The headers are all names in order of appearance; a record that lacks a name has an empty cell."""
    text = text_table.plain_records([{"a": 1}, {"a": 2, "b": 3}])
    assert [line.split() for line in text.splitlines()] == [["a", "b"], ["---", "---"], ["1"], ["2", "3"]]
    assert text_table.plain_records([]) == ""


def test_markdown_marks_alignment_in_the_rule() -> None:
    """Both widths of Markdown mark right columns with a colon, and cells stand as they are given."""
    assert text_table.markdown(["m", "x"], [["**a**", "1"]], right=[1]) == (
        "| m     |   x |\n"
        "|:------|----:|\n"
        "| **a** |   1 |\n"
    )  # fmt: skip
    assert text_table.markdown(["m", "x"], [["**a**", "1"]], right=[1], compact=True) == (
        "| m     |   x |\n"
        "| ----- | --: |\n"
        "| **a** |   1 |\n"
    )  # fmt: skip


def test_line_breaks_in_a_markdown_table() -> None:
    """A name with line breaks, as any character that Python takes for one, stays in its row."""
    table = markdown(["name"], [[escape_markdown("a\r\n| b |\u2028c\x85d")]], compact=True)
    assert len(table.splitlines()) == 3
    assert "a \\| b \\| c d" in table


@pytest.mark.parametrize("text", ["=cmd()", "@SUM(1)", "+1+2", "-2+3+cmd|' /C calc'!A0", "\t=1", "\r=1", "-"])
def test_formulas_in_csv(text: str) -> None:
    """A text that a spreadsheet would compute is a text there, and the rest of a table is as it was."""
    written = csv_text(["name", "x"], [[text, -0.5], ["-0.5", None]])
    rows = [*csv.reader(io.StringIO(written))]
    shown = text if text == "-" else f"'{text}".replace("\r", "\n")
    assert rows[1:] == [[shown, "-0.5"], ["-0.5", ""]]
