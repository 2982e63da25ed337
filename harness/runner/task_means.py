"""Records of tasks that are the mean of others, made from the records of those. Nothing is loaded or encoded.

As in mteb 2.26.24 (`AbsTaskAggregate`), the score of a split is the mean over the tasks of the mean main score over
their subsets, and the record holds no other metric.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from harness import results
from harness.errors import DataError
from harness.results.paths import META
from harness.runner.cells import Cell
from harness.runner.recording import of_one_part
from harness.runner.text_fields import Counts
from harness.types import Part, Record, TaskSpec

_AS_THE_MEMBERS = ("model", "encoder", "versions", "platform", "machine")
"""What a record says about the model and the run environment, taken from the record of the first member."""


def put(folder: Path, cell: Cell) -> Record:
    """Write the part to the record of its task; returns the merged record.

    Raises:
        DataError: a member has no record under the settings of the cell, or lacks a part.
        RecordError: as `results.put`.
    """
    records = [_recorded(folder, cell, member) for member in cell.task.members]
    meta = Path(records[0].path).parent / META
    return results.put(
        folder, record_of(cell, records), model_meta=json.loads(meta.read_text(encoding="utf-8")), items=None
    )


def record_of(cell: Cell, records: Sequence[Record]) -> Record:
    """A record of this part alone, from those of the members."""
    task, part = cell.task, cell.part
    score = fmean(
        fmean(record.parts[wanted]["main_score"] for wanted in _parts(member, part.split))
        for member, record in zip(task.members, records, strict=True)
    )
    taken = [record.evaluation_time for record in records]
    first = records[0].harness
    return of_one_part(
        cell,
        {task.main_metric: score},
        _details(records, part),
        dataset_revision=task.source.revision or "",
        mteb_version=records[0].mteb_version,
        evaluation_time=None if None in taken else sum(seconds for seconds in taken if seconds is not None),
        members={record.task: record.fingerprint for record in records},
        **{name: first[name] for name in _AS_THE_MEMBERS if name in first},
    )


def _recorded(folder: Path, cell: Cell, member: TaskSpec) -> Record:
    """The record of a member, under the fingerprint that the plan gave it, with all parts of the split."""
    record = results.get(
        folder, model=cell.model.name, revision=cell.model.revision, task=member.name, variant=cell.variant
    )
    missing = [
        wanted
        for wanted in _parts(member, cell.part.split)
        if record is None or record.fingerprint != cell.members[member.name] or wanted not in record.parts
    ]
    if record is None or missing:
        lacking = ", ".join(map(str, missing))
        raise DataError(f"{cell.task.name} is a mean that needs {member.name} {lacking}, which is not recorded")
    return record


def _parts(member: TaskSpec, split: str) -> list[Part]:
    return [part for part in member.parts if part.split == split]


def _details(records: Sequence[Record], part: Part) -> Mapping[str, Any]:
    """What a record says of a part: that nothing was encoded, and a digest of the digests of the members."""
    digests = sorted(
        str(details.get("sha256")) for record in records for details in record.harness.get("parts", {}).values()
    )
    return {
        "rows": {},
        "sha256": hashlib.sha256(json.dumps(digests).encode()).hexdigest(),
        "notes": [f"the mean of {', '.join(record.task for record in records)}"],
        **Counts().as_recorded(),
        "tokens_per_second": None,
        "peak_memory_mib": None,
        "seconds": {"load": 0.0, "encode": 0.0, "score": 0.0},
    }
