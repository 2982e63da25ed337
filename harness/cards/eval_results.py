"""Writing records as `.eval_results/<Task>.yaml`, the hub's newer place for scores in a model's repository.

Each part has an entry `{Task}_{subset}_{split}`, as mteb 2.26 names the tasks of its data sets. If every part of the
task is recorded, an entry `{Task}` holds their mean. Values are main scores times 100. A file's entries of other tasks
are kept. The files are written with huggingface_hub's classes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from harness import results
from harness.cards import model_index
from harness.cards.card_writing import CardOptions
from harness.cards.metric_names import percent_text
from harness.cards.model_index import LeftOut
from harness.cards.model_records import chosen_parts, narrowed, records_of
from harness.cards.new_card import PROJECT
from harness.cards.task_lookup import facts_of
from harness.errors import CardError, RecordError, UnknownName
from harness.files import atomic
from harness.files.disk_errors import on_disk
from harness.files.reading import check_inside
from harness.results.json_format import NO_REVISION
from harness.tasks.registry import Registry
from harness.tasks.task_file import SAFE_NAME
from harness.types import Part, Record, TaskSpec

FOLDER = ".eval_results"
DIGITS = 5
"""Decimals of a value, as mteb rounds them."""


def files(
    model: str, options: CardOptions, *, existing: Mapping[str, bytes] | None = None
) -> tuple[dict[str, bytes], list[LeftOut]]:
    """The files for a model's records, by path in its repository, and the tasks that were left out.

    Args:
        model: the recorded model.
        options: which records; `digits` defaults to 5, `metrics` and `names` are ignored.
        existing: the files that the repository has, by path; their entries of other tasks are kept.

    Raises:
        UnknownName: the model is not recorded, or none of its records can be written.
        CardError: an existing file cannot be parsed.
    """
    registry = options.registry
    recorded = records_of(Path(options.results), model)
    parts = chosen_parts(registry, options.tasks, options.suite, recorded.records)
    contents: dict[str, bytes] = {}
    left_out: list[LeftOut] = []
    for record in narrowed(recorded.records, parts):
        path = f"{FOLDER}/{record.task}.yaml"
        try:
            entries = _entries(record, registry, parts=parts[record.task] if parts else None, digits=options.digits)
            contents[path] = _text(entries, (existing or {}).get(path), path).encode()
        except _NotPublishableError as err:
            left_out.append(LeftOut(record.task, str(err)))
    if not contents:
        reasons = "; ".join(f"{task}: {reason}" for task, reason in left_out[:3])
        raise UnknownName(f"no record of {model} can be an evaluation result ({reasons or 'no record matches'})")
    return contents, left_out


def write(model: str, folder: str | os.PathLike[str], *, options: CardOptions) -> tuple[list[Path], list[LeftOut]]:
    """Write the files into `folder`, a clone of the model's repository; the changed files, and the tasks left out.

    Raises:
        HarnessError: as in `files`, or the folder does not exist or cannot be written.
    """
    root = Path(folder)
    if not root.is_dir():
        raise CardError(f"{root}: no such folder; expected a clone of the model's repository")
    try:
        existing = {str(path.relative_to(root)): path.read_bytes() for path in sorted((root / FOLDER).glob("*.yaml"))}
    except OSError as err:
        raise CardError(f"{root / FOLDER}: cannot be read: {err.strerror or err}") from err
    contents, left_out = files(model, options, existing=existing)
    changed = [name for name, content in contents.items() if existing.get(name) != content]
    for name in changed:
        path = root / name
        with on_disk(path, "written"):
            path.parent.mkdir(exist_ok=True)
            check_inside(path, root)
            if path.is_symlink():
                raise RecordError(f"{path}: is a symbolic link; replace it by the file that it points to")
            atomic.write(path, contents[name], locked=False)
    return [root / name for name in changed], left_out


class _NotPublishableError(Exception):
    """The reason why a record cannot be an evaluation result."""


def _entries(record: Record, registry: Registry, *, parts: Sequence[Part] | None, digits: int | None) -> list[Any]:
    from huggingface_hub import EvalResultEntry

    facts = facts_of(record.task, registry)
    source = record.harness.get("source")
    if not isinstance(source, Mapping):
        source = {"kind": facts.source.kind} if isinstance(facts, TaskSpec) else {}
    if source.get("kind") == "local":
        raise _NotPublishableError("its data is not on the hub")
    if not SAFE_NAME.fullmatch(record.task):
        raise _NotPublishableError("its name is not valid as a file name")
    try:
        dataset = model_index.dataset_of(record, facts)
    except CardError as err:
        raise _NotPublishableError(str(err)) from err
    common: dict[str, Any] = {
        "dataset_id": dataset,
        "dataset_revision": None if record.dataset_revision == NO_REVISION else record.dataset_revision,
        "date": None if record.date is None else _date(record.date),
        "notes": f"Measured with {PROJECT}" if record.fingerprint else None,
    }
    recorded = {part: entry for part, entry in record.parts.items() if entry.get("main_score") is not None}
    published = {part: recorded[part] for part in parts or recorded if part in recorded}
    entries = [
        EvalResultEntry(
            task_id=f"{record.task}_{part.subset}_{part.split}", value=_value(entry["main_score"], digits), **common
        )
        for part, entry in sorted(published.items())
    ]
    if not entries:
        raise _NotPublishableError("it has no main score of the requested parts")
    whole = facts.parts if facts is not None else ()
    mean = results.main_score(record, whole) if whole else None
    if mean is not None and set(whole) <= set(published):
        entries.append(EvalResultEntry(task_id=record.task, value=_value(mean, digits), **common))
    return entries


def _value(score: float, digits: int | None) -> float:
    return float(percent_text(score, DIGITS if digits is None else digits))


def _date(seconds: float) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if math.isfinite(seconds) else None


def _text(entries: Sequence[Any], old: bytes | None, path: str) -> str:
    """The file's text: old entries that are equal or of other tasks stay as huggingface_hub reads them."""
    from huggingface_hub import eval_result_entries_to_yaml, parse_eval_result_entries

    written = eval_result_entries_to_yaml(list(entries))
    if old is not None:
        try:
            listed = eval_result_entries_to_yaml(parse_eval_result_entries(yaml.safe_load(old) or []))
        except (yaml.YAMLError, UnicodeError, KeyError, TypeError, AttributeError, ValueError) as err:
            raise CardError(f"{path}: not a list of evaluation results ({err}); correct it or move it away") from err
        listed_by_id = {_identity(entry): entry for entry in listed}
        written = [_kept(entry, listed_by_id.get(_identity(entry))) for entry in written]
        written_ids = {_identity(entry) for entry in written}
        written = [*(entry for entry in listed if _identity(entry) not in written_ids), *written]
    return str(yaml.safe_dump(written, sort_keys=False, allow_unicode=True))


def _identity(entry: Mapping[str, Any]) -> tuple[Any, Any]:
    return entry["dataset"]["id"], entry["dataset"]["task_id"]


def _kept(new: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
    """The old entry if its value and data are the same, since it may also hold a token, a source or notes."""
    same = old is not None and (old["value"], old["dataset"]) == (new["value"], new["dataset"])
    return old if same and old is not None else new
