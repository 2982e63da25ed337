"""What is recorded already, as the planner asks for it: the look-up, and the one that reads the records of a folder."""

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
        parts: those that have a main score.
        fingerprint: None where another program made the record.
        precision: of the forward pass; None where the record does not say.
        path: of the record.
        date: when it was written, seconds since 1970; NaN where the record does not say.
        record: where the look-up has read it.
    """

    parts: Collection[Part]
    fingerprint: str | None
    precision: str | None
    path: Path
    date: float
    record: Record | None = None


class LookUp(Protocol):
    """Answers what is recorded."""

    def __call__(self, model: ModelSpec, *, variant: str, task: str) -> RecordedParts | str:
        """What is recorded of the task named `task`, or why there is nothing that can be used."""
        ...


def in_folder(folder: Path) -> LookUp:
    """The look-up of a results folder; it reads each record that it is asked for."""

    def look_up(model: ModelSpec, *, variant: str, task: str) -> RecordedParts | str:
        try:
            record = results.get(folder, model=model.name, revision=model.revision, task=task, variant=variant)
        except HarnessError as err:
            return f"the record is broken ({err})"
        if record is None:
            return "not recorded yet"
        encoder = record.harness.get("encoder") or {}
        return RecordedParts(
            parts=record.parts.keys(),
            fingerprint=record.fingerprint,
            precision=encoder.get("precision"),
            path=Path(record.path or ""),
            date=float("nan") if record.date is None else record.date,
            record=record,
        )

    return look_up
