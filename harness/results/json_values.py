"""Values of a result file, read strictly: what has another type is refused, with its place and what was expected."""

from __future__ import annotations

import json
import math
from typing import Any

from harness.errors import RecordError


def load_object(text: str, *, path: str) -> dict[str, Any]:
    """Read a JSON object as Python writes it: NaN, Infinity and numbers beyond float64 become None.

    Raises:
        RecordError: The text is no JSON object, an object has a key twice, or a text cannot be written again.
    """
    try:
        data = json.loads(text, parse_constant=lambda _: None, parse_float=_finite, object_pairs_hook=_unique)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair can be neither printed nor written
    except json.JSONDecodeError as err:
        raise RecordError(f"{path}: not JSON: {err.msg} in line {err.lineno}, column {err.colno}") from err
    except RecursionError as err:
        raise RecordError(f"{path}: not a result file: nested too deeply") from err
    except ValueError as err:
        raise RecordError(f"{path}: not a result file: {err}") from err
    return as_object(data, f"{path}: the file")


def as_object(value: Any, where: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise RecordError(f"{where} is {brief(value)}, expected an object")
    return value


def as_list(value: Any, where: str) -> list[Any]:
    """A list of entries."""
    if not isinstance(value, list):
        raise RecordError(f"{where} is {brief(value)}, expected a list with one entry for each subset")
    return value


def text_or_none(value: Any, where: str) -> str | None:
    """A text, or None for null."""
    if value is not None and not isinstance(value, str):
        raise RecordError(f"{where} is {brief(value)}, expected a string")
    return value


def number_or_none(value: Any, where: str) -> float | None:
    """A number, or None for null."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RecordError(f"{where} is {brief(value)}, expected a number or null")
    try:
        return float(value)
    except OverflowError as err:
        raise RecordError(f"{where} is larger than any float64, expected a score or seconds") from err


def brief(value: Any) -> str:
    """A value for a message."""
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"an object holds the key {next(key for key in keys if keys.count(key) > 1)!r} twice")
    return result
