"""Builds a night's snapshot from the records; a cell that failed keeps the score of the last night."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness import results
from harness.errors import RecordError
from harness.files import run_environment
from harness.nightly.cell_work import CellsRun
from harness.nightly.history.snapshot_files import MeasuredCell, Night, NightCell, RunEnvironment, keep_items, numbered
from harness.nightly.schedule.night_plan import NightPlan, RecordedCell
from harness.nightly.schedule.schedule_contents import Schedule
from harness.results.items import items_path
from harness.runner.cells import Cell, CellKey
from harness.types import Part, Record

_ENCODER = ("backend", "device", "device_name", "precision", "attention", "max_length", "similarity", "batching")


_GRACE = 5.0
"""A clock that is behind the end of the last night by more than this many seconds is noted in the snapshot."""


def is_the_same(night_plan: NightPlan, before: Night | None) -> bool:
    """Whether nothing is to be computed and the records are exactly those of the last night."""
    if before is None or night_plan.todo or night_plan.problems or before.failures or before.left:
        return False
    old = before.by_key()
    return len(old) == len(night_plan.recorded) and all(
        _is_unchanged(recorded, old.get(recorded.cell.key)) for recorded in night_plan.recorded
    )


def build(schedule: Schedule, night_plan: NightPlan, before: Night | None, ran: CellsRun, *, started: float) -> Night:
    """The snapshot of a night.

    Args:
        schedule: whose history keeps the items files.
        night_plan: the plan made after the cells were computed.
        before: the last night.
        ran: what became of the cells.
        started: seconds since 1970.

    Raises:
        RecordError: a planned record is gone or broken, or its items file cannot be kept.
    """
    finished = time.time()
    old = {cell.key: MeasuredCell(cell, before.environment_of(cell)) for cell in before.cells} if before else {}
    new: dict[CellKey, MeasuredCell] = {}
    records: dict[Path, _RecordRead] = {}
    for recorded in night_plan.recorded:
        key, path = recorded.cell.key, recorded.path
        if key in old and _is_unchanged(recorded, old[key].cell):
            new[key] = old[key]
            continue
        if path not in records:
            records[path] = _read(path, schedule.history)
        new[key] = _measured(recorded.cell, records[path])
    failed = {problem.label: problem.problem for problem in night_plan.problems}
    stale = [
        (cell.key, ran.failures.get(str(cell.key)) or ran.failures.get(cell.group_label) or cell.why)
        for cell in night_plan.todo
    ]
    stale += [(key, failed[key.label]) for key in old if key.label in failed]
    for key, why in stale:
        if key in old:
            new[key] = old[key]._replace(cell=_with(old[key].cell, stale=why))
    cells, environments = numbered(new[key] for key in sorted(new))
    return Night(
        number=before.number + 1 if before else 1,
        started=started,
        finished=finished,
        schedule=schedule.file.name,
        computed=ran.computed,
        environment=here(),
        environments=environments,
        cells=cells,
        failures={**failed, **ran.failures},
        left=ran.left,
        notes=_notes(before, finished),
    )


def _notes(before: Night | None, finished: float) -> tuple[str, ...]:
    """Remarks for the report."""
    if before is None or before.finished <= finished + _GRACE:
        return ()
    return (
        f"the clock is {before.finished - finished:,.0f} s behind the end of night {before.number}; nights are in the "
        "order of their numbers",
    )


def here() -> RunEnvironment:
    """The run environment of this process."""
    return RunEnvironment(
        versions=run_environment.versions(), platform=run_environment.platform_name(), machine=run_environment.machine()
    )


def _is_unchanged(recorded: RecordedCell, old: NightCell | None) -> bool:
    """Whether the last night holds the same record of a cell."""
    if old is None or old.stale:
        return False
    return (old.fingerprint, old.date) == (recorded.cell.fingerprint, recorded.date)


def _with(cell: NightCell, **changes: Any) -> NightCell:
    from msgspec import structs

    return structs.replace(cell, **changes)


class _RecordRead(NamedTuple):
    """A record and what cells take from it; `items` is the sha256 of its items file."""

    record: Record
    parts: Mapping[Part, Mapping[str, Any]]
    environment: RunEnvironment
    items: str | None


def _read(path: Path, history: Path) -> _RecordRead:
    try:
        record = results.from_json(path.read_text(encoding="utf-8"), path=path)
    except OSError as err:
        raise RecordError(f"{path}: cannot be read: {err.strerror or err}; run the night again") from err
    details = record.harness
    encoder = details.get("encoder") or {}
    environment = RunEnvironment(
        versions=dict(details.get("versions") or {}),
        platform=details.get("platform"),
        machine=details.get("machine"),
        encoder={name: encoder[name] for name in _ENCODER if encoder.get(name) is not None},
    )
    return _RecordRead(record, record.parts, environment, keep_items(history, items_path(path)))


def _measured(cell: Cell, read: _RecordRead) -> MeasuredCell:
    record, entry = read.record, read.parts[cell.part]
    details = (record.harness.get("parts") or {}).get(str(cell.part), {})
    night_cell = NightCell(
        label=cell.label,
        task=cell.task.name,
        type=cell.task.type,
        split=cell.part.split,
        subset=cell.part.subset,
        metric=cell.task.main_metric,
        score=float(entry["main_score"]),
        model=record.model,
        revision=record.revision,
        variant=record.variant,
        fingerprint=record.fingerprint or "",
        environment=-1,
        data=details.get("sha256"),
        dataset_revision=record.dataset_revision,
        date=record.date,
        record=record.path,
        items=read.items,
        seconds=sum(details.get("seconds", {}).values()) or None,
    )
    return MeasuredCell(night_cell, read.environment)
