"""CSV and TSV files as spreadsheets write them are read right; what the file does not tell is refused."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

import pytest

from harness.data import separated_files
from harness.errors import DataError

TEXTS = ['Größe; Maß, "groß"', "zwei\nZeilen", "plain", " Tee "]
SCORES = [0.5, 1.25, 3.0, 4.0]


def quoted(fields: list[str], separator: str) -> str:
    """A row as Excel and LibreOffice write it: quotes around fields with separators, quotes or line ends."""
    marks = {separator, '"', "\n"}
    return separator.join('"' + field.replace('"', '""') + '"' if marks & set(field) else field for field in fields)


def exported(*, separator: str, decimal: str, head: str = "", trailing: str = "") -> str:
    """The rows of a sheet with texts, scores and whole numbers, with CRLF between rows and LF in cells."""
    rows = [["Text", "Score", "Id"]]
    numbers = [f"{score:g}".replace(".", decimal) for score in SCORES]
    rows += [[text, number, str(i)] for i, (text, number) in enumerate(zip(TEXTS, numbers, strict=True))]
    return head + "".join(f"{quoted(row, separator)}{trailing}\r\n" for row in rows)


EXPORTS: dict[str, tuple[str, bytes, list[str]]] = {
    "Google Sheets, CSV": ("x.csv", exported(separator=",", decimal=".").encode(), []),
    "Excel, CSV UTF-8": ("x.csv", codecs.BOM_UTF8 + exported(separator=",", decimal=".").encode(), []),
    "Excel in German, CSV UTF-8": (
        "x.csv",
        codecs.BOM_UTF8 + exported(separator=";", decimal=",").encode(),
        ["separated by semicolons", "numbers read with a decimal comma"],
    ),
    "Excel in German, Unicode Text": (
        "x.tsv",
        exported(separator="\t", decimal=",").encode("utf-16"),
        ["encoded as UTF-16", "numbers read with a decimal comma"],
    ),
    "the same called CSV": (
        "x.csv",
        codecs.BOM_UTF16_BE + exported(separator="\t", decimal=",").encode("utf-16-be"),
        ["encoded as UTF-16", "separated by tabs", "numbers read with a decimal comma"],
    ),
    "a line that names the separator": (
        "x.csv",
        exported(separator=";", decimal=".", head="sep=;\r\n").encode(),
        ["separated by semicolons"],
    ),
    "LibreOffice, all texts in quotes": (
        "x.csv",
        exported(separator=";", decimal=",").replace("Text;Score;Id", '"Text";"Score";"Id"').encode(),
        ["separated by semicolons", "numbers read with a decimal comma"],
    ),
    "cells that had a format": (
        "x.csv",
        (exported(separator=",", decimal=".", trailing=",,") + ",,,,\r\n,,,,\r\n").encode(),
        ["2 empty rows left out"],
    ),
    "line ends of old Macs": ("x.csv", exported(separator=",", decimal=".").replace("\r\n", "\r").encode(), []),
}


@pytest.mark.parametrize("program", EXPORTS)
def test_exports_hold_the_same_table(tmp_path: Path, program: str) -> None:
    """Texts with separators, quotes, umlauts and line ends, and numbers with a comma or a point, come back as they
    were in the sheet, each with its line; how the file differs from plain CSV is told.
    """
    name, content, remarks = EXPORTS[program]
    (tmp_path / name).write_bytes(content)
    table = separated_files.parsed(tmp_path / name)
    assert dict(table) == {"Text": TEXTS, "Score": SCORES, "Id": [0, 1, 2, 3]}
    assert list(table.remarks) == remarks
    first = 3 if "sep=" in content[:8].decode("latin-1") else 2
    assert table.lines == [first, first + 1, first + 3, first + 4]
    assert table.written["Score"][1] in ("1.25", "1,25")


def test_the_tsv_of_google_sheets(tmp_path: Path) -> None:
    """There no field is quoted, so a quote belongs to the text."""
    (tmp_path / "x.tsv").write_text('text\tscore\n"Hello" he said\t1\n5" wide\t2\n')
    table = separated_files.parsed(tmp_path / "x.tsv")
    assert dict(table) == {"text": ['"Hello" he said', '5" wide'], "score": [1, 2]}
    assert list(table.remarks) == ["quotes taken as part of the texts, as Google Sheets writes TSV"]


@pytest.mark.parametrize(
    ("content", "column", "values"),
    [
        ("a;n\nx;1.5\ny;2\n", "n", [1.5, 2.0]),
        ("a;n\nx;1.5\ny;2,5\n", "n", ["1.5", "2,5"]),
        ("a;n\nx;1.000,5\ny;2,5\n", "n", ["1.000,5", "2,5"]),
        ('a,n\nx,"1,5"\ny,"2,5"\n', "n", ["1,5", "2,5"]),
        ("a;n\nx;007\ny;008\n", "n", ["007", "008"]),
        ("a;b,c;n\nx;y;1\n", "b,c", ["y"]),
        ("a,b;c\nx,y\n", "b;c", ["y"]),
    ],
)
def test_numbers_and_separators_in_doubt(tmp_path: Path, content: str, column: str, values: list[Any]) -> None:
    """A decimal comma counts only where commas do not separate, and in every field of the column; the separator is the
    one that gives the header the most columns, first of all the comma.
    """
    (tmp_path / "x.csv").write_text(content)
    assert separated_files.parsed(tmp_path / "x.csv")[column] == values


def test_an_unnamed_column_with_content_is_kept(tmp_path: Path) -> None:
    """Only columns without a name and without any content are left out; two that have content are refused."""
    (tmp_path / "x.csv").write_text(",a,\n0,x,\n1,y,\n")
    assert dict(separated_files.parsed(tmp_path / "x.csv")) == {"": [0, 1], "a": ["x", "y"]}
    (tmp_path / "x.csv").write_text(",a,\n0,x,1\n")
    with pytest.raises(DataError, match=r"x\.csv:1: two columns of one name in the header \(, a, \)"):
        separated_files.parsed(tmp_path / "x.csv")
