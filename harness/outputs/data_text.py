"""Tables as CSV, and values as JSON (pure)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from typing import Any

_FORMULA = re.compile(r"[=@\t\r]|[+-](?![\d.]+\Z)(?=.)", re.DOTALL)
"""How formulas begin (OWASP, "CSV injection"); a sign before a number begins none."""


def csv_text(headers: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A line for the headers and one for each row; None is an empty cell, and numbers have full precision.

    A text that a spreadsheet would take for a formula gets an apostrophe in front, which makes it a text there.
    """
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([map(_cell, row) for row in (headers, *rows)])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = f"'{value}" if _FORMULA.match(value) else value
    return text.replace("\r\n", "\n").replace("\r", "\n")  # Python's writer puts no quotes around a return


def json_text(value: Any) -> str:
    """Strict JSON, ending in a newline."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
