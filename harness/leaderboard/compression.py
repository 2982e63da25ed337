"""What compression keeps: recorded variants with fewer dimensions or bits, beside the model's float vectors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import results
from harness.encoding.compression import stored_bytes
from harness.errors import RecordError
from harness.evaluators import KINDS
from harness.files.reading import read_text
from harness.leaderboard.index_columns import NONE
from harness.results.paths import Identity, variant_kwargs, variant_text
from harness.types import PLAIN, Record, VectorTransform

if TYPE_CHECKING:
    from harness.leaderboard.board_values import Leaderboard, Row

RECALL = "float_recall_at_10"
"""The recall that is shown: the share of the ten best documents of the float search that a compressed one keeps."""
_SETTINGS = ("dims", "quantize", "rescore", "calibration")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressedRow:
    """One way to store the vectors of a model.

    Attributes:
        transform: of the vectors; the plain one for those that the model gives.
        dimensions: that are kept; None where no record names those of the model.
        bytes_per_document: of all vectors of a document; None where `dimensions` is.
        bytes_searched: of the vector that is compared with every query, without the float vector for a second scoring.
        scores: task -> main score.
        by_type: type -> mean over its tasks; None where one is missing.
        mean: over all tasks; None where one is missing.
        common_mean: over the tasks that all rows have; None where there are none.
        kept: `common_mean` as a share of that of the float vectors.
        float_recall: mean over the tasks that search; see `RECALL`. None where no record holds it.
    """

    transform: VectorTransform
    dimensions: int | None
    bytes_per_document: int | None
    bytes_searched: int | None
    scores: Mapping[str, float]
    by_type: Mapping[str, float | None]
    mean: float | None
    common_mean: float | None
    kept: float | None
    float_recall: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCompression:
    """The vectors of one model in every recorded form, the model's own first, then by dimensions.

    Attributes:
        subject: the model, in a variant that compresses nothing.
        tasks: those with a compressed record, and one of the float vectors where there are any.
        common: those of them that every row has.
        types: of the tasks, in the order of `evaluators.KINDS`.
    """

    subject: Identity
    tasks: tuple[str, ...]
    common: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[CompressedRow, ...]


def compressions(
    records: Iterable[Record], *, score: Callable[[Record], float | None] = results.main_score
) -> list[ModelCompression]:
    """The models of which a compressed variant is recorded, in order of their names.

    Args:
        records: of any models and variants.
        score: the score of a task; a record without one is left out.
    """
    by_subject: dict[Identity, dict[VectorTransform, dict[str, Record]]] = {}
    for record in records:
        transform = transform_of(record.variant)
        if transform is not None and score(record) is not None:
            subject = Identity(record.model, record.revision, _rest(record.variant))
            by_subject.setdefault(subject, {}).setdefault(transform, {})[record.task] = record
    return [
        _of_model(subject, by_transform, score=score)
        for subject, by_transform in sorted(by_subject.items())
        if set(by_transform) != {PLAIN}
    ]


def of_row(board: Leaderboard, row: Row) -> ModelCompression | None:
    """The same for the model of a row and the tasks and parts of its board; None where no compression is recorded.

    Of several revisions, the one with the most records counts that has compressed ones. A score whose record cannot be
    read as a whole is missing.
    """
    folders = [
        (index, number, folder.owner.identity)
        for index in board.indices
        for number, folder in enumerate(index.folders)
        if folder.owner.identity.model == row.who.model and _rest(folder.owner.identity.variant) == row.who.variant
    ]
    compressed = {
        identity.revision for _, _, identity in folders if transform_of(identity.variant) not in (None, PLAIN)
    }
    revision = next((revision for revision in row.revisions if revision in compressed), None)
    if revision is None or transform_of(row.who.variant) != PLAIN:
        return None
    parts = dict(zip((task.name for task in board.tasks), board.parts, strict=True))
    records: list[Record] = []
    for index, number, identity in reversed(folders):  # of two folders with the same record the first one counts
        if identity.revision != revision:
            continue
        files = index.columns.files
        for at in np.flatnonzero((files["folder"] == number) & (files["problem"] == NONE)).tolist():
            if index.columns.strings[files["task"][at]] in parts:
                path = index.path(at)
                with suppress(RecordError):
                    records.append(results.from_json(read_text(path), path=path))
    tables = compressions(records, score=lambda record: results.main_score(record, parts[record.task]))
    return tables[0] if tables else None


def transform_of(variant: str) -> VectorTransform | None:
    """The transform of the vectors that a variant names; None where it names one that does not exist."""
    try:
        kwargs = variant_kwargs(variant)
        dims, rescore = (int(kwargs[name]) if name in kwargs else 0 for name in ("dims", "rescore"))
    except (RecordError, ValueError):
        return None
    quantize: Any = kwargs.get("quantize")
    if dims < 0 or rescore < 0 or quantize not in (None, "int8", "binary"):
        return None
    return VectorTransform(dims or None, quantize, rescore)


def _rest(variant: str) -> str:
    """What a variant names beside the transform of vectors."""
    if transform_of(variant) is None:
        return variant
    return variant_text({name: value for name, value in variant_kwargs(variant).items() if name not in _SETTINGS})


def _of_model(
    subject: Identity,
    by_transform: Mapping[VectorTransform, Mapping[str, Record]],
    *,
    score: Callable[[Record], float | None],
) -> ModelCompression:
    floats = by_transform.get(PLAIN, {})
    compressed = dict.fromkeys(
        task for transform, records in by_transform.items() if transform != PLAIN for task in records
    )
    tasks = sorted(task for task in compressed if task in floats or not floats)
    common = tuple(task for task in tasks if all(task in records for records in by_transform.values()))
    types = {task: _type(task, by_transform.values()) for task in tasks}
    every_record = (record for records in by_transform.values() for record in records.values())
    dimensions = next(filter(None, map(_dimensions, every_record)), None)
    of_floats = {task: value for task in tasks if task in floats and (value := score(floats[task])) is not None}
    rows = []
    for transform, records in by_transform.items():
        scores = {task: value for task in tasks if task in records and (value := score(records[task])) is not None}
        stored = None if dimensions is None else stored_bytes(transform, dimensions)
        common_mean = _mean(scores, common)
        float_mean = _mean(of_floats, common)
        recalls = [recall for task in scores if (recall := _recall(records[task])) is not None]
        rows.append(
            CompressedRow(
                transform=transform,
                dimensions=transform.dims or dimensions,
                bytes_per_document=None if stored is None else stored.total,
                bytes_searched=None if stored is None else stored.searched,
                scores=scores,
                by_type={
                    name: _mean(scores, [task for task in tasks if types[task] == name]) for name in types.values()
                },
                mean=_mean(scores, tasks),
                common_mean=common_mean,
                kept=common_mean / float_mean if common_mean is not None and float_mean else None,
                float_recall=fmean(recalls) if recalls else None,
            )
        )
    formats = (None, "int8", "binary")
    rows.sort(
        key=lambda row: (
            -(row.dimensions or 0),
            row.transform.dims is not None,
            formats.index(row.transform.quantize),
            row.transform.rescore,
        )
    )
    order = (*(name for name in KINDS if name in types.values()), *sorted(set(types.values()).difference(KINDS)))
    return ModelCompression(subject=subject, tasks=tuple(tasks), common=common, types=order, rows=tuple(rows))


def _mean(scores: Mapping[str, float], tasks: Collection[str]) -> float | None:
    return fmean(scores[task] for task in tasks) if tasks and all(task in scores for task in tasks) else None


def _type(task: str, records: Iterable[Mapping[str, Record]]) -> str:
    return next(
        (str(by_task[task].harness["task_type"]) for by_task in records if "task_type" in _harness(by_task, task)),
        "Unknown",
    )


def _harness(by_task: Mapping[str, Record], task: str) -> Mapping[str, Any]:
    return by_task[task].harness if task in by_task else {}


def _dimensions(record: Record) -> int | None:
    """Of the model's vectors before they are compressed."""
    parts, encoder = record.harness.get("parts"), record.harness.get("encoder")
    listed: Sequence[Any] = list(parts.values()) if isinstance(parts, Mapping) else []
    facts = [part["compression"] for part in listed if isinstance(part, Mapping) and "compression" in part]
    for place in (*facts, encoder):
        value = place.get("dimensions") if isinstance(place, Mapping) else None
        if isinstance(value, int) and value > 0:
            return value
    return None


def _recall(record: Record) -> float | None:
    values = [entry.get(RECALL) for entry in record.parts.values()]
    numbers = [value for value in values if isinstance(value, int | float)]
    return fmean(numbers) if numbers and len(numbers) == len(values) else None
