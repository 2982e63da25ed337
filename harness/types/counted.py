"""Counts and lists in messages."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 task`, `2 tasks`, `1,000 tasks`; nouns with an irregular plural need it as `plural`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(things: Sequence[object], *, most: int = 3) -> str:
    """`a, b, c and 2 more`."""
    shown = ", ".join(map(str, things[:most]))
    return shown + (f" and {len(things) - most} more" if len(things) > most else "")
