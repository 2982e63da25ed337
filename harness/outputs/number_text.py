"""Numbers as people read them: scores, intervals, p-values, counts (pure)."""

from __future__ import annotations

MISSING = "–"


def score_text(value: float | None, *, digits: int = 2, scale: int = 100) -> str:
    """A score (0-1) as people read it, times 100: `82.03`."""
    return MISSING if value is None else f"{scale * value:.{digits}f}"


def difference_text(value: float, *, digits: int = 2) -> str:
    """The difference of two scores (0-1) in points, always with its sign: `+0.31`."""
    return f"{100 * value:+.{digits}f}"


def interval_text(interval: tuple[float, float] | None, *, digits: int = 2, signed: bool = False) -> str:
    """An interval of scores (0-1), times 100: `31.00 to 89.00`; `signed` writes a plus before what is above zero.

    Where nothing varies (an interval of no width) there is none to show.
    """
    if interval is None or interval[0] == interval[1]:
        return MISSING
    sign = "+" if signed else ""
    return f"{100 * interval[0]:{sign}.{digits}f} to {100 * interval[1]:{sign}.{digits}f}"


def p_text(value: float | None) -> str:
    """A p-value with four decimals."""
    if value is None:
        return MISSING
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def short_number(value: float | None) -> str:
    """Three digits and a unit: 22.7M."""
    if value is None:
        return MISSING
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}" if value / size < 1000 else f"{value / size:.0f}{unit}"
    return f"{value:.3g}"
