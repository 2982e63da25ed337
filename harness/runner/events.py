"""What a run tells while it runs. Light, so that a run with nothing to do imports nothing heavy to say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from harness.errors import Failure
    from harness.runner.plan import Job
    from harness.types import Part, Record


class Event(NamedTuple):
    """What just happened, for whoever shows progress."""

    kind: Literal["kept", "inapplicable", "open", "load", "encode", "score", "recorded", "failed"]
    job: Job
    part: Part | None = None
    record: Record | None = None
    failure: Failure | None = None
    message: str = ""


def kept(jobs: Sequence[Job]) -> Iterator[Event]:
    """The events of jobs of which nothing is to be done."""
    for job in jobs:
        yield Event("kept", job, record=job.record)


def in_order(events: Sequence[Event], jobs: Sequence[Job]) -> list[Event]:
    """`events` in the order of the jobs: a cell is recorded when others have long begun, and how many is chance."""
    places = {id(job): place for place, job in enumerate(jobs)}
    return sorted(events, key=lambda event: places[id(event.job)])
