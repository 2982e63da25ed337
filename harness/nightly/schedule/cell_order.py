"""The order of a night's cells: the cheapest first, so that a limited budget computes as many cells as possible.

All cells of a model run together, so that it is loaded once. Models with cheap cells come first, and within a model the
cheap cells. The time of a cell without earlier records is estimated from the size of its data and the pace of the other
models.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.data.size_estimate import estimate
from harness.errors import HarnessError
from harness.nightly.schedule.night_plan import NightPlan
from harness.runner.cells import Cell, CellKey
from harness.types import Part

_PACE = 1e-4
"""Seconds per token where nothing was ever timed: some 10,000 tokens a second."""
_TOKENS = 100_000.0


class Ordered(NamedTuple):
    """Cells in the order to run them.

    Attributes:
        seconds: of each cell, from what was measured before; absent where neither its size nor its model is known.
    """

    cells: tuple[Cell, ...]
    seconds: Mapping[CellKey, float]


def ordered(plan: NightPlan) -> Ordered:
    """The cells to compute, the cheapest first."""
    guesses: dict[CellKey, float] = {}
    measured: dict[CellKey, float] = {}
    usual = statistics.median(plan.pace.values()) if plan.pace else _PACE
    sizes: dict[tuple[str, Part], float | None] = {}
    for cell in plan.todo:
        what = (cell.task.name, cell.part)
        if what not in sizes:
            sizes[what] = _tokens(cell, plan)
        tokens, pace = sizes[what], plan.pace.get(cell.model.name)
        guesses[cell.key] = (tokens or _TOKENS) * (pace or usual)
        if tokens and pace:
            measured[cell.key] = tokens * pace
    groups: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in plan.todo:
        groups.setdefault(cell.group, []).append(cell)
    for cells in groups.values():
        cells.sort(key=lambda cell: (guesses[cell.key], cell.key))
    by_cost = sorted(groups.items(), key=lambda group: (_mean(group[1], guesses), group[0]))
    return Ordered(tuple(cell for _, cells in by_cost for cell in cells), measured)


def _mean(cells: Sequence[Cell], seconds: Mapping[CellKey, float]) -> float:
    return statistics.fmean(seconds[cell.key] for cell in cells)


def _tokens(cell: Cell, plan: NightPlan) -> float | None:
    """Tokens of a part: as recorded for any model, else as estimated from the data."""
    if cell.task.name in plan.tokens:
        return plan.tokens[cell.task.name]
    try:
        size = estimate(cell.task, cell.part)
    except (HarnessError, OSError):  # the cell fails with this error when it runs
        return None
    return float(size.tokens) if size else None
