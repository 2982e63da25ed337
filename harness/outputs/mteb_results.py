"""Records as a folder for mteb's public results repository (pure): files without what is this package's own.

The layout is `results/<org>__<model>/<revision>/<Task>.json` with `model_meta.json` beside it. Only plain records go
there: the repository has no place for variants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from harness.results.json_format import to_json
from harness.results.paths import Identity, record_path
from harness.tasks import mteb_metadata
from harness.types import Record
from harness.types.counted import listed


class PullRequest(NamedTuple):
    """The files of a pull request.

    Attributes:
        files: path below the folder -> text.
        notes: what the repository would not take, or what readers should know -> the records.
    """

    files: Mapping[str, str]
    notes: Mapping[str, tuple[str, ...]]


def render(records: Iterable[Record], metas: Mapping[tuple[str, str], str]) -> PullRequest:
    """The folder for a pull request.

    Args:
        records: Of any models.
        metas: (model, revision) -> the text of its `model_meta.json`.
    """
    files: dict[str, str] = {}
    notes: dict[str, list[str]] = {}
    for record in records:
        label = f"{record.task} of {record.model}"
        if record.variant:
            notes.setdefault(f"left out, the variant {record.variant}", []).append(label)
            continue
        place = record_path(Path("results"), Identity(record.model, record.revision), record.task)
        files[place.as_posix()] = to_json(replace(record, harness={}))
        meta = metas.get((record.model, record.revision))
        if meta is not None:
            files[(place.parent / "model_meta.json").as_posix()] = meta
        for note in _notes(record):
            notes.setdefault(note, []).append(label)
    return PullRequest(files, {note: tuple(labels) for note, labels in notes.items()})


def _notes(record: Record) -> list[str]:
    notes = []
    origin = record.harness.get("model", {}).get("origin") if record.harness else "hub"
    if origin not in ("hub", "endpoint"):
        notes.append(f"the model is not on the hub (its origin is {origin}); the repository takes public models")
    task = mteb_metadata.get(record.task)
    if task is None:
        notes.append("not a task of mteb; the repository takes mteb's tasks")
    elif task.revision is not None and record.dataset_revision != task.revision:
        notes.append(
            f"measured on data at {record.dataset_revision[:12]}, mteb's is {task.revision[:12]}; "
            "`harness run --mirror` measures on mteb's"
        )
    elif missing := [str(part) for part in task.parts if part not in record.parts]:
        notes.append(f"lacks {listed(missing)}; mteb's own runs have every part")
    return notes
