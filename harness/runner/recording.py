"""One measured cell as a record, and the record on disk: scores, and everything that a reader of a number may ask."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness import results
from harness.errors import DataError
from harness.evaluators.items import Items
from harness.files import run_environment
from harness.results import items
from harness.results.schema import SCHEMA
from harness.runner.cells import Cell
from harness.runner.measurement import Measured
from harness.types import EncoderFacts, Loaded, Part, Record

_PROMPTS = ("prompts", "default_prompt")
"""Facts that a record holds by part instead: those prompts that were used."""


def keep(folder: Path, record: Record, *, model_meta: Mapping[str, Any], own: Mapping[Part, Items]) -> Record:
    """Write a record and the items of its parts; the record as it lies there, with the parts that it had before.

    Raises:
        RecordError: as `results.put`.
    """

    def beside(path: Path) -> None:
        if own:
            items.write(path, record, own)

    path = results.put(folder, record, model_meta=model_meta, before=beside)
    merged = results.get(folder, model=record.model, revision=record.revision, task=record.task, variant=record.variant)
    return replace(merged or record, path=str(path))


def record_of(cell: Cell, facts: EncoderFacts, loaded: Loaded, measured: Measured) -> Record:
    """What is written of one cell.

    Raises:
        DataError: the main metric is undefined on this data.
    """
    task, part, counts = cell.task, cell.part, measured.counts
    main_score = measured.scores.get(task.main_metric)
    if main_score is None:
        raise DataError(f"{task.name} {part}: the main metric {task.main_metric} is undefined on this data")
    entry = {
        **measured.scores,
        "main_score": main_score,
        "hf_subset": part.subset,
        "languages": list(task.subsets[part.subset]),
    }
    versions = run_environment.versions()
    return Record(
        task=task.name,
        model=cell.model.name,
        revision=cell.model.revision,
        variant=cell.variant,
        dataset_revision=task.source.revision or f"sha256:{loaded.digest[:16]}",
        mteb_version=versions.get("mteb"),
        scores={part.split: [entry]},
        evaluation_time=sum(measured.seconds.values()),
        date=time.time(),
        harness={
            "schema": SCHEMA,
            "fingerprint": cell.fingerprint,
            "task_type": task.type,
            "main_metric": task.main_metric,
            "model": {
                "origin": cell.model.origin,
                "trust_remote_code": cell.model.trust_remote_code,
                **({"note": cell.model.note} if cell.model.note else {}),
            },
            "encoder": {key: value for key, value in asdict(facts).items() if key not in _PROMPTS},
            "source": {"kind": task.source.kind, "path": task.source.path, "revision": task.source.revision},
            "parts": {
                str(part): {
                    "rows": dict(loaded.rows),
                    "sha256": loaded.digest,
                    "notes": list(loaded.notes),
                    **asdict(counts),
                    "tokens_per_second": _rate(counts.tokens_encoded, measured.seconds.get("encode")),
                    "peak_memory_mib": run_environment.peak_memory_mib(),
                    "seconds": {name: round(value, 4) for name, value in measured.seconds.items()},
                }
            },
            "versions": versions,
            "platform": run_environment.platform_name(),
            "machine": run_environment.machine(),
        },
    )


def _rate(count: int | None, seconds: float | None) -> float | None:
    return round(count / seconds, 1) if count and seconds else None
