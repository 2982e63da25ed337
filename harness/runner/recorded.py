"""The planner's look-up of records: its Protocol, and the look-up that reads a results folder."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple, Protocol

from harness import results
from harness.errors import HarnessError
from harness.types import ModelSpec, Part, Record


class RecordedParts(NamedTuple):
    """What is recorded of one task for one model in one variant.

    Attributes:
        parts: the parts that have a main score.
        fingerprint: None where another program made the record.
        precision: of the forward pass; None where the record does not say.
        path: of the record.
        date: when it was written, seconds since 1970; NaN where the record does not say.
        record: the record itself; None where the look-up did not read it.
    """

    parts: Collection[Part]
    fingerprint: str | None
    precision: str | None
    path: Path
    date: float
    record: Record | None = None


def record_of(recorded: RecordedParts) -> Record | None:
    """The record, which is read now where the look-up did not; None where it cannot be read."""
    if recorded.record is not None:
        return recorded.record
    try:
        return results.from_json(recorded.path.read_text(encoding="utf-8"), path=recorded.path)
    except (HarnessError, OSError, ValueError):
        return None


class LookUp(Protocol):
    """Tells what is recorded."""

    def __call__(self, model: ModelSpec, *, variant: str, task: str) -> RecordedParts | str:
        """What is recorded of the task named `task`, or why there is nothing that can be used."""
        ...


def in_folder(folder: Path) -> LookUp:
    """The look-up that reads each record from a results folder."""

    def look_up(model: ModelSpec, *, variant: str, task: str) -> RecordedParts | str:
        try:
            record = results.get(folder, model=model.name, revision=model.revision, task=task, variant=variant)
        except HarnessError as err:
            return f"the record is broken ({err})"
        if record is None:
            return "not recorded yet"
        encoder = record.harness.get("encoder") or {}
        return RecordedParts(
            parts=[part for part, entry in record.parts.items() if entry["main_score"] is not None],
            fingerprint=record.fingerprint,
            precision=encoder.get("precision"),
            path=Path(record.path or ""),
            date=float("nan") if record.date is None else record.date,
            record=record,
        )

    return look_up
