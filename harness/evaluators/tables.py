"""A table and its columns, read strictly (pure).

A table is a mapping of column name to list, all of one length. A defect of a column is raised as a `DataError`
that names the part, the column and the row, and for a table from a file the file and the line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from harness.errors import DataError

if TYPE_CHECKING:
    from harness.types import Float64

Table: TypeAlias = Mapping[str, Sequence[Any]]

INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
"""A number in a text file. Ids such as 007 and words such as nan are not numbers."""
DECIMAL_COMMA = re.compile(r"-?(0|[1-9][0-9]*)(,[0-9]+)?")
"""A number with a comma for the decimal point, as spreadsheets write it in many regions."""


class Filed(dict[str, list[Any]]):
    """A table read from a file.

    Attributes:
        file: the file, for messages.
        lines: where each row begins, counted from 1; None for a format without lines.
        written: column -> its fields as text, for columns that were converted to numbers: as texts or ids, `1.0` and
            `1` must stay different.
        remarks: how the file is written, where that is not the usual way for its format.
    """

    def __init__(
        self,
        columns: Mapping[str, list[Any]],
        *,
        file: str,
        lines: Sequence[int] | None = None,
        written: Mapping[str, list[str]] | None = None,
        remarks: Sequence[str] = (),
    ) -> None:
        super().__init__(columns)
        self.file, self.lines, self.written, self.remarks = file, lines, written or {}, tuple(remarks)

    def place(self, row: int | None) -> str:
        """The file, with the line where `row` begins, or the row's number from 0 where the format has no lines."""
        if row is None:
            return self.file
        return f"{self.file}, row {row}" if self.lines is None else f"{self.file}:{self.lines[row]}"


def at(table: Table, row: int | None = None, *, where: str) -> str:
    """`where`, followed by file and line for a table that knows them."""
    return f"{where}: {table.place(row)}" if isinstance(table, Filed) else where


def column(table: Table, name: str, *, where: str, fixed: bool = False) -> Sequence[Any]:
    """The values of a column; `fixed` if a spec cannot rename it."""
    if not any(len(values) for values in table.values()):
        raise DataError(f"{at(table, where=where)}: holds no rows; expected at least one")
    if name in table:
        return table[name]
    present = ", ".join(map(repr, table))
    advice = "rename yours" if fixed else "set `columns:` in the spec"
    if isinstance(table, Filed) and PurePath(table.file).suffix in (".csv", ".tsv"):
        advice += "; the first line must name the columns"
    raise DataError(f"{at(table, where=where)}: no column {name!r}; found {present}; {advice}")


def texts(table: Table, name: str, *, where: str, fixed: bool = False) -> list[str]:
    """A column of texts."""
    column(table, name, where=where, fixed=fixed)
    values = as_written(table, name)
    for row, value in enumerate(values):
        if not isinstance(value, str):
            wrong(table, name, row, value, expected="a text", where=where)
    return list(values)


def numbers(table: Table, name: str, *, where: str, fixed: bool = False) -> Float64:
    """A column of finite numbers, (n,) float64."""
    import numpy as np

    values = column(table, name, where=where, fixed=fixed)
    bad = [row for row, value in enumerate(values) if not _is_finite(value)]
    if bad:
        # In a text file, one field that is no number leaves the whole column as text; the message names this field.
        odd = (row for row in bad if not NUMBER.fullmatch(str(values[row])))
        row = next(odd, bad[0]) if isinstance(table, Filed) and len(bad) == len(values) else bad[0]
        wrong(table, name, row, values[row], expected="a number", where=where)
    return np.array(values, dtype=np.float64)


def labels(table: Table, name: str, *, where: str) -> list[str | int]:
    """A column of labels: all integers or all texts."""
    values = column(table, name, where=where)
    if any(isinstance(value, float) for value in values):
        values = as_written(table, name)
    marks = [label(value, row, name, table=table, where=where) for row, value in enumerate(values)]
    odd = next((row for row, value in enumerate(marks) if type(value) is not type(marks[0])), None)
    if odd is not None:
        raise DataError(f"{at(table, odd, where=where)}: column {name!r} mixes {kinds(marks)}; expected one type")
    return marks


def lists(table: Table, name: str, *, where: str, of: type | tuple[type, ...], called: str) -> list[list[Any]]:
    """A column of lists, with values of the types `of` in each; numbers must be finite.

    `called` are the values in messages: `texts`.
    """
    values = column(table, name, where=where)
    for row, value in enumerate(values):
        sound = isinstance(value, list) and all(isinstance(entry, of) for entry in value)
        if not sound or not all(math.isfinite(entry) for entry in value if isinstance(entry, float)):
            wrong(table, name, row, value, expected=f"a list of {called}", where=where)
    return list(values)


def label(value: Any, row: int, name: str, *, table: Table, where: str) -> str | int:
    """One label; true and false are 1 and 0."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str | int):
        return value
    wrong(table, name, row, value, expected="a label (text or integer)", where=where)


def ids(table: Table, name: str, *, where: str) -> list[str]:
    """A column of ids, which are compared as text."""
    column(table, name, where=where, fixed=True)
    values = as_written(table, name)
    for row, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, str | int):
            wrong(table, name, row, value, expected="an id", where=where)
    return [str(value) for value in values]


def distinct_ids(table: Table, *, where: str) -> list[str]:
    """The ids of texts, from the column `_id` or `id`; each must occur once."""
    name = id_column(table)
    names = ids(table, name, where=where)
    if len(set(names)) != len(names):
        first: dict[str, int] = {}
        row = next(row for row, value in enumerate(names) if first.setdefault(value, row) != row)
        before = f" (first at {table.place(first[names[row]])})" if isinstance(table, Filed) else ""
        place = at(table, row, where=where)
        raise DataError(f"{place}: the id {names[row]!r} stands more than once{before}; expected every id once")
    return names


def id_column(table: Table) -> str:
    """The column that holds the ids of texts."""
    return "id" if "id" in table and "_id" not in table else "_id"


def as_written(table: Table, name: str) -> Sequence[Any]:
    """A column of texts or ids, before any conversion to numbers."""
    return table.written.get(name, table[name]) if isinstance(table, Filed) else table[name]


def row_of(table: Table, name: str, value: str) -> int:
    """The first row whose field, as text, is `value`."""
    return next(row for row, field in enumerate(as_written(table, name)) if str(field) == value)


def wrong(table: Table, name: str, row: int, value: Any, *, expected: str, where: str) -> NoReturn:
    """Raise a DataError about one value."""
    place, numbered = at(table, row, where=where), isinstance(table, Filed) and table.lines is None
    raise DataError(
        f"{place}: column {name!r}{'' if numbered else f', row {row}'}: found {shown(value)}; expected {expected}"
    )


def kinds(values: Sequence[Any]) -> str:
    """The types of labels, in words."""
    return " and ".join(sorted({"text" if isinstance(value, str) else "integer" for value in values}))


def shown(value: Any) -> str:
    """A value for a message, short and with its type."""
    if value is None:
        return "null"
    text = repr(value)
    return f"{text[:60]}{'...' if len(text) > 60 else ''} ({type(value).__name__})"


def length(table: Table) -> int:
    """The number of rows of a table."""
    return max((len(values) for values in table.values()), default=0)


def merged(tables: Sequence[Table]) -> Table:
    """Tables with the same columns, one after the other."""
    return {name: [value for table in tables for value in table[name]] for name in tables[0]}


def counted(ids: Sequence[str], what: str) -> str:
    """How many ids there are, and the first three."""
    first = ", ".join(repr(name) for name in ids[:3]) + (", ..." if len(ids) > 3 else "")
    return f"{len(ids)} {what}: {first}"


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
