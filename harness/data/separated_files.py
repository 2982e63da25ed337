"""CSV and TSV files as spreadsheets and other programs write them.

Excel writes "CSV UTF-8" with a byte order mark, with the list separator of the user's region (a semicolon where numbers
have a decimal comma), and "Unicode Text" as UTF-16 with tabs; a first line `sep=;` names the separator. Google Sheets
writes TSV without quotes around any field. What is not told by the file itself is refused: an encoding of one byte a
character has no mark, so a guess could change texts without a word.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import DataError
from harness.evaluators.tables import DECIMAL_COMMA, INTEGER, NUMBER, Filed

_LONGEST_FIELD = 2**31 - 1
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_LINE_END = re.compile(r"\r\n|\r|\n")
_UTF_16 = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


class _Rows(NamedTuple):
    """The fields of a file below its header; `lines` tells where each row begins, counted from 1."""

    header: list[str]
    rows: list[list[str]]
    lines: list[int]


def parsed(path: Path) -> Filed:
    """A file as columns. A column is one of numbers if every field of it is written as a number.

    Rows and unnamed columns without any content are left out; spreadsheets write them for cells that had a format.

    Raises:
        DataError: the encoding is not told by the file, or the rows have other fields than the header.
    """
    text, encoding = _decoded(path)
    separator, skipped = _separator(text, path)
    remarks = [f"encoded as {encoding}"] if encoding != "UTF-8" else []
    if separator != ("\t" if path.suffix == ".tsv" else ","):
        remarks.append(f"separated by {_SEPARATORS[separator]}")
    plain = _unquoted(text, skipped=skipped) if separator == "\t" and '"' in text else None
    try:
        content = _quoted(text, path, separator=separator, skipped=skipped)
    except DataError:
        if plain is None:
            raise
        content = plain
        remarks.append("quotes taken as part of the texts, as Google Sheets writes TSV")
    if plain and len(plain.rows) != len(content.rows):
        line = next(line for line, other in zip(plain.lines, [*content.lines, 0], strict=False) if line != other) - 1
        raise DataError(
            f"{path}:{line}: a quote joins this line with the next, and both are whole rows without it; write the "
            "table as CSV, where quotes around texts and in them differ"
        )
    filled = [i for i, row in enumerate(content.rows) if any(row)]
    if empty := len(content.rows) - len(filled):
        remarks.append(f"{empty} empty {'row' if empty == 1 else 'rows'} left out")
    rows = [content.rows[i] for i in filled]
    kept = [i for i, name in enumerate(content.header) if name or any(row[i] for row in rows)]
    header = [content.header[i] for i in kept]
    if len(set(header)) != len(header):
        raise DataError(f"{path}:{skipped + 1}: two columns of one name in the header ({', '.join(header)})")
    written = {content.header[i]: [row[i] for row in rows] for i in kept}
    columns = {name: _typed(fields, decimal_comma=separator != ",") for name, fields in written.items()}
    converted = {name: fields for name, fields in written.items() if columns[name] is not fields}
    if any("," in field for fields in converted.values() for field in fields):
        remarks.append("numbers read with a decimal comma")
    return Filed(
        columns,
        file=str(path),
        lines=[content.lines[i] for i in filled],
        written=converted,
        remarks=remarks,
    )


def _decoded(path: Path) -> tuple[str, str]:
    """The text of a file, and its encoding."""
    try:
        content = path.read_bytes()
    except OSError as err:
        raise DataError(f"{path}: cannot be read ({err.strerror})") from err
    encoding = _UTF_16.get(content[:2], "UTF-8")
    try:
        text = content.decode("utf-8-sig" if encoding == "UTF-8" else encoding)
    except UnicodeDecodeError as err:
        line = content.count(b"\n", 0, err.start) + 1
        raise DataError(
            f"{path}:{line}: cannot be read as {encoding} ({err.reason}: byte 0x{content[err.start]:02x}); save it as "
            'UTF-8, in Excel as "CSV UTF-8 (Comma delimited)"'
        ) from err
    if "\0" in text[:1000]:
        raise DataError(f"{path}:1: holds null characters, so it is UTF-16 without a byte order mark; save it as UTF-8")
    return text, encoding


def _separator(text: str, path: Path) -> tuple[str, int]:
    """The separator, and how many lines stand above the header: one where a line `sep=;` names the separator.

    Raises:
        DataError: the header has a single column, though another separator stands in it, or the line names none.
    """
    first = _LINE_END.split(text[:1000], maxsplit=1)[0]
    if first[:4].lower() == "sep=":
        if first[4:] not in _SEPARATORS:
            raise DataError(f"{path}:1: found {first!r}; expected a comma, a semicolon or a tab after sep=")
        return first[4:], 1
    if path.suffix == ".tsv":
        header = _header(text, "\t")
        separator = "\t"
    else:
        separator = max(_SEPARATORS, key=lambda separator: len(_header(text, separator)))
        header = _header(text, separator)
    if len(header) == 1 and any(other in header[0] for other in ";\t, "):
        expected = _SEPARATORS[separator]
        raise DataError(f"{path}:1: found the header {header[0]!r}; expected columns separated by {expected}")
    return separator, 0


def _header(text: str, separator: str) -> list[str]:
    with _long_fields():
        try:
            return next(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), [])
        except csv.Error:  # quotes around fields that another separator ends
            return []


def _quoted(text: str, path: Path, *, separator: str, skipped: int) -> _Rows:
    """The rows where quotes stand around fields that hold separators, quotes or line ends."""
    rows: list[list[str]] = []
    lines: list[int] = []
    with _long_fields():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        begin = 1
        try:
            for _ in range(skipped):
                next(reader)
            header = next(reader, [])
            begin = reader.line_num + 1
            for row in reader:
                if row and len(row) != len(header):
                    raise DataError(f"{path}:{begin}: {len(row)} fields; expected {len(header)} as in the header")
                if row:
                    rows.append(row)
                    lines.append(begin)
                begin = reader.line_num + 1
        except csv.Error as err:
            raise DataError(f"{path}: cannot be read ({err}) in the row from line {begin} on") from err
    return _Rows(header, rows, lines)


def _unquoted(text: str, *, skipped: int) -> _Rows | None:
    """The rows of a table with tabs where quotes are part of the texts; None where these have other fields."""
    lines = list(enumerate(_LINE_END.split(text), 1))[skipped:]
    rows = [(number, line.split("\t")) for number, line in lines if line]
    if not rows or any(len(row) != len(rows[0][1]) for _, row in rows):
        return None
    return _Rows(rows[0][1], [row for _, row in rows[1:]], [number for number, _ in rows[1:]])


@contextlib.contextmanager
def _long_fields() -> Iterator[None]:
    """Let `csv` read documents of more than 131,072 characters."""
    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _typed(fields: list[str], *, decimal_comma: bool) -> list[Any]:
    """The fields of a column as integers or floats if each is written as one; ids such as 007 stay texts."""
    for kind, pattern in ((int, INTEGER), (float, NUMBER)):
        if fields and all(pattern.fullmatch(field) for field in fields):
            return [kind(field) for field in fields]
    if decimal_comma and fields and all(DECIMAL_COMMA.fullmatch(field) for field in fields):
        return [float(field.replace(",", ".")) for field in fields]
    return fields
