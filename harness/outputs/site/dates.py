"""Dates as the site shows them: ISO dates in UTC."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from harness.leaderboard.board_values import Leaderboard
from harness.leaderboard.record_choice import IndexRow


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


def recorded_at(board: Leaderboard, files: Mapping[str, IndexRow]) -> float | None:
    """When the newest of a model's files was recorded, in seconds since 1970; None where none of them has a date."""
    dates = [float(board.indices[file.source].columns.files["date"][file.row]) for file in files.values()]
    return max((date for date in dates if not math.isnan(date)), default=None)
