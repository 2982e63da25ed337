"""Numbers as people read them: scores, intervals, p-values, counts (pure)."""

from __future__ import annotations

MISSING = "–"


def score_text(value: float | None, *, digits: int = 4) -> str:
    """A score (0-1) with this many decimals."""
    return MISSING if value is None else f"{value:.{digits}f}"


def interval_text(interval: tuple[float, float] | None, *, digits: int = 4, signed: bool = False) -> str:
    """`0.31 to 0.89`; `signed` writes a plus before what is above zero."""
    sign = "+" if signed else ""
    return MISSING if interval is None else f"{interval[0]:{sign}.{digits}f} to {interval[1]:{sign}.{digits}f}"


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
