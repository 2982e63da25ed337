"""Quality against bytes: the compressed vectors of a model as a picture, an SVG without scripts (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from harness.leaderboard.compression import CompressedRow, ModelCompression
from harness.outputs.compression_table import number_format
from harness.outputs.number_text import score_text

WIDTH, HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 24, 44, 48
_AGAIN = "+N: first N ranked again by floats (line: from the bytes searched)"
_COLOURS = {"float32": "#5b8fd6", "int8": "#d08a1d", "binary": "#d1495b"}


class _Point(NamedTuple):
    x: float
    y: float
    searched_x: float
    row: CompressedRow


def picture(table: ModelCompression) -> str:
    """The picture of a model, ending in a newline; empty where fewer than two rows have bytes and a score.

    Each row is a point at the bytes of all vectors of a document. Where float vectors are kept to rank documents again,
    the point is hollow, and a line leads to it from the bytes that are searched.
    """
    rows = [row for row in table.rows if row.common_mean is not None and row.bytes_per_document]
    if len(rows) < 2:
        return ""
    scores = [row.common_mean for row in rows if row.common_mean is not None]
    room = (max(scores) - min(scores)) * 0.08 or 0.01
    low, high = min(scores) - room, max(scores) + room
    least = math.log2(min(row.bytes_searched or 1 for row in rows)) - 0.3
    most = math.log2(max(row.bytes_per_document or 1 for row in rows)) + 0.3

    def x(size: int | None) -> float:
        return _LEFT + (math.log2(size or 1) - least) / (most - least) * (WIDTH - _LEFT - _RIGHT)

    def y(score: float | None) -> float:
        return HEIGHT - _BOTTOM - ((score or 0.0) - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    points = [_Point(x(row.bytes_per_document), y(row.common_mean), x(row.bytes_searched), row) for row in rows]
    count = len(table.common)
    label = f"Main score, mean over {count} tasks" if count > 1 else f"Main score of {table.common[0]}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Quality against bytes" font-family="sans-serif" font-size="12" fill="currentColor">',
        _text(_LEFT, 14, label),
        _text(WIDTH - _RIGHT, HEIGHT - 8, "bytes a document", anchor="end"),
        *_legend(rows),
    ]
    for power in range(math.ceil(least), math.floor(most) + 1, max(1, round((most - least) / 10))):
        at = x(2**power)
        lines += [_rule(at, _TOP, at, HEIGHT - _BOTTOM), _text(at, HEIGHT - _BOTTOM + 16, f"{2**power:,}", "middle")]
    for tick in _ticks(low, high):
        at = y(tick)
        lines += [_rule(_LEFT, at, WIDTH - _RIGHT, at), _text(_LEFT - 6, at + 4, f"{100 * tick:.4g}", "end")]
    for point in points:
        lines += _drawn(point)
    return "\n".join([*lines, *_names(points), "</svg>", ""])


def _drawn(point: _Point) -> Iterator[str]:
    row = point.row
    colour = _COLOURS[number_format(row)]
    again = f", first {row.transform.rescore} ranked again by floats" if row.transform.rescore else ""
    size = f"{row.bytes_per_document:,} bytes" + (f" ({row.bytes_searched:,} searched)" if again else "")
    title = escape(f"{row.dimensions} x {number_format(row)}{again}: {size}, {score_text(row.common_mean)}")
    if again:
        yield (
            f'<line x1="{point.searched_x:.1f}" y1="{point.y:.1f}" x2="{point.x - 4:.1f}" y2="{point.y:.1f}" '
            f'stroke="{colour}" stroke-dasharray="2 3"/>'
        )
    fill = "none" if again else colour
    yield (
        f'<circle cx="{point.x:.1f}" cy="{point.y:.1f}" r="4" fill="{fill}" stroke="{colour}" stroke-width="1.5" '
        f'pointer-events="all"><title>{title}</title></circle>'
    )


def _names(points: list[_Point]) -> Iterator[str]:
    """Dimensions, and how many are ranked again, beside the points; a name that would cover another is left out."""
    taken: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda point: point.y):
        again = f" +{point.row.transform.rescore}" if point.row.transform.rescore else ""
        if all(abs(point.x - x) > 56 or abs(point.y - y) > 13 for x, y in taken):
            taken.append((point.x, point.y))
            yield _text(point.x, point.y - 8, f"{point.row.dimensions}{again}", "middle")


def _legend(rows: list[CompressedRow]) -> Iterator[str]:
    at = float(_LEFT)
    present = {number_format(row) for row in rows}
    shown = [(name, colour, colour) for name, colour in _COLOURS.items() if name in present]
    if any(row.transform.rescore for row in rows):
        shown.append((_AGAIN, "none", "currentColor"))
    for name, fill, stroke in shown:
        yield f'<circle cx="{at + 4:.1f}" cy="28" r="4" fill="{fill}" stroke="{stroke}" stroke-width="1.5"/>'
        yield _text(at + 13, 32, name)
        at += 30 + 7 * len(name)


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers between two."""
    raw = (high - low) / 5
    step = 10 ** math.floor(math.log10(raw))
    step *= next(factor for factor in (1, 2, 5, 10) if factor * step >= raw)
    first = math.ceil(low / step)
    return [round(number * step, 10) for number in range(first, math.floor(high / step) + 1)]


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="currentColor" stroke-opacity="0.15"/>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
