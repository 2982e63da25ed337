"""The plan's models: names, globs and collections -> ModelSpecs, each under the name that reports use.

A night must find out fast that nothing has changed. The weights of a folder are digested only when its files have
changed by size, time or inode; models of the hub are asked for side by side.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness import models
from harness.errors import HarnessError, ModelError
from harness.files.atomic import write_cache
from harness.files.folders import cache_folder
from harness.nightly.schedule.schedule_file import Plan, Wanted
from harness.types import ModelSpec

_AT_ONCE = 8
_RACY_NS = 2_000_000_000
"""Files younger than this may change again within one tick of the clock: their digest is not kept."""
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model of a night.

    Attributes:
        label: the recorded name; the name in the plan where two models are recorded under one.
        model: None where it could not be resolved.
        problem: why.
    """

    label: str
    wanted: Wanted
    model: ModelSpec | None
    problem: str = ""


def resolve(plan: Plan) -> tuple[Entry, ...]:
    """Every model of the plan, baselines last; what cannot be resolved says why and stops nobody else."""
    folders = _Folders()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        named = [one for group in pool.map(lambda wanted: _named(wanted, plan), plan.wanted) for one in group]
        found = list(pool.map(lambda entry: _resolved(entry, folders), _distinct(named)))
    folders.save()
    return tuple(_labelled(found))


def saved_models(pattern: str, folder: Path) -> list[Path]:
    """The folders of saved models that fit a glob, in the order of their names; numbers count as numbers.

    Args:
        pattern: relative to `folder`, or absolute.
        folder: of the plan.
    """
    path = Path(pattern).expanduser()
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


def _named(wanted: Wanted, plan: Plan) -> list[Entry]:
    """The entry, or one for each model that a glob or collection stands for."""
    folder = plan.file.parent
    try:
        if wanted.glob:
            names = [str(place) for place in saved_models(wanted.glob, folder)]
            if not names:
                raise ModelError(f"models: no saved model fits the glob {wanted.glob!r} in {folder}")
        elif wanted.collection:
            from harness.hub.repositories import collection_models

            names = list(collection_models(wanted.collection))
            if not names:
                raise ModelError(f"models: the collection {wanted.collection!r} holds no model")
        else:
            own = (folder / Path(wanted.name).expanduser()).resolve()
            local = wanted.name.startswith((".", "~")) or models.is_saved(own)
            names = [str(own) if local else wanted.name]
    except (HarnessError, OSError) as err:
        return [Entry(label=wanted.asked, wanted=wanted, model=None, problem=str(err))]
    return [Entry(label=name, wanted=wanted, model=None) for name in names]


def _distinct(entries: Iterable[Entry]) -> list[Entry]:
    """The first entry of each name: a baseline that is a model too is one model."""
    found: dict[str, Entry] = {}
    for entry in entries:
        found.setdefault(entry.label, entry)
    return list(found.values())


def _resolved(entry: Entry, folders: _Folders) -> Entry:
    if entry.problem:
        return entry
    wanted = entry.wanted
    try:
        known = folders.get(entry.label, wanted)
        model = known or models.resolve(
            entry.label, trust_remote_code=wanted.trust_remote_code, allow_pickle=wanted.allow_pickle
        )
        if known is None:
            folders.keep(entry.label, wanted, model)
    except (HarnessError, OSError) as err:
        return dataclasses.replace(entry, problem=str(err))
    return dataclasses.replace(entry, model=model)


def _labelled(entries: Sequence[Entry]) -> list[Entry]:
    names = Counter(entry.model.name for entry in entries if entry.model)
    return [
        dataclasses.replace(entry, label=entry.model.name) if entry.model and names[entry.model.name] == 1 else entry
        for entry in entries
    ]


# --- digests of folders ----------------------------------------------------------------------------------------------


class _Known(msgspec.Struct, frozen=True):
    files: list[tuple[str, int, int, int]]
    name: str
    revision: str


class _Kept(msgspec.Struct):
    format: int = _FORMAT
    folders: dict[str, _Known] = {}


class _Folders:
    """What the folders of saved models were when they were last digested; in the cache folder, safe to delete."""

    def __init__(self) -> None:
        self._file = cache_folder() / "nightly" / "folders.json"
        self._changed = False
        try:
            self._kept = msgspec.json.decode(self._file.read_bytes(), type=_Kept)
        except (OSError, msgspec.DecodeError):
            self._kept = _Kept()
        if self._kept.format != _FORMAT:
            self._kept = _Kept()

    def get(self, name: str, wanted: Wanted) -> ModelSpec | None:
        """The model in the folder `name`, where none of its files has changed."""
        known = self._kept.folders.get(self._key(name, wanted))
        if known is None or known.files != _files(Path(name)):
            return None
        return ModelSpec(
            name=known.name,
            revision=known.revision,
            location=str(Path(name).resolve()),
            origin="folder",
            trust_remote_code=wanted.trust_remote_code,
        )

    def keep(self, name: str, wanted: Wanted, model: ModelSpec) -> None:
        """Note what the folder `name` holds."""
        if model.origin != "folder":
            return
        files = _files(Path(name))
        if files and max(file[2] for file in files) < time.time_ns() - _RACY_NS:
            self._kept.folders[self._key(name, wanted)] = _Known(files, model.name, model.revision)
            self._changed = True

    def save(self) -> None:
        """Keep it for the next night."""
        if self._changed:
            write_cache(self._file, msgspec.json.encode(self._kept))

    @staticmethod
    def _key(name: str, wanted: Wanted) -> str:
        return f"{name}\0{wanted.trust_remote_code}\0{wanted.allow_pickle}"


def _files(folder: Path) -> list[tuple[str, int, int, int]]:
    """Name, size, time and inode of every file that a folder's digest can depend on."""
    found = []
    with contextlib.suppress(OSError):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                stat = path.stat()
                found.append((str(path.relative_to(folder)), stat.st_size, stat.st_mtime_ns, stat.st_ino))
    return found
