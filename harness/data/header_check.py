"""Whether the first line of a text file names its columns, or is the first row of its data (pure)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import PurePath

from harness.errors import DataError
from harness.evaluators.tables import NUMBER, Filed, Table, as_written, row_of

_LONGEST_NAME = 60
_SENTENCE = re.compile(r"(\S+\s+){3,}\S+|.*[.!?]")
"""What is rather a text than the name of a column: four words, or the end of a sentence."""


def check(table: Table, *, data: str, named: Collection[str]) -> None:
    """Refuse a table whose first line is a row of its data, which would be lost.

    Args:
        table: the table.
        data: its file or folder, for messages.
        named: the columns that the caller has named, which are no accident.

    Raises:
        DataError: a column has a number, or a very long text, for its name, or the name of a column of a text file is
            also one of the column's values.
    """
    for name in table:
        if NUMBER.fullmatch(name) or len(name) > _LONGEST_NAME:
            raise DataError(f"{data}: a column called {name!r}; expected the columns' names in the first line")
    if not _is_text_file(table):
        return
    for name in table:
        if name and name not in named and name in as_written(table, name):
            place = table.place(row_of(table, name, name)) if isinstance(table, Filed) else data
            raise DataError(
                f"{place}: column {name!r} holds its own name as a value, so the first line ({', '.join(table)}) may "
                "be data, or the header stands twice; expected one line with the columns' names at the top. If it is "
                f"the column's name, say so with --columns FIELD={name}"
            )


def note(table: Table, used: Collection[str], *, named: Collection[str]) -> Iterator[str]:
    """A note where the names of the used columns read like texts."""
    odd = [name for name in used if name not in named and _SENTENCE.fullmatch(name)]
    if odd and _is_text_file(table):
        yield (
            f"the first line is read as the names of the columns, and {', '.join(map(repr, odd))} reads like a text; "
            "if it is data, put a line with names above it"
        )


def _is_text_file(table: Table) -> bool:
    return isinstance(table, Filed) and PurePath(table.file).suffix in (".csv", ".tsv")
