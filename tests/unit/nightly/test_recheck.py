"""Which recorded cells of baselines a night computes again."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.nightly.schedule import night_plan
from harness.nightly.schedule.night_plan import RecordedCell

NOW = 2e9


def recorded(name: str, date: float) -> RecordedCell:
    cell: Any = SimpleNamespace(label="base", key=name)
    return RecordedCell(cell, date, Path(name))


@pytest.mark.parametrize("jump", [4000.0, 1e7, 1e12, math.nan])
def test_a_date_to_come_does_not_pause_rechecks(jump: float) -> None:
    """A record of a clock that had jumped forward is checked again first, not when its date has come."""
    old, fresh = recorded("old", NOW - 1e7), recorded("fresh", NOW - 10)
    ahead, other_clock = recorded("ahead", NOW + jump), recorded("other clock", NOW + 60)
    chosen = night_plan._oldest([old, fresh, ahead, other_clock], {"base"}, count=3, now=NOW)
    assert [cell.path.name for cell in chosen] == ["ahead", "old"]
