"""The version of the key `harness` in records, and the conversion of older versions (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCHEMA = 2
"""The version that is written. Readers refuse or ignore a later one, whose keys may have another meaning."""

_COUNTS_OF_SCHEMA_1: Mapping[str, str] = {
    "encoded": "texts_encoded",
    "cached": "texts_cached",
    "truncated": "texts_truncated",
    "fed": "tokens_encoded",
    "computed": "tokens_padded",
}
"""Name of a count of a part in schema 1 -> its name since schema 2."""


def upgraded(harness: Mapping[str, Any]) -> dict[str, Any]:
    """The value of a record's key `harness` in the current schema.

    Schema 1 is converted to schema 2, where the counts of each part have other names. Any other value is returned
    unchanged: the current schema, a later one, or a key `harness` that another program wrote.
    """
    if harness.get("schema") != 1:
        return dict(harness)
    parts = harness.get("parts")
    if isinstance(parts, Mapping):
        parts = {name: _renamed(part) for name, part in parts.items()}
    return {**harness, "schema": SCHEMA, **({"parts": parts} if "parts" in harness else {})}


def _renamed(part: Any) -> Any:
    if not isinstance(part, Mapping):
        return part
    return {_COUNTS_OF_SCHEMA_1.get(name, name): value for name, value in part.items()}
