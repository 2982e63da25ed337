"""Reads and writes records: put, get and scan a results folder. No other module writes records.

A record is one JSON file in mteb's schema and layout (see `json_format` and `paths`), with the model's
`model_meta.json` and the record's items beside it. Writes are atomic and locked: a killed run leaves the old file or
the new one, and two runs can fill one record. Files written by other programs are read too. A file that cannot be read
is reported, never skipped.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from harness.errors import RecordError
from harness.files import atomic
from harness.files.disk_errors import on_disk
from harness.files.locks import locked
from harness.files.reading import MAX_BYTES, check_inside, read_text
from harness.results.folder_walk import refused, walk
from harness.results.json_format import parse, to_json
from harness.results.json_values import load_object
from harness.results.model_meta import meta_json
from harness.results.paths import META, Identity, identity_of, record_path, variant_kwargs, variant_text
from harness.results.recorded_models import revisions_in
from harness.types import Part, Record, Refused

if TYPE_CHECKING:
    from harness.evaluators.items import Items

__all__ = ["check_writable", "from_json", "get", "main_score", "merged", "put", "scan", "to_json"]

_T = TypeVar("_T")
_Metas: TypeAlias = "dict[Path, Mapping[str, Any] | None]"


def main_score(record: Record, parts: Iterable[Part] | None = None) -> float | None:
    """The mean of the main scores over `parts`, by default all; None if a score is missing or None, or there are none.

    This is mteb's task score: every (split, subset) has the same weight.
    """
    entries = record.parts
    values = [entries.get(part, {}).get("main_score") for part in (entries if parts is None else parts)]
    scores = [float(value) for value in values if value is not None]
    return math.fsum(scores) / len(scores) if scores and len(scores) == len(values) else None


# --- reading -------------------------------------------------------------------------------------------------------


def from_json(text: str, *, path: str | Path) -> Record:
    """The record in a file's text. Model and revision come from the `model_meta.json` beside it, else from the path.

    Reads every file of mteb's public results repository, old formats included; see `json_format`.

    Raises:
        RecordError: The file is not a result file; the message says why.
    """
    with on_disk(Path(path), "read"):
        return _parse(text, Path(path), {})


def get(folder: Path | str, *, model: str, revision: str, task: str, variant: str = "") -> Record | None:
    """The record of one task of one model; None where there is none.

    Raises:
        RecordError: The file is broken or cannot be read, a name cannot be part of a path, or the file or its
            `model_meta.json` names another model, revision, variant or task.
    """
    root, wanted = Path(folder), _identity(model, revision, variant)
    path = record_path(root, wanted, task)
    with on_disk(path, "read"):
        check_inside(path, root)
        _check_owner(_meta_beside(path), path, wanted)
        record = _record_at(path)
    if record is not None and record.task != task:
        raise RecordError(f"{path}: holds {record.task!r}, expected {task!r}; move the file or delete it")
    return record


def scan(folder: Path | str) -> Iterator[Record | Refused]:
    """Every `*.json` under the results folder, sorted by path: a record, or a refusal with its reason.

    `model_meta.json` and files that are not `*.json` are skipped. A bad file does not end the scan.

    Raises:
        RecordError: The folder does not exist.
    """
    root = Path(folder)
    files: list[tuple[Path, Refused | None]] = []
    for entry in walk(root):
        if isinstance(entry, Refused):
            files.append((Path(entry.path), entry))
        else:
            files += [(root / entry.path / name, None) for name in entry.files]
    metas: _Metas = {}
    for path, refusal in sorted(files, key=lambda file: file[0].parts):
        yield refusal or _record_or_refused(path, metas)


def _record_or_refused(path: Path, metas: _Metas) -> Record | Refused:
    try:
        with on_disk(path, "read"):
            return _parse(read_text(path), path, metas)
    except RecordError as err:
        return refused(path, str(err))


def _parse(text: str, path: Path, metas: _Metas) -> Record:
    if len(text) > MAX_BYTES:
        raise RecordError(f"{path}: {len(text)} characters, more than {MAX_BYTES}: not a result file")
    if path.parent not in metas:
        metas[path.parent] = _meta_beside(path)
    return parse(text, path=str(path), identity=identity_of(path, metas[path.parent]))


def _record_at(path: Path) -> Record | None:
    return _parse(read_text(path), path, {}) if path.exists() else None


def _meta_beside(path: Path) -> dict[str, Any] | None:
    meta = path.parent / META
    return load_object(read_text(meta), path=str(meta)) if meta.exists() else None


def _identity(model: str, revision: str, variant: str) -> Identity:
    return Identity(model, revision, variant_text(variant_kwargs(variant)))


def _check_owner(meta: Mapping[str, Any] | None, path: Path, wanted: Identity) -> None:
    """Refuse the folder of another model: two names can lead to one folder (`a b`, `a_b`); the first one keeps it."""
    named = {key: value for key, value in (meta or {}).items() if value is not None}
    owner = identity_of(path, {"name": wanted.model, "revision": wanted.revision, **named}) if meta else wanted
    if owner != wanted:
        raise RecordError(f"{path.parent / META}: the folder belongs to {owner}, expected {wanted}; rename one of them")


def _check_place(record: Record, path: Path, root: Path) -> None:
    """Refuse the first record of a folder under a name that another folder got meanwhile, by another run."""
    facts = record.harness.get("model")
    if not isinstance(facts, Mapping) or path.exists():
        return
    place = facts.get("place")
    if place is None or facts.get("name_given"):
        return
    home = root / path.relative_to(root).parts[0]
    if any(model.place not in ("", place) and not model.name_given for model in revisions_in(home)):
        raise RecordError(f"{home}: another folder got the name {record.model} meanwhile; run this one again")


# --- writing -------------------------------------------------------------------------------------------------------


def put(
    folder: Path | str,
    record: Record,
    *,
    model_meta: Mapping[str, Any],
    items: Mapping[Part, Items] | None = None,
) -> Record:
    """Write a record, its items and its `model_meta.json`. Each file is replaced as a whole.

    The items are written first, so that every part in a record has its items.

    An existing record of the same fingerprint is merged with the new one: its parts stay unless the new record has them
    too; `kg_co2_emissions` add up, and so does `evaluation_time` unless `harness.parts` tells it; in `harness`, values
    that are mappings keyed by part (`{"test": ..., "test/de": ...}`) are merged by part; every other value is the new
    record's. Any other existing file (of another fingerprint or program, or broken) is replaced.

    Args:
        folder: The results folder; made if absent.
        record: What to write. `path` is ignored.
        model_meta: mteb's ModelMeta as a mapping (`ModelMeta.to_dict()`), or any part of it; name, revision and variant
            are taken from the record.
        items: The items of the record's parts; a record with items needs a fingerprint.

    Returns:
        The merged record.

    Raises:
        RecordError: The record cannot be written as JSON, a name cannot be part of a path, the folder belongs to
            another model, or a file cannot be written. An existing record is then unchanged.
    """
    root, owner = Path(folder), _identity(record.model, record.revision, record.variant)
    path = record_path(root, owner, record.task)
    meta = meta_json(model_meta, owner)
    text = to_json(record)  # refuses a bad record before anything is written
    with on_disk(path, "written"), locked(root):
        check_inside(path, root)
        _check_owner(_unless_broken(_meta_beside, path), path, owner)
        _check_place(record, path, root)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_if_different(path.parent / META, meta)
        old = _unless_broken(_record_at, path)
        if old is not None and old.fingerprint is not None and old.fingerprint == record.fingerprint:
            text = to_json(merged(old, record))
        if items:
            from harness.results.items import write

            write(path, record, items)
        atomic.write(path, text)
    return parse(text, path=str(path), identity=owner)


def check_writable(folder: Path | str) -> None:
    """Make the results folder if absent and try to write there, before cells are computed for hours.

    Raises:
        RecordError: The folder cannot be made or written; the message says what to do.
    """
    root = Path(folder)
    with on_disk(root, "written"), locked(root):
        atomic.write(root / ".harness.probe", "")
        (root / ".harness.probe").unlink()


def merged(*records: Record) -> Record:
    """Records of the same fingerprint, the oldest first, as one record, as `put` merges them."""
    new = records[-1]
    by_part = {part: entry for record in records for part, entry in record.parts.items()}
    scores: dict[str, list[Mapping[str, Any]]] = {}
    for part, entry in by_part.items():
        scores.setdefault(part.split, []).append(entry)
    names = {str(part) for part in by_part}
    harness = {key: _merged_by_part([record.harness.get(key) for record in records], names) for key in new.harness}
    return dataclasses.replace(
        new,
        scores=scores,
        evaluation_time=_seconds(harness) or _total(record.evaluation_time for record in records),
        kg_co2_emissions=_total(record.kg_co2_emissions for record in records),
        harness=harness,
    )


def _seconds(harness: Mapping[str, Any]) -> float | None:
    """The time of all parts if `harness.parts` tells it, so that a part computed twice counts once; else None."""
    try:
        return float(sum(sum(part["seconds"].values()) for part in harness["parts"].values()))
    except (KeyError, TypeError, AttributeError):
        return None


def _merged_by_part(values: Sequence[Any], names: set[str]) -> Any:
    """The last value; where it is keyed by part, with the parts of those before it that are so too."""
    keyed = list(
        itertools.takewhile(lambda value: isinstance(value, Mapping) and names.issuperset(value), values[::-1])
    )
    return {part: of_part for value in keyed[::-1] for part, of_part in value.items()} if keyed else values[-1]


def _total(numbers: Iterable[float | None]) -> float | None:
    recorded = [number for number in numbers if number is not None]
    return sum(recorded) if recorded else None


def _unless_broken(read: Callable[[Path], _T | None], path: Path) -> _T | None:
    """What `read` returns; None for a broken file, which may be replaced. Errors of the disk are raised."""
    try:
        return read(path)
    except RecordError:
        return None
