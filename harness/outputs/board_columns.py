"""The columns of a leaderboard: all of them, or those that fit a terminal (pure)."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from harness.leaderboard.board_values import Leaderboard, Row
from harness.outputs.number_text import MISSING, interval_text, score_text, short_number

_BETWEEN = 2
"""Blanks between two columns of a table."""


class BoardColumn(NamedTuple):
    """One column: its header, its value of a row, and how that value is shown."""

    name: str
    value: Callable[[Row], Any]
    show: Callable[[Any], str] = lambda value: MISSING if value is None else str(value)
    descending: bool = True


def columns(board: Leaderboard, *, digits: int) -> list[BoardColumn]:
    """The columns of the summary, in mteb's order and under mteb's names, with further ones between them."""

    score = functools.partial(score_text, digits=digits)
    summary = [
        BoardColumn("Rank (Borda)", lambda row: row.rank, descending=False),
        BoardColumn("Model", lambda row: row.label, descending=False),
        BoardColumn("Mean (Task)", lambda row: row.mean_task, score),
    ]
    if board.uncertainty:
        summary += [
            BoardColumn("95%", lambda row: row.interval, functools.partial(interval_text, digits=digits)),
            BoardColumn("Ranks 95%", lambda row: row.rank_span, _ranks, descending=False),
            BoardColumn("Tie group", lambda row: row.tie_group, descending=False),
        ]
    summary.append(BoardColumn("Mean (TaskType)", lambda row: row.mean_type, score))
    summary += [BoardColumn(name, _of_type(name), score) for name in board.types]
    summary += [BoardColumn(name, _of_group(name), score) for name in board.groups]
    facts = [
        BoardColumn("Zero-shot", lambda row: row.zero_shot, lambda value: MISSING if value is None else f"{value:.0%}"),
        BoardColumn("Parameters", lambda row: row.facts.parameters, short_number, descending=False),
        BoardColumn("Dimensions", lambda row: row.facts.dimensions),
        BoardColumn("Max tokens", lambda row: row.facts.max_tokens),
        BoardColumn("Tokens/s", lambda row: row.throughput.tokens_per_second, short_number),
        BoardColumn("Device", lambda row: row.throughput.device, descending=False),
    ]
    summary += [column for column in facts if any(column.value(row) is not None for row in board.rows)]
    if any(row.missing for row in board.rows):
        summary.append(BoardColumn("Missing", lambda row: len(row.missing), descending=False))
    return summary


def fitting(
    every: Sequence[BoardColumn], board: Leaderboard, rows: Sequence[Row], *, digits: int, width: int
) -> list[BoardColumn]:
    """All columns where they fit `width` characters; else rank, short name and mean, and what fits after them.

    After the mean come half the width of its interval, the tie group, and the means of types.
    """
    if sum(_width(column, rows) for column in every) - _BETWEEN <= width:
        return list(every)
    short = _short_names(row.label for row in board.rows)
    score = functools.partial(score_text, digits=digits)
    chosen = [
        BoardColumn("Rank", lambda row: row.rank, descending=False),
        BoardColumn("Model", lambda row: short[row.label], descending=False),
        BoardColumn("Mean", lambda row: row.mean_task, score),
    ]
    further = [
        BoardColumn("+-", _half_width, score),
        BoardColumn("Tie", lambda row: row.tie_group, descending=False),
    ]
    further = further if board.uncertainty else []
    further += [BoardColumn(name, _of_type(name), score) for name in board.types]
    taken = sum(_width(column, rows) for column in chosen) - _BETWEEN
    for column in further:
        taken += _width(column, rows)
        if taken > width:
            break
        chosen.append(column)
    return chosen


def _half_width(row: Row) -> float | None:
    return None if row.interval is None else (row.interval.high - row.interval.low) / 2


def _width(column: BoardColumn, rows: Sequence[Row]) -> int:
    """Characters of a column, with the blanks before or after it."""
    return max([len(column.name), *(len(column.show(column.value(row))) for row in rows)]) + _BETWEEN


def _short_names(labels: Iterable[str]) -> dict[str, str]:
    """Label -> what follows its first slash, where no other label ends so."""
    ends = {label: label.partition("/")[2] for label in labels}
    count = Counter(ends.values())
    return {label: end if end and count[end] == 1 else label for label, end in ends.items()}


def _ranks(value: tuple[int, int] | None) -> str:
    if value is None:
        return MISSING
    return str(value[0]) if value[0] == value[1] else f"{value[0]} to {value[1]}"


def _of_type(name: str) -> Callable[[Row], float | None]:
    return lambda row: row.by_type[name]


def _of_group(name: str) -> Callable[[Row], float | None]:
    return lambda row: row.by_group[name]


def of_task(name: str) -> Callable[[Row], float | None]:
    """The score of a row on a task."""
    return lambda row: row.scores.get(name)
