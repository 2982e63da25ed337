"""What the columns of a table hold, judged by their values (pure)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from harness.evaluators.tables import Table, shown

_ID_NAMES = re.compile(r"(_?id|idx|index|guid|uuid|key|nr|no|#|)|.*[_-]id|unnamed: \d+|__index_level_\d+__")


class Column(NamedTuple):
    """What a column holds.

    Attributes:
        kind: `text`; `label` (short texts that repeat); `labels` (lists of texts or whole numbers); `id`; `integer`;
            `number`; `constant`; `other`.
        distinct: the count of different values; of lists, of the values in them.
        range: least and greatest number.
        mixed: of a column of kind `other`, two values of different kinds.
    """

    name: str
    kind: Literal["text", "label", "labels", "id", "integer", "number", "constant", "other"]
    rows: int
    distinct: int
    range: tuple[float, float] | None = None
    mixed: str = ""

    @property
    def could_label(self) -> bool:
        """Whether its values repeat often enough to be labels."""
        return self.kind == "label" or (self.kind == "integer" and self.distinct * 2 <= self.rows)

    def __str__(self) -> str:
        words = {"text": "texts", "label": "labels", "id": "ids", "integer": "whole numbers", "number": "numbers"}
        if self.kind in ("constant", "other"):
            content = "the same in every row" if self.kind == "constant" else f"no column of one kind ({self.mixed})"
        elif self.kind == "labels":
            content = f"lists of {self.distinct} different labels in {self.rows} rows"
        elif self.range:
            content = f"{words[self.kind]} from {self.range[0]:g} to {self.range[1]:g}"
        else:
            content = f"{self.distinct} different {words[self.kind]} in {self.rows} rows"
        return f"{self.name!r}: {content}"


def described(table: Table) -> list[Column]:
    """What each column of a table with rows holds."""
    return [_described(name, values) for name, values in table.items()]


def _described(name: str, values: Sequence[Any]) -> Column:
    rows = len(values)
    if all(isinstance(value, str) for value in values):
        distinct = len(set(values))
        return Column(name, _kind_of_texts(name, values, distinct), rows, distinct)
    if all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        distinct = len(set(values))
        whole = all(isinstance(value, int) for value in values)
        kind: Any = "integer" if whole else "number"
        if distinct == 1 < rows:
            kind = "constant"
        elif whole and distinct == rows and _ID_NAMES.fullmatch(name.lower()):
            kind = "id"
        return Column(name, kind, rows, distinct, (float(min(values)), float(max(values))))
    if all(isinstance(value, list) and all(isinstance(entry, str | int) for entry in value) for value in values):
        return Column(name, "labels", rows, len({entry for value in values for entry in value}))
    first: dict[str, str] = {}
    for value in values:
        first.setdefault(_kind(value), shown(value))
    return Column(name, "other", rows, 0, mixed=" and ".join(list(first.values())[:2]))


def _kind_of_texts(name: str, values: Sequence[str], distinct: int) -> Literal["text", "label", "id", "constant"]:
    rows = len(values)
    if distinct == 1 < rows:
        return "constant"
    if distinct == rows and (_ID_NAMES.fullmatch(name.lower()) or all(map(_is_code, values))):
        return "id"
    words = sum(len(value.split()) for value in values)
    return "label" if distinct * 2 <= rows and words <= 3 * rows else "text"


def _kind(value: Any) -> str:
    if isinstance(value, int | float):
        return "number" if math.isfinite(value) else "not finite"
    return type(value).__name__


def _is_code(value: str) -> bool:
    return value.isascii() and " " not in value and any(character.isdigit() for character in value)
