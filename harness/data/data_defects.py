"""What is odd about private data that fits no task, with file and line (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import DataError
from harness.evaluators.tables import DECIMAL_COMMA, NUMBER, Table, at, shown


def causes(by_split: Mapping[str, Table], *, data: str) -> Iterator[str]:
    """A sentence for each column with a null among texts or numbers, and of numbers that are not read as such."""
    for table in by_split.values():
        for name, values in table.items():
            if len(values) and None in values and any(value is not None for value in values):
                row = [*values].index(None)
                yield f"{at(table, row, where=data)}: column {name!r} is null; give a value, or leave the row out"
            elif len(values) and all(isinstance(value, str) and NUMBER.fullmatch(value) for value in values):
                place = at(table, 0, where=data)
                yield f"{place}: column {name!r} holds numbers as texts, first {shown(values[0])}; remove the quotes"
            elif len(values) and all(isinstance(value, str) and DECIMAL_COMMA.fullmatch(value) for value in values):
                place = at(table, 0, where=data)
                yield (
                    f"{place}: column {name!r} holds numbers with a decimal comma, first {shown(values[0])}; write "
                    "points, or separate the columns by semicolons"
                )


def refuse_tested_training(by_split: Mapping[str, Table], *, data: str) -> None:
    """Refuse a split whose rows all stand in the training data too: its score would tell nothing.

    Raises:
        DataError: there is one.
    """
    train = by_split.get("train")
    if train is None:
        return
    first: dict[str, int] = {}
    for row, values in enumerate(_rows(train)):
        first.setdefault(values, row)
    for split, table in by_split.items():
        rows = [] if split == "train" else _rows(table)
        if rows and all(values in first for values in rows):
            raise DataError(
                f"{at(table, 0, where=data)}: all {len(rows)} rows of {split} stand in train too, first at "
                f"{at(train, first[rows[0]], where=data)}; a score on texts that were learnt tells nothing: give other "
                "rows, or name one file, which is split"
            )


def _rows(table: Table) -> list[str]:
    names = sorted(table)
    columns: list[Any] = [table[name] for name in names]
    return [repr(list(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]
