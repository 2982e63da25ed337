"""The text of a query as a model reads it: a text, or the turns of a conversation, joined with its instruction.

As mteb 2.26.24 joins them (`_create_dataloaders`): an instruction follows a text after a space, and stands before a
conversation. A turn is a text, or has `role` and `content` and is written `role: content`; turns are joined by `; `.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import DataError
from harness.evaluators import tables
from harness.evaluators.tables import Filed, Table, at

INSTRUCTION = "instruction"


def query_texts(queries: Table, *, instructions: Table, where: str) -> list[str]:
    """The texts of the queries.

    Args:
        queries: columns `_id`/`id` and `text`, and perhaps `instruction`.
        instructions: columns `query-id` and `instruction`; empty where there is no such table.
        where: for messages.

    Raises:
        DataError: a column is missing, a value is neither text nor conversation, or a query has no instruction.
    """
    texts = tables.column(queries, "text", where=where, fixed=True)
    added = _instructions(queries, instructions, where=where)
    if not texts or not isinstance(texts[0], list):
        texts = tables.texts(queries, "text", where=where, fixed=True)
        if added is None:
            return list(texts)
        return [text if more is None else f"{text} {more}" for text, more in zip(texts, added, strict=True)]
    conversations = [_conversation(queries, row, value, where=where) for row, value in enumerate(texts)]
    if added is None:
        return conversations
    return [f"{more} {text}" for text, more in zip(conversations, added, strict=True)]


def without_instructions(queries: Table) -> Table:
    """The table without its column of instructions, for a type that reads none."""
    others = {name: list(values) for name, values in queries.items() if name != INSTRUCTION}
    if isinstance(queries, Filed):
        return Filed(others, file=queries.file, lines=queries.lines, written=queries.written)
    return others


def _instructions(queries: Table, instructions: Table, *, where: str) -> Sequence[str | None] | None:
    """The instruction of each query; None where the data have none."""
    if instructions:
        place = f"{where}, instructions"
        names = tables.ids(instructions, "query-id", where=place)
        by_query = dict(zip(names, tables.texts(instructions, INSTRUCTION, where=place, fixed=True), strict=True))
        ids = tables.ids(queries, tables.id_column(queries), where=where)
        if lacking := [name for name in ids if name not in by_query]:
            raise DataError(f"{place}: {tables.counted(lacking, 'queries without an instruction')}")
        return [by_query[name] for name in ids]
    if INSTRUCTION not in queries:
        return None
    values = tables.as_written(queries, INSTRUCTION)
    for row, value in enumerate(values):
        if value is not None and not isinstance(value, str):
            tables.wrong(queries, INSTRUCTION, row, value, expected="a text or null", where=where)
    return values


def _conversation(table: Table, row: int, value: Any, *, where: str) -> str:
    """The turns of a conversation, joined."""
    if not isinstance(value, list) or not value:
        tables.wrong(
            table, "text", row, value, expected="the turns of a conversation, as in the first row", where=where
        )
    return "; ".join(_turn(table, row, turn, where=where) for turn in value)


def _turn(table: Table, row: int, turn: Any, *, where: str) -> str:
    if isinstance(turn, str):
        return turn
    if isinstance(turn, Mapping) and isinstance(turn.get("role"), str) and isinstance(turn.get("content"), str):
        return f"{turn['role']}: {turn['content']}"
    place = f"{at(table, row, where=where)}: column 'text', row {row}"
    raise DataError(f"{place}: a turn is {tables.shown(turn)}; expected a text, or an object with role and content")
