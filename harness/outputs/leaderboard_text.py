"""A leaderboard as text: a table for the terminal, Markdown, CSV, JSON, one HTML page; Parquet as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from harness.errors import UnknownName
from harness.leaderboard import board_values, unranked
from harness.leaderboard.board_values import Leaderboard, Row
from harness.outputs import text_table
from harness.outputs.board_columns import BoardColumn, columns, fitting, of_task
from harness.outputs.data_text import csv_text, json_text
from harness.outputs.text_table import escape_markdown
from harness.types.counted import counted

Format = Literal["table", "markdown", "csv", "json", "parquet", "html"]
FORMATS: tuple[Format, ...] = ("table", "markdown", "csv", "json", "parquet", "html")


def ordered(board: Leaderboard, by: str | None, *, digits: int = 2) -> tuple[Row, ...]:
    """The rows, best first by a column or task; rows without a value last.

    Raises:
        UnknownName: no such column or task.
    """
    if by is None:
        return board.rows
    by_name = {column.name.lower(): column for column in columns(board, digits=digits)}
    by_name |= {task.name.lower(): BoardColumn(task.name, of_task(task.name)) for task in board.tasks}
    column = by_name.get(by.lower())
    if column is None:
        raise UnknownName.of("column or task to sort by", by, [entry.name for entry in by_name.values()])
    with_value = [row for row in board.rows if column.value(row) is not None]
    without = [row for row in board.rows if column.value(row) is None]
    return (*sorted(with_value, key=column.value, reverse=column.descending), *without)


def render(
    board: Leaderboard,
    *,
    format: Format,
    sort: str | None = None,
    digits: int = 2,
    tasks: bool = False,
    width: int | None = None,
) -> str:
    """The leaderboard as text, ending in a newline.

    Args:
        board: What to show.
        format: Of the text; CSV and JSON hold every task, and scores as recorded: 0-1, in full precision.
        sort: A column or task; by Borda rank if None.
        digits: Decimals of scores, which are shown times 100.
        tasks: Whether to add a column for every task.
        width: Characters that a line of a table may have; columns that do not fit are left out. None for all.
    """
    rows = ordered(board, sort)
    if format == "json":
        return json_text(board_values.nested(board, rows))
    if format == "csv":
        flat = board_values.flat(board, rows)
        return csv_text(flat[0] if flat else [], [row.values() for row in flat])
    shown = columns(board, digits=digits)
    left_out = 0
    if width is not None and format == "table" and not tasks:
        every, shown = shown, fitting(shown, board, rows, digits=digits, width=width)
        left_out = max(0, len(every) - len(shown))
    if tasks:
        shown += [BoardColumn(task.name, of_task(task.name), shown[2].show) for task in board.tasks]
    cells = [[column.show(column.value(row)) for column in shown] for row in rows]
    headers = [column.name for column in shown]
    return _notes(board, _table(headers, cells, format), format, left_out=left_out)


def parquet(board: Leaderboard, *, sort: str | None = None) -> bytes:
    """The leaderboard as a Parquet file, one row per model; equal boards give equal bytes."""
    import pyarrow
    from pyarrow import parquet as writer

    rows = board_values.flat(board, ordered(board, sort))
    whole = ("rank_borda", "rank_low", "rank_high", "tie_group", "parameters", "dimensions", "max_tokens", "missing")
    text = ("model", "variant", "revision", "device")
    kinds = {
        name: pyarrow.int64() if name in whole else pyarrow.string() if name in text else pyarrow.float64()
        for name in rows[0]
    }
    table = pyarrow.table({name: pyarrow.array([row[name] for row in rows], kind) for name, kind in kinds.items()})
    sink = pyarrow.BufferOutputStream()
    writer.write_table(table, sink)
    return bytes(sink.getvalue())


def _table(headers: list[str], cells: list[list[str]], format: Format) -> str:
    if format == "html":
        return _html(headers, cells)
    right = [at for at in range(len(headers)) if at != 1]
    if format == "markdown":
        headers, *cells = [list(map(escape_markdown, row)) for row in (headers, *cells)]
        return text_table.markdown(headers, cells, right=right, compact=True)
    return text_table.plain(headers, cells, right=right, compact=True)


def _html(headers: list[str], cells: list[list[str]]) -> str:
    from html import escape

    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in headers)
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{escape(cell)}</th>' if at == 1 else f"<td>{escape(cell)}</td>"
            for at, cell in enumerate(row)
        )
        + "</tr>\n"
        for row in cells
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n"


def _notes(board: Leaderboard, table: str, format: Format, *, left_out: int = 0) -> str:
    lines = [board.uncertainty] if board.uncertainty else []
    if left_out:
        lines.append(f"{counted(left_out, 'column')} did not fit; --wide shows all")
    if board.not_common:
        every = len(board.tasks) + len(board.not_common)
        lines.append(f"ranked over the {len(board.tasks)} of {every} tasks that all of these models have")
    if board.unrecorded:
        names = ", ".join(task.name for task in board.unrecorded)
        which = "this task, which is" if len(board.unrecorded) == 1 else "these tasks, which are"
        lines.append(f"no model has results for {which} not counted: {names}")
    if board.without_row:
        count = counted(len(board.without_row), "model")
        verb = "has" if len(board.without_row) == 1 else "have"
        names = ", ".join(unranked.lines(board.without_row))
        lines.append(f"{count} {verb} no task with all of its parts, so no row: {names}")
    if format == "html":
        return table
    text = [line[0].upper() + line[1:] + "." for line in lines]
    if format == "markdown":
        return "\n".join([table, *map(escape_markdown, text)]) + ("\n" if text else "")
    return "\n".join([table, *text, *_incomplete(board)]).rstrip("\n") + "\n"


def _incomplete(board: Leaderboard, *, most: int = 4) -> list[str]:
    """Which models lack which tasks, and why; after the first tasks, how many more."""
    rows = [row for row in board.rows if row.missing]
    if not rows:
        return []
    lack = "lacks tasks and therefore has" if len(rows) == 1 else "lack tasks and therefore have"
    lines = [f"{len(rows)} of {len(board.rows)} models {lack} no mean:"]
    for row in rows:
        by_reason: dict[str, list[str]] = {}
        for task, reason in row.missing.items():
            by_reason.setdefault(reason, []).append(task)
        reasons = "; ".join(f"{', '.join(_few(tasks, most))}: {reason}" for reason, tasks in by_reason.items())
        lines.append(f"  {row.label}: {reasons}")
    if board.completed_by:
        command = board.completed_by.replace("MODEL", rows[0].label) if len(rows) == 1 else board.completed_by
        lines.append(f"To complete a row: {command}; --common ranks over the tasks that all models have")
    return lines


def _few(names: Sequence[str], most: int) -> list[str]:
    return list(names) if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"]
