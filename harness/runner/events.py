"""The events of a run, for progress and reports. Imports nothing heavy, so that a run with nothing to do stays fast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from harness.errors import Failure
    from harness.runner.cells import Plan, TaskCells
    from harness.types import Part, Record


class Event(NamedTuple):
    """One step of a run: `part` of `cells` is loaded, encoded, recorded and so on.

    `refused` says that the model could not be opened, so that no part of `cells` is computed.
    """

    kind: Literal["kept", "inapplicable", "open", "refused", "load", "encode", "recorded", "failed"]
    cells: TaskCells
    part: Part | None = None
    record: Record | None = None
    failure: Failure | None = None
    message: str = ""


def left_as_they_are(cells: TaskCells) -> Iterator[Event]:
    """The events of cells that are not computed: those that are recorded, and those that the model cannot do."""
    if cells.done:
        yield Event("kept", cells, record=cells.record)
    if cells.todo and not cells.applies:
        yield Event("inapplicable", cells, message=cells.limits)


def in_order(events: Sequence[Event], plan: Plan) -> list[Event]:
    """`events` in the order of the plan; stages overlap, so that events of several cells come mixed, in any order."""
    places = {id(cells): place for place, cells in enumerate(plan.task_cells)}
    return sorted(events, key=lambda event: places[id(event.cells)])
