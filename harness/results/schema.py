"""The version of the key `harness` in records, and older versions rewritten as today's (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCHEMA = 2
"""The version that is written. Readers refuse or ignore a later one, which may mean something else by the same keys."""

_COUNTS_OF_SCHEMA_1: Mapping[str, str] = {
    "encoded": "texts_encoded",
    "cached": "texts_cached",
    "truncated": "texts_truncated",
    "fed": "tokens_encoded",
    "computed": "tokens_padded",
}
"""Counts of a part: their name in schema 1 -> their name since schema 2."""


def upgraded(harness: Mapping[str, Any]) -> dict[str, Any]:
    """The value of a record's key `harness` in today's schema.

    Schema 1 becomes schema 2: the counts of each part get the names that say what is counted. Anything else is returned
    as it is: today's schema, a later one, or a key `harness` that another program wrote.
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
