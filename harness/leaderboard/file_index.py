"""Results folders read once: an index of every result file, kept in the cache folder and brought up to date.

A file is read again only when its size, time or inode changed; an unchanged folder costs its listing alone. The index
is safe to delete, and one that is broken, older or of another folder is made anew.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np

from harness.files.atomic import write_cache
from harness.files.folders import cache_folder
from harness.leaderboard import index_columns as columns
from harness.leaderboard import reader_processes
from harness.leaderboard.file_summary import Facts
from harness.leaderboard.folder_owners import Owner, owner_of
from harness.leaderboard.index_columns import FILES, NONE, SCORES, Columns, FileToRead
from harness.results.folder_walk import NO_STAMP, FileStamp, printable, refused, walk
from harness.types import Refused

VERSION = 2
RACY_NS = 2_000_000_000
"""A file younger than this when listed may change again within one tick of the clock: it is read again next time."""

_Rows: TypeAlias = "Mapping[str, tuple[FileStamp, int]]"


class Folder(msgspec.Struct, frozen=True):
    """One folder of result files: its path under the results folder, the key of its `model_meta.json`, its owner."""

    path: str
    meta: FileStamp | None
    owner: Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Every result file of one results folder.

    Attributes:
        root: the results folder.
        folders: what `files["folder"]` counts into, sorted by path.
        columns: the files, sorted by folder and name.
        misplaced: `*.json` files that lie where no result file does.
    """

    root: Path
    folders: tuple[Folder, ...]
    columns: Columns
    misplaced: tuple[Refused, ...]

    def refused(self) -> tuple[Refused, ...]:
        """Every file that is not a record, and why; sorted by path."""
        problems = self.columns.files["problem"]
        found = [
            Refused(str(self.path(row)), self.columns.strings[problems[row]])
            for row in np.flatnonzero(problems != NONE).tolist()
        ]
        return tuple(sorted([*found, *self.misplaced]))

    def path(self, row: int) -> Path:
        """Where the file of a row lies."""
        file = self.columns.files[row]
        return self.root / self.folders[file["folder"]].path / self.columns.strings[file["name"]]


def read(folder: Path | str) -> Index:
    """The index of a results folder, brought up to date and kept.

    Raises:
        RecordError: there is no such folder.
    """
    root = Path(folder)
    old = _load(root)
    index = _updated(root, old)
    if index.columns is not old.columns or index.folders != old.folders:
        _save(index)
    return index


def _updated(root: Path, old: Index) -> Index:
    folders_before = {folder.path: folder for folder in old.folders}
    rows_before = _by_path(old)
    started = time.time_ns()
    folders: list[Folder] = []
    misplaced: list[Refused] = []
    files_to_read: list[FileToRead] = []
    rows: list[int] = []  # of each file: its old row or, counted on from there, its place in `files_to_read`
    folder_of: list[int] = []
    for found in walk(root):
        if isinstance(found, Refused):
            misplaced.append(found)
            continue
        folder, known = folders_before.get(found.path), rows_before.get(found.path, {})
        if folder is None or folder.meta != found.meta:
            meta = None if found.meta is None else _settled(found.meta, started)
            folder, known = Folder(found.path, meta, owner_of(root / found.path)), {}
        place = str(root / found.path)
        for name, key in found.files.items():
            if printable(name) != name:
                misplaced.append(refused(root / found.path / name, "its name is not text; rename it"))
                continue
            at = known.get(name)
            if at is not None and at[0] == key:
                rows.append(at[1])
            else:
                rows.append(len(old.columns.files) + len(files_to_read))
                path = f"{place}/{name}"
                owner, later = folder.owner, _settled(key, started)
                files_to_read.append(FileToRead(len(folders), owner.identity, owner.problem, path, name, key[0], later))
            folder_of.append(len(folders))
        folders.append(folder)
    own = old.columns
    if files_to_read or rows != list(range(len(own.files))) or folder_of != own.files["folder"].tolist():
        pieces = reader_processes.read(files_to_read) if files_to_read else []
        own = columns.taken(columns.joined([own, *pieces]), np.array(rows, np.int64))
        own.files["folder"] = folder_of
    return Index(root=root, folders=tuple(folders), columns=own, misplaced=tuple(misplaced))


def _by_path(old: Index) -> dict[str, _Rows]:
    """The kept files: folder -> name -> (key, row)."""
    found: list[dict[str, tuple[FileStamp, int]]] = [{} for _ in old.folders]
    files, strings = old.columns.files, old.columns.strings
    folder_of, names = files["folder"].tolist(), [strings[name] for name in files["name"].tolist()]
    keys = zip(*(files[name].tolist() for name in ("size", "mtime", "inode")), strict=True)
    for row, (folder, name, key) in enumerate(zip(folder_of, names, keys, strict=True)):
        found[folder][name] = (key, row)
    return {folder.path: rows for folder, rows in zip(old.folders, found, strict=True)}


def _settled(stamp: FileStamp, started: int) -> FileStamp:
    """`stamp`, or one that no file has where the file is so young that it may change without a trace."""
    return stamp if stamp[1] < started - RACY_NS else NO_STAMP


# --- on disk -------------------------------------------------------------------------------------------------------


class _StoredIndex(msgspec.Struct, array_like=True):
    version: int
    root: str
    folders: list[Folder]
    strings: list[str]
    files: bytes
    scores: bytes
    facts: list[Facts]


def _file(root: Path) -> Path:
    name = hashlib.sha256(str(root.resolve()).encode(errors="surrogateescape")).hexdigest()[:20]
    return cache_folder() / "index" / f"{name}.msgpack"


def _save(index: Index) -> None:
    own = index.columns
    kept = _StoredIndex(
        VERSION,
        str(index.root.resolve()),
        list(index.folders),
        list(own.strings),
        own.files.tobytes(),
        own.scores.tobytes(),
        list(own.facts),
    )
    body = msgspec.msgpack.encode(kept)
    write_cache(_file(index.root), hashlib.sha256(body).digest() + body)


def _load(root: Path) -> Index:
    """The kept index of this folder; an empty one where there is none that can be used."""
    nothing = Index(root=root, folders=(), columns=columns.empty(), misplaced=())
    try:
        data = memoryview(_file(root).read_bytes())
        if hashlib.sha256(data[32:]).digest() != data[:32]:
            return nothing
        kept = msgspec.msgpack.decode(data[32:], type=_StoredIndex)
        if kept.version != VERSION or kept.root != str(root.resolve()):
            return nothing
        own = Columns(
            strings=tuple(kept.strings),
            files=np.frombuffer(kept.files, FILES),
            scores=np.frombuffer(kept.scores, SCORES),
            facts=tuple(kept.facts),
        )
    except (OSError, ValueError, msgspec.DecodeError):
        return nothing
    return dataclasses.replace(nothing, folders=tuple(kept.folders), columns=own)
