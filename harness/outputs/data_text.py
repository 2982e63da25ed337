"""Tables as CSV, and values as JSON (pure)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any


def csv_text(headers: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A line for the headers and one for each row; None is an empty cell, and numbers have full precision."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([headers, *rows])
    return out.getvalue()


def json_text(value: Any) -> str:
    """Strict JSON, ending in a newline."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
