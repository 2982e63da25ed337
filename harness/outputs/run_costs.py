"""What a run took, one line per model (pure): speed, padding, cost, cut and cached texts, time by phase, memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any


def line(parts: Iterable[Mapping[str, Any]]) -> str:
    """One line about the parts of records (`harness.parts`) that were computed; empty where there are none."""
    parts = list(parts)
    if not parts:
        return ""
    facts = []
    encode = _total(parts, lambda part: part.get("seconds", {}).get("encode"))
    tokens = _total(parts, lambda part: part.get("tokens_encoded"))
    padded = _total(parts, lambda part: part.get("tokens_padded"))
    if tokens and encode:
        padding = f", {1 - tokens / padded:.1%} padding" if padded else ""
        facts.append(f"{tokens:,.0f} tokens at {tokens / encode:,.0f}/s{padding}")
    if cost := _total(parts, lambda part: part.get("cost_usd")):
        facts.append(f"${dollars(cost)}")
    texts, cached = _total(parts, lambda part: part.get("texts")), _total(parts, lambda part: part.get("texts_cached"))
    if texts is not None:
        facts.append(f"{texts:,.0f} texts{_cut(parts, 'texts_truncated')}")
    if pairs := _sum(parts, "pairs"):
        facts.append(f"{pairs:,.0f} pairs of texts{_cut(parts, 'pairs_truncated')}")
    if cached:
        facts.append(f"{cached:,.0f} vectors from the cache")
    phases: dict[str, float] = {}
    for part in parts:
        for phase, seconds in part.get("seconds", {}).items():
            phases[phase] = phases.get(phase, 0.0) + seconds
    facts.append(", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in phases.items()))
    peak = max((part.get("peak_memory_mib") or 0 for part in parts), default=0)
    if peak:
        facts.append(f"peak {peak:,} MiB")
    return "; ".join(facts)


def _cut(parts: list[Mapping[str, Any]], count: str) -> str:
    """How many texts, or pairs of texts, were cut; parts that do not count them say so in a note of their own."""
    truncated = _sum(parts, count)
    return f", {truncated:,.0f} cut at the maximum length" if truncated else ""


def _sum(parts: list[Mapping[str, Any]], count: str) -> int:
    """The sum over the parts that have this count."""
    return sum(part.get(count) or 0 for part in parts)


def dollars(amount: float) -> str:
    """An amount of dollars in plain decimals: cents, or three digits that count where it is less than a dollar."""
    digits = 2 if not 0 < amount < 1 else 2 - math.floor(math.log10(amount))
    return f"{amount:,.{digits}f}"


def _total(parts: list[Mapping[str, Any]], value: Any) -> float | None:
    """The sum; None if a part lacks the value."""
    values = [value(part) for part in parts]
    return None if None in values else sum(values)
