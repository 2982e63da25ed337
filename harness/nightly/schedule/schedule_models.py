"""The schedule's models: names, globs and collections -> ModelSpecs, each under the name that reports use.

A night must find out fast that nothing has changed. The weights of a folder are digested only when its files have
changed by size, time or inode; models of the hub are asked for side by side.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from harness import models
from harness.errors import HarnessError, ModelError
from harness.files import kept
from harness.files.file_trees import files_below
from harness.files.folders import cache_folder, expanded
from harness.models.asked_settings import require_honoured
from harness.models.model_prompts import asked_of
from harness.nightly.schedule.schedule_contents import ModelEntry, Schedule
from harness.runner import model_names
from harness.types import FirstStage, ModelSpec

_AT_ONCE = 8
_RACY_NS = 2_000_000_000
"""Files younger than this may change again within one tick of the clock: their digest is not kept."""
_FORMAT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledModel:
    """One model of a night.

    Attributes:
        label: the recorded name; the name in the schedule where two models are recorded under one.
        model: None where it could not be resolved.
        problem: why.
    """

    label: str
    entry: ModelEntry
    model: ModelSpec | None
    problem: str = ""


def resolve(schedule: Schedule) -> tuple[ScheduledModel, ...]:
    """Every model of the schedule, baselines last. One that cannot be resolved has a `problem`."""
    folders = _Folders()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        named = pool.map(lambda entry: _named(entry, schedule), schedule.models)
        distinct = _distinct(chain.from_iterable(named))
        resolved = list(pool.map(lambda model: _resolved(model, folders, schedule.file.parent), distinct))
    folders.save()
    return tuple(_labelled(_in_records(resolved, schedule.results)))


def saved_models(pattern: str, folder: Path) -> list[Path]:
    """The folders of saved models that fit a glob, in the order of their names; numbers count as numbers.

    Args:
        pattern: relative to `folder`, or absolute.
        folder: of the schedule.
    """
    path = expanded(pattern)
    root, below = (Path(path.anchor), path.relative_to(path.anchor)) if path.is_absolute() else (folder, path)
    return sorted((place for place in root.glob(str(below)) if models.is_saved(place)), key=_natural)


def _natural(path: Path) -> list[tuple[int, int | str]]:
    pieces: list[str] = []
    for character in str(path):
        if pieces and pieces[-1][-1].isdigit() == character.isdigit():
            pieces[-1] += character
        else:
            pieces.append(character)
    return [(0, int(piece)) if piece.isdecimal() else (1, piece) for piece in pieces]


def _named(entry: ModelEntry, schedule: Schedule) -> list[ScheduledModel]:
    """The model of an entry, or every model of its glob or collection."""
    folder = schedule.file.parent
    try:
        if entry.glob:
            names = [str(place) for place in saved_models(entry.glob, folder)]
            if not names:
                raise ModelError(f"models: no saved model fits the glob {entry.glob!r} in {folder}")
        elif entry.collection:
            from harness.hub.model_lookup import collection_models

            names = list(collection_models(entry.collection))
            if not names:
                raise ModelError(f"models: the collection {entry.collection!r} holds no model")
        else:
            names = [_beside(entry.name, folder)]
    except (HarnessError, OSError) as err:
        return [ScheduledModel(label=entry.asked, entry=entry, model=None, problem=str(err))]
    return [ScheduledModel(label=name, entry=entry, model=None) for name in names]


def _beside(name: str, folder: Path) -> str:
    """The name of a model; of one in a folder, which may be relative to the schedule's folder, the whole path."""
    saved = (folder / expanded(name)).resolve()
    return str(saved) if name.startswith((".", "~")) or models.is_saved(saved) else name


def _distinct(named: Iterable[ScheduledModel]) -> list[ScheduledModel]:
    """The first entry of each name and way to run it: a baseline that is also listed as a model counts once."""
    by_name: dict[tuple[object, ...], ScheduledModel] = {}
    for model in named:
        entry = model.entry
        way = (entry.backend, entry.backend_file, entry.first_stage, entry.top, entry.like)
        by_name.setdefault((model.label, *way), model)
    return list(by_name.values())


def _resolved(named: ScheduledModel, folders: _Folders, folder: Path) -> ScheduledModel:
    if named.problem:
        return named
    entry = named.entry
    try:
        spec = folders.get(named.label, entry)
        if spec is None:
            spec = models.resolve(
                named.label,
                trust_remote_code=entry.trust_remote_code,
                allow_pickle=entry.allow_pickle,
                backend=entry.backend,
                backend_file=entry.backend_file,
            )
            folders.keep(named.label, entry, spec)
        require_honoured(
            spec,
            {
                "trust_remote_code": entry.trust_remote_code or None,
                "allow_pickle": entry.allow_pickle or None,
                "like": entry.like,
            },
        )
        spec = asked_of(spec, prompts=None, like=entry.like)
        if entry.first_stage is not None:
            first = models.resolve(
                _beside(entry.first_stage, folder),
                trust_remote_code=entry.trust_remote_code,
                allow_pickle=entry.allow_pickle,
            )
            spec = models.in_two_stages(spec, FirstStage(first, entry.top or models.TOP))
    except (HarnessError, OSError) as err:
        return dataclasses.replace(named, problem=str(err))
    return dataclasses.replace(named, model=spec)


def _in_records(resolved: Sequence[ScheduledModel], results: Path) -> list[ScheduledModel]:
    """The models under the names that records have for them, or will."""
    checked = [_with_its_name(scheduled, results) for scheduled in resolved]
    specs = [scheduled.model for scheduled in checked if scheduled.model]
    specs += [spec.first_stage.model for spec in specs if spec.first_stage]
    by_revision = {(spec.location, spec.revision): spec for spec in model_names.named(specs, results=results)}
    return [
        dataclasses.replace(scheduled, model=scheduled.model and _named_as(scheduled.model, by_revision))
        for scheduled in checked
    ]


def _named_as(model: ModelSpec, by_revision: Mapping[tuple[str, str], ModelSpec]) -> ModelSpec:
    """The model, and its first stage, under the names that the same folders have."""
    if model.first_stage is not None:
        stage = model.first_stage._replace(model=_named_as(model.first_stage.model, by_revision))
        model = dataclasses.replace(model, first_stage=stage)
    if model.origin != "folder":
        return model
    same = by_revision[model.location, model.revision]
    return dataclasses.replace(model, name=same.name, place=same.place, note=same.note)


def _with_its_name(scheduled: ScheduledModel, results: Path) -> ScheduledModel:
    """The model under the label of its entry, where it has one; with a problem where it cannot have its name."""
    if scheduled.model is None:
        return scheduled
    try:
        model_names.require_own_name(scheduled.model, results=results)
        if scheduled.entry.label:
            model = model_names.with_name(scheduled.model, scheduled.entry.label, results=results)
            return dataclasses.replace(scheduled, model=model)
    except HarnessError as err:
        return dataclasses.replace(scheduled, model=None, problem=str(err))
    return scheduled


def _labelled(resolved: Sequence[ScheduledModel]) -> list[ScheduledModel]:
    names = Counter(name for name, _ in {(each.model.name, each.model.revision) for each in resolved if each.model})
    return [
        dataclasses.replace(scheduled, label=scheduled.model.name)
        if scheduled.model and names[scheduled.model.name] == 1
        else scheduled
        for scheduled in resolved
    ]


# --- digests of folders ----------------------------------------------------------------------------------------------


class _Digested(msgspec.Struct, frozen=True):
    files: list[tuple[str, int, int, int]]
    model: dict[str, Any]


class _Kept(msgspec.Struct):
    format: int = _FORMAT
    folders: dict[str, _Digested] = {}


class _Folders:
    """What the folders of saved models were when they were last digested; in the cache folder, safe to delete."""

    def __init__(self) -> None:
        self._file = cache_folder() / "nightly" / "folders.json"
        self._changed = False
        self._kept = _Kept()
        content = kept.read(self._file)
        if content is not None:
            with contextlib.suppress(msgspec.DecodeError):  # of another version
                self._kept = msgspec.json.decode(content, type=_Kept)
        if self._kept.format != _FORMAT:
            self._kept = _Kept()

    def get(self, name: str, entry: ModelEntry) -> ModelSpec | None:
        """The model in the folder `name`; None where one of its files has changed."""
        digested = self._kept.folders.get(self._key(name, entry))
        if digested is None or digested.files != _files(Path(name)):
            return None
        return ModelSpec(**digested.model)

    def keep(self, name: str, entry: ModelEntry, model: ModelSpec) -> None:
        """Keep the model in the folder `name`, with the state of its files."""
        if (
            model.origin != "folder" or model.dependencies or model.backend_file is not None
        ):  # other repositories change without the folder
            return
        files = _files(Path(name))
        if files and max(file[2] for file in files) < time.time_ns() - _RACY_NS:
            content = dataclasses.asdict(model)
            del content["dependencies"]
            self._kept.folders[self._key(name, entry)] = _Digested(files, content)
            self._changed = True

    def save(self) -> None:
        """Write the digests for the next night."""
        if self._changed:
            kept.write(self._file, msgspec.json.encode(self._kept))

    @staticmethod
    def _key(name: str, entry: ModelEntry) -> str:
        return f"{name}\0{entry.trust_remote_code}\0{entry.allow_pickle}\0{entry.backend}\0{entry.backend_file}"


def _files(folder: Path) -> list[tuple[str, int, int, int]]:
    """Name, size, time and inode of every file that a folder's digest can depend on."""
    files = []
    with contextlib.suppress(OSError):
        for path in files_below(folder):
            stat = path.stat()
            files.append((str(path.relative_to(folder)), stat.st_size, stat.st_mtime_ns, stat.st_ino))
    return files
