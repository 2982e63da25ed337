"""Records on disk: put, get and scan a results folder. The only module that writes there.

A record is one JSON file in mteb's schema and layout (see `json_format` and `paths`), with the model's
`model_meta.json` and the items of the record beside it. Writing is atomic and locked, so that a killed run leaves the
old file or the new one and two runs can fill one record. Files written by others are read too, and whatever cannot be
read is reported, never skipped.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from harness.errors import RecordError
from harness.files import atomic
from harness.files.disk_errors import on_disk
from harness.files.locks import locked
from harness.files.reading import MAX_BYTES, check_inside, read_text
from harness.results.folder_walk import refused, walk
from harness.results.json_format import load_object, parse, to_json
from harness.results.model_meta import meta_json
from harness.results.paths import META, Identity, identity_of, record_path, variant_kwargs, variant_text
from harness.types import Part, Record, Refused

if TYPE_CHECKING:
    from harness.evaluators.items import Items

__all__ = ["check_writable", "from_json", "get", "main_score", "put", "scan", "to_json"]

_T = TypeVar("_T")
_Metas: TypeAlias = "dict[Path, Mapping[str, Any] | None]"


def main_score(record: Record, parts: Iterable[Part] | None = None) -> float | None:
    """The mean of the main scores over `parts` (all, unless given); None if one is missing or None, or none are asked.

    This is mteb's task score: every (split, subset) counts the same.
    """
    entries = record.parts
    values = [entries.get(part, {}).get("main_score") for part in (entries if parts is None else parts)]
    scores = [float(value) for value in values if value is not None]
    return math.fsum(scores) / len(scores) if scores and len(scores) == len(values) else None


# --- reading -------------------------------------------------------------------------------------------------------


def from_json(text: str, *, path: str | Path) -> Record:
    """The record in a file's text. Model and revision come from the path, unless a `model_meta.json` beside it says.

    Reads everything in mteb's public results repository, whatever its age; see `json_format` for what is made uniform.

    Raises:
        RecordError: Not a result file; the message holds the path, what was found and what was expected.
    """
    with on_disk(Path(path), "read"):
        return _parse(text, Path(path), {})


def get(folder: Path | str, *, model: str, revision: str, task: str, variant: str = "") -> Record | None:
    """The record of one task of one model; None when there is none.

    Raises:
        RecordError: The file is broken or cannot be read, a name cannot be part of a path, or the file or its
            `model_meta.json` says that it belongs to another model, revision, variant or task.
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

    Only `model_meta.json` and files that are not `*.json` are left out without a word. One bad file ends no scan.

    Raises:
        RecordError: There is no such folder.
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
    """Two names can share one folder (`a b` and `a_b`); the first one keeps it."""
    named = {key: value for key, value in (meta or {}).items() if value is not None}
    owner = identity_of(path, {"name": wanted.model, "revision": wanted.revision, **named}) if meta else wanted
    if owner != wanted:
        raise RecordError(f"{path.parent / META}: the folder belongs to {owner}, expected {wanted}; rename one of them")


# --- writing -------------------------------------------------------------------------------------------------------


def put(
    folder: Path | str,
    record: Record,
    *,
    model_meta: Mapping[str, Any],
    items: Mapping[Part, Items] | None = None,
) -> Record:
    """Write a record, its items and its `model_meta.json`; each file is at every moment the old one or the new one.

    The items are written first, so that whoever finds a part in a record finds its items too.

    A record of the same fingerprint that is already there is merged: its parts stay unless the new record has them too,
    `evaluation_time` (unless `harness.parts` tells it) and `kg_co2_emissions` add up; in `harness` those values that
    are mappings keyed by part (`{"test": ..., "test/de": ...}`) are merged by part; every other value is the new
    record's. Anything else that is there (another fingerprint, somebody else's file, a broken file) is replaced.

    Args:
        folder: The results folder; made if absent.
        record: What to write. `path` is ignored.
        model_meta: mteb's ModelMeta as a mapping (`ModelMeta.to_dict()`), or any part of it; name, revision and variant
            are the record's.
        items: Of the record's parts; a record with items has a fingerprint.

    Returns:
        The record as it lies on disk, merged.

    Raises:
        RecordError: The record cannot be written as JSON, a name cannot be part of a path, the folder belongs to
            another model, or the disk refuses. Then the record that was there before is still there.
    """
    root, owner = Path(folder), _identity(record.model, record.revision, record.variant)
    path = record_path(root, owner, record.task)
    meta = meta_json(model_meta, owner)
    to_json(record)  # refuses a bad record before anything is made
    with on_disk(path, "written"), locked(root):
        check_inside(path, root)
        _check_owner(_unless_broken(_meta_beside, path), path, owner)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_if_different(path.parent / META, meta)
        old = _unless_broken(_record_at, path)
        same = old is not None and old.fingerprint is not None and old.fingerprint == record.fingerprint
        text = to_json(_merged(old, record) if old is not None and same else record)
        if items:
            from harness.results.items import write

            write(path, record, items)
        atomic.write(path, text)
    return parse(text, path=str(path), identity=owner)


def check_writable(folder: Path | str) -> None:
    """Make the results folder if absent and try to write there, before hours of work depend on it.

    Raises:
        RecordError: It cannot be made or written; the message says what to do.
    """
    root = Path(folder)
    with on_disk(root, "written"), locked(root):
        atomic.write(root / ".harness.probe", "")
        (root / ".harness.probe").unlink()


def _merged(old: Record, new: Record) -> Record:
    by_part = {**old.parts, **new.parts}
    scores: dict[str, list[Mapping[str, Any]]] = {}
    for part, entry in by_part.items():
        scores.setdefault(part.split, []).append(entry)
    names = {str(part) for part in by_part}
    harness = {key: _merged_by_part(old.harness.get(key), value, names) for key, value in new.harness.items()}
    return dataclasses.replace(
        new,
        scores=scores,
        evaluation_time=_seconds(harness) or _total(old.evaluation_time, new.evaluation_time),
        kg_co2_emissions=_total(old.kg_co2_emissions, new.kg_co2_emissions),
        harness=harness,
    )


def _seconds(harness: Mapping[str, Any]) -> float | None:
    """The time of all parts where `harness.parts` tells it, so that a part computed twice counts once."""
    try:
        return float(sum(sum(part["seconds"].values()) for part in harness["parts"].values()))
    except (KeyError, TypeError, AttributeError):
        return None


def _merged_by_part(old: Any, new: Any, names: set[str]) -> Any:
    if isinstance(old, Mapping) and isinstance(new, Mapping) and names.issuperset([*old, *new]):
        return {**old, **new}
    return new


def _total(old: float | None, new: float | None) -> float | None:
    recorded = [seconds for seconds in (old, new) if seconds is not None]
    return sum(recorded) if recorded else None


def _unless_broken(read: Callable[[Path], _T | None], path: Path) -> _T | None:
    """What is there, or None where its content is broken and may be replaced. A disk that fails is another matter."""
    try:
        return read(path)
    except RecordError:
        return None
