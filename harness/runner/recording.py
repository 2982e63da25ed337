"""Writes measured parts to the record of their model and task."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from harness import models, results
from harness.results.schema import SCHEMA
from harness.runner.cells import Cell
from harness.runner.measurement import MeasuredPart
from harness.types import EncoderFacts, Record, Scores


def put(folder: Path, cell: Cell, measured: MeasuredPart) -> Record:
    """Merge a measured part into the record of its model and task; returns the merged record.

    Raises:
        RecordError: as `results.put`.
    """
    return put_all(folder, [(cell, measured)])


def put_all(folder: Path, parts: Sequence[tuple[Cell, MeasuredPart]]) -> Record:
    """Merge measured parts of one record into it, and write it once; returns the merged record.

    Raises:
        RecordError: as `results.put`.
    """
    cell, measured = parts[-1]
    return results.put(
        folder,
        results.merged(*(record_of(*part) for part in parts)),
        model_meta=models.meta(cell.model, measured.facts),
        items={each.part: of_part.items for each, of_part in parts if of_part.items is not None},
    )


def record_of(cell: Cell, measured: MeasuredPart) -> Record:
    """A record of this part alone."""
    model, counts = cell.model, measured.counts
    optional = {
        "place": model.place,
        "name_given": model.name_given,
        "dependencies": dict(model.dependencies),
        "note": model.note,
        "like": model.like,
    }
    stated = {name: value for name, value in optional.items() if value}
    return of_one_part(
        cell,
        measured.scores,
        {
            "rows": dict(measured.rows),
            "sha256": measured.digest,
            "notes": list(measured.notes),
            **({"defects": list(measured.defects)} if measured.defects else {}),
            **counts.as_recorded(),
            **_cost(counts.tokens_encoded, cell.options.price),
            "tokens_per_second": _rate(counts.tokens_encoded, measured.seconds["encode"]),
            "peak_memory_mib": measured.peak_memory_mib,
            **({} if measured.compression is None else {"compression": dict(measured.compression)}),
            "seconds": {name: round(value, 4) for name, value in measured.seconds.items()},
        },
        dataset_revision=cell.task.source.revision or f"sha256:{measured.digest[:16]}",
        mteb_version=measured.environment["versions"].get("mteb"),
        evaluation_time=sum(measured.seconds.values()),
        model={"origin": model.origin, "trust_remote_code": model.trust_remote_code, **stated},
        encoder=_used(measured.facts),
        **measured.environment,
    )


def of_one_part(
    cell: Cell,
    scores: Scores,
    details: Mapping[str, Any],
    *,
    dataset_revision: str,
    mteb_version: str | None,
    evaluation_time: float | None,
    **measured_with: Any,
) -> Record:
    """A record of the part of a cell alone.

    Args:
        cell: what was measured.
        scores: metric -> value.
        details: what the record says of the part.
        dataset_revision, mteb_version, evaluation_time: see `Record`.
        measured_with: what it says of the model, its encoder and the run environment.
    """
    task, part = cell.task, cell.part
    entry = {
        **scores,
        "main_score": scores[task.main_metric],
        "hf_subset": part.subset,
        "languages": list(task.subsets[part.subset]),
    }
    return Record(
        task=task.name,
        model=cell.model.name,
        revision=cell.model.revision,
        variant=cell.variant,
        dataset_revision=dataset_revision,
        mteb_version=mteb_version,
        scores={part.split: [entry]},
        evaluation_time=evaluation_time,
        date=time.time(),
        harness={
            "schema": SCHEMA,
            "fingerprint": cell.fingerprint,
            "task_type": task.type,
            "main_metric": task.main_metric,
            "source": {"kind": task.source.kind, "path": task.source.path, "revision": task.source.revision},
            "parts": {str(part): details},
            **measured_with,
        },
    )


def _cost(tokens: int | None, price: float | None) -> dict[str, float | None]:
    """What the tokens that were encoded cost, where the price of a million of them is given."""
    return {} if price is None else {"cost_usd": None if tokens is None else round(tokens * price / 1e6, 8)}


_LEFT_OUT = frozenset({"first_stage", "weights", "max_lengths", "encoding", "lost_devices", "runtime"})
"""Settings that a record holds only where there is something to say."""


def _used(facts: EncoderFacts) -> dict[str, Any]:
    """The settings of the encoder. Of its prompts only the source, since each part holds the prompts that it used."""
    names = [field.name for field in fields(facts) if field.name not in ("prompts", "batch_tokens")]
    used = {name: getattr(facts, name) for name in names}
    used = {name: value for name, value in used.items() if value is not None or name not in _LEFT_OUT}
    return {**used, "prompts_from": facts.prompts.source}


def _rate(count: int | None, seconds: float) -> float | None:
    return round(count / seconds, 1) if count and seconds else None
