"""Dates as the site shows them: ISO dates in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_date(seconds: float) -> str | None:
    """Seconds since 1970 as an ISO date (UTC); None for what no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def is_date(text: str) -> bool:
    """Whether it is an ISO date."""
    try:
        datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True
