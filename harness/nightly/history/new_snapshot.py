"""A night's snapshot from the records: what stands now, and of what failed the last score known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness import results
from harness.errors import RecordError
from harness.files import run_environment
from harness.nightly.history.snapshot_files import Night, NightCell, World, keep_items, worlds_of
from harness.nightly.schedule.night_plan import NightPlan, RecordedCell
from harness.results.items import items_path
from harness.runner.cells import Cell, CellKey
from harness.types import Part, Record

_ENCODER = ("backend", "device", "device_name", "precision", "attention", "max_length", "similarity", "batching")


class Done(NamedTuple):
    """How a night went.

    Attributes:
        failures: cell -> why.
        left: cells that the budget left.
    """

    number: int
    started: float
    finished: float
    schedule: str
    computed: int
    failures: Mapping[str, str]
    left: int
    notes: tuple[str, ...] = ()


def is_the_same(night_plan: NightPlan, before: Night | None) -> bool:
    """Whether the records are exactly those that the last night saw, and nothing is to do."""
    if before is None or night_plan.todo or night_plan.problems or before.failures or before.left:
        return False
    known = {cell.key: cell for cell in before.cells if not cell.stale}
    return len(known) == len(before.cells) == len(night_plan.recorded) and all(
        _stands(one, known.get(one.cell.key)) for one in night_plan.recorded
    )


def build(night_plan: NightPlan, before: Night | None, done: Done, *, history: Path) -> Night:
    """The snapshot of a night.

    Args:
        night_plan: as planned anew when all was computed.
        before: the last night.
        done: how it went.
        history: the folder that keeps the items.

    Raises:
        RecordError: a record that was there is gone or broken, or the disk refuses to keep its items.
    """
    known = before.by_key() if before else {}
    worlds = before.worlds if before else ()
    found: dict[CellKey, tuple[NightCell, World]] = {}
    read: dict[Path, _Read] = {}
    for one in night_plan.recorded:
        key, old = one.cell.key, known.get(one.cell.key)
        if old is not None and _stands(one, old):
            found[key] = (old, worlds[old.world])
            continue
        if one.path not in read:
            read[one.path] = _read(one.path, history)
        found[key] = _cell(one.cell, read[one.path])
    failed = {problem.label: problem.problem for problem in night_plan.problems}
    last_known = [(cell.key, done.failures.get(str(cell.key), cell.why)) for cell in night_plan.todo]
    last_known += [(key, failed[key.label]) for key in known if key.label in failed]
    for key, why in last_known:
        if (old := known.get(key)) is not None:
            found[key] = (_with(old, stale=why), worlds[old.world])
    cells, kept = worlds_of(dict(sorted(found.items())))
    return Night(
        number=done.number,
        started=done.started,
        finished=done.finished,
        schedule=done.schedule,
        computed=done.computed,
        environment=here(),
        worlds=kept,
        cells=cells,
        failures={**failed, **done.failures},
        left=done.left,
        notes=done.notes,
    )


def here() -> World:
    """The environment of this process."""
    return World(
        versions=run_environment.versions(), platform=run_environment.platform_name(), machine=run_environment.machine()
    )


def _stands(one: RecordedCell, old: NightCell | None) -> bool:
    return old is not None and not old.stale and (old.fingerprint, old.date) == (one.cell.fingerprint, one.date)


def _with(cell: NightCell, **changes: Any) -> NightCell:
    from msgspec import structs

    return structs.replace(cell, **changes)


class _Read(NamedTuple):
    record: Record
    parts: Mapping[Part, Mapping[str, Any]]
    world: World
    items: str | None


def _read(path: Path, history: Path) -> _Read:
    try:
        record = results.from_json(path.read_text(encoding="utf-8"), path=path)
    except OSError as err:
        raise RecordError(f"{path}: cannot be read: {err.strerror or err}; run the night again") from err
    told = record.harness
    encoder = told.get("encoder") or {}
    world = World(
        versions=dict(told.get("versions") or {}),
        platform=told.get("platform"),
        machine=told.get("machine"),
        encoder={name: encoder[name] for name in _ENCODER if encoder.get(name) is not None},
    )
    return _Read(record, record.parts, world, keep_items(history, items_path(path)))


def _cell(cell: Cell, read: _Read) -> tuple[NightCell, World]:
    record, entry = read.record, read.parts[cell.part]
    details = (record.harness.get("parts") or {}).get(str(cell.part), {})
    made = NightCell(
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
        world=-1,
        data=details.get("sha256"),
        dataset_revision=record.dataset_revision,
        date=record.date,
        record=record.path,
        items=read.items,
        seconds=sum(details.get("seconds", {}).values()) or None,
    )
    return made, read.world
