"""Counts in messages."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 task`, `2 tasks`, `1,000 tasks`; nouns with an irregular plural need it as `plural`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
