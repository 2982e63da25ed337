"""Records -> `.eval_results/<Task>.yaml`, the hub's newer place for scores in a model's repository.

One entry a part, named `{Task}_{subset}_{split}` as mteb 2.26 names the tasks of its data sets, and one named `{Task}`
where every part that the task has is recorded: the mean. Values are main scores times 100. Entries of other tasks that
a file holds stay; the file is written with huggingface_hub's own classes.
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
from harness.cards.card_writing import Options
from harness.cards.metric_names import percent_text
from harness.cards.model_index import LeftOut
from harness.cards.model_records import chosen_parts, narrowed, records_of
from harness.cards.new_card import PROJECT
from harness.errors import CardError, RecordError, UnknownName
from harness.files import atomic
from harness.files.disk_errors import on_disk
from harness.files.reading import check_inside
from harness.tasks.registry import Registry
from harness.tasks.task_file import SAFE_NAME
from harness.types import Part, Record

FOLDER = ".eval_results"
DIGITS = 5
"""As mteb rounds them."""


def files(
    model: str, options: Options, *, there: Mapping[str, bytes] | None = None
) -> tuple[dict[str, bytes], list[LeftOut]]:
    """The files of a model's records, by path in its repository, and what was left out.

    Args:
        model: as recorded.
        options: which records; `digits` defaults to 5, `metrics` and `names` play no part.
        there: the files that the repository has, whose other entries are kept.

    Raises:
        UnknownName: nothing of the model can be written, or it is not recorded.
        CardError: a file that is there cannot be read.
    """
    known = options.known
    recorded = records_of(Path(options.results), model)
    parts = chosen_parts(known, options.tasks, options.suite, recorded.records)
    made: dict[str, bytes] = {}
    left_out: list[LeftOut] = []
    for record in narrowed(recorded.records, parts):
        path = f"{FOLDER}/{record.task}.yaml"
        try:
            entries = _entries(record, known, parts=parts[record.task] if parts else None, digits=options.digits)
            made[path] = _text(entries, (there or {}).get(path), path).encode()
        except _CannotStandError as err:
            left_out.append(LeftOut(record.task, str(err)))
    if not made:
        reasons = "; ".join(f"{task}: {reason}" for task, reason in left_out[:3])
        raise UnknownName(f"nothing recorded for {model} can be an evaluation result ({reasons or 'no record fits'})")
    return made, left_out


def write(model: str, folder: str | os.PathLike[str], *, options: Options) -> tuple[list[Path], list[LeftOut]]:
    """Write the files into `folder`, a clone of the model's repository; those that changed, and what was left out.

    Raises:
        HarnessError: as `files`, or the folder is none, or cannot be written.
    """
    root = Path(folder)
    if not root.is_dir():
        raise CardError(f"{root}: no such folder; expected a clone of the model's repository")
    try:
        there = {str(path.relative_to(root)): path.read_bytes() for path in sorted((root / FOLDER).glob("*.yaml"))}
    except OSError as err:
        raise CardError(f"{root / FOLDER}: cannot be read: {err.strerror or err}") from err
    made, left_out = files(model, options, there=there)
    changed = [name for name, content in made.items() if there.get(name) != content]
    for name in changed:
        path = root / name
        with on_disk(path, "written"):
            path.parent.mkdir(exist_ok=True)
            check_inside(path, root)
            if path.is_symlink():
                raise RecordError(f"{path}: a symbolic link; replace it by the file that it points to")
            atomic.write(path, made[name])
    return [root / name for name in changed], left_out


class _CannotStandError(Exception):
    """Why a record has no place among the evaluation results."""


def _entries(record: Record, known: Registry, *, parts: Sequence[Part] | None, digits: int | None) -> list[Any]:
    from huggingface_hub import EvalResultEntry

    task = model_index.spec_of(record.task, known)
    source = record.harness.get("source")
    kind = source.get("kind") if isinstance(source, Mapping) else task.source.kind if task is not None else None
    if kind == "local":
        raise _CannotStandError("its data is not on the hub")
    if not SAFE_NAME.fullmatch(record.task):
        raise _CannotStandError("its name cannot be a file's")
    try:
        dataset = model_index.dataset_of(record, task)
    except CardError as err:
        raise _CannotStandError(str(err)) from err
    common: dict[str, Any] = {
        "dataset_id": dataset,
        "dataset_revision": None if record.dataset_revision == model_index.NO_REVISION else record.dataset_revision,
        "date": None if record.date is None else _date(record.date),
        "notes": f"Measured with {PROJECT}" if record.fingerprint else None,
    }
    recorded = {part: entry for part, entry in record.parts.items() if entry.get("main_score") is not None}
    found = {part: recorded[part] for part in parts or recorded if part in recorded}
    entries = [
        EvalResultEntry(
            task_id=f"{record.task}_{part.subset}_{part.split}", value=_value(entry["main_score"], digits), **common
        )
        for part, entry in sorted(found.items())
    ]
    if not entries:
        raise _CannotStandError("it has no main score of the parts that were asked for")
    mean = results.main_score(record, task.parts) if task is not None else None
    if mean is not None and set(task.parts if task else ()) <= set(found):
        entries.append(EvalResultEntry(task_id=record.task, value=_value(mean, digits), **common))
    return entries


def _value(score: float, digits: int | None) -> float:
    return float(percent_text(score, DIGITS if digits is None else digits))


def _date(seconds: float) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if math.isfinite(seconds) else None


def _text(entries: Sequence[Any], old: bytes | None, path: str) -> str:
    """The file's text: entries that are there and the same, or of other tasks, stay as huggingface_hub reads them."""
    from huggingface_hub import eval_result_entries_to_yaml, parse_eval_result_entries

    made = eval_result_entries_to_yaml(list(entries))
    if old is not None:
        try:
            listed = eval_result_entries_to_yaml(parse_eval_result_entries(yaml.safe_load(old) or []))
        except (yaml.YAMLError, UnicodeError, KeyError, TypeError, AttributeError, ValueError) as err:
            raise CardError(f"{path}: not a list of evaluation results ({err}); correct it or move it away") from err
        same = {_identity(one): one for one in listed}
        made = [_kept(one, same.get(_identity(one))) for one in made]
        ours = {_identity(one) for one in made}
        made = [*(one for one in listed if _identity(one) not in ours), *made]
    return str(yaml.safe_dump(made, sort_keys=False, allow_unicode=True))


def _identity(entry: Mapping[str, Any]) -> tuple[Any, Any]:
    return entry["dataset"]["id"], entry["dataset"]["task_id"]


def _kept(new: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
    """The old entry where it says the same about the same data: it may hold a token, a source or notes besides."""
    same = old is not None and (old["value"], old["dataset"]) == (new["value"], new["dataset"])
    return old if same and old is not None else new
