"""An index of every result file of a results folder, kept in the cache folder and updated when it is read.

A file is read again only when its size, time or inode changed; an unchanged folder is only listed. The index can be
deleted at any time; one that is broken, older or of another folder is rebuilt.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from harness.files import kept
from harness.files.folders import cache_folder
from harness.leaderboard import index_columns, reader_processes
from harness.leaderboard.folder_owners import Owner, owner_of
from harness.leaderboard.index_columns import NONE, Columns, FileToRead, StoredColumns
from harness.results.folder_walk import NO_STAMP, FileStamp, printable, refused, walk
from harness.types import Refused

VERSION = 5
RACY_NS = 2_000_000_000
"""A file younger than this may change again within one tick of the clock, so it is read again the next time."""


class _IndexedFile(NamedTuple):
    stamp: FileStamp
    row: int


class Remark(NamedTuple):
    """What the reader had to decide about a file."""

    path: str
    remark: str


class Folder(msgspec.Struct, frozen=True):
    """One folder of result files: its path under the results folder, the stamp of its `model_meta.json`, its owner."""

    path: str
    meta: FileStamp | None
    owner: Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Every result file of one results folder.

    Attributes:
        root: the results folder.
        folders: those whose positions stand in `files["folder"]`, sorted by path.
        columns: the files, sorted by folder and name.
        misplaced: `*.json` files that lie where no result file does.
    """

    root: Path
    folders: tuple[Folder, ...]
    columns: Columns
    misplaced: tuple[Refused, ...]

    def refused(self) -> tuple[Refused, ...]:
        """Every file that is not a record, with the reason; sorted by path."""
        return tuple(sorted([*self._texts("problem"), *self.misplaced]))

    def remarks(self) -> tuple[Remark, ...]:
        """What the reader had to decide about files that are records; sorted by path."""
        return tuple(sorted(Remark(*each) for each in self._texts("remark")))

    def _texts(self, column: str) -> list[Refused]:
        texts = self.columns.files[column]
        rows = np.flatnonzero(texts != NONE).tolist()
        return [Refused(str(self.path(row)), self.columns.strings[texts[row]]) for row in rows]

    def path(self, row: int) -> Path:
        """Where the file of a row lies."""
        file = self.columns.files[row]
        return self.root / self.folders[file["folder"]].path / self.columns.strings[file["name"]]


def read(folder: Path | str) -> Index:
    """The index of a results folder, brought up to date and stored.

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
    for entry in walk(root):
        if isinstance(entry, Refused):
            misplaced.append(entry)
            continue
        folder, old_rows = folders_before.get(entry.path), rows_before.get(entry.path, {})
        if folder is None or folder.meta != entry.meta:
            meta = None if entry.meta is None else _settled(entry.meta, started)
            folder, old_rows = Folder(entry.path, meta, owner_of(root / entry.path)), {}
        place = str(root / entry.path)
        for name, stamp in entry.files.items():
            if printable(name) != name:
                misplaced.append(refused(root / entry.path / name, "its name is not text; rename it"))
                continue
            old_row = old_rows.get(name)
            if old_row is not None and old_row.stamp == stamp:
                rows.append(old_row.row)
            else:
                rows.append(len(old.columns.files) + len(files_to_read))
                path = f"{place}/{name}"
                owner, kept_stamp = folder.owner, _settled(stamp, started)
                files_to_read.append(
                    FileToRead(len(folders), owner.identity, owner.problem, path, name, stamp[0], kept_stamp)
                )
            folder_of.append(len(folders))
        folders.append(folder)
    updated = old.columns
    if files_to_read or rows != list(range(len(updated.files))) or folder_of != updated.files["folder"].tolist():
        pieces = reader_processes.read(files_to_read) if files_to_read else []
        updated = index_columns.taken(index_columns.joined([updated, *pieces]), np.array(rows, np.int64))
        updated.files["folder"] = folder_of
    return Index(root=root, folders=tuple(folders), columns=updated, misplaced=tuple(misplaced))


def _by_path(old: Index) -> dict[str, dict[str, _IndexedFile]]:
    """The indexed files: folder -> name -> file."""
    by_path: dict[str, dict[str, _IndexedFile]] = {folder.path: {} for folder in old.folders}
    files, strings = old.columns.files, old.columns.strings
    folders = [by_path[old.folders[number].path] for number in files["folder"].tolist()]
    names = [strings[name] for name in files["name"].tolist()]
    stamps = zip(*(files[name].tolist() for name in ("size", "mtime", "inode")), strict=True)
    for row, (folder, name, stamp) in enumerate(zip(folders, names, stamps, strict=True)):
        folder[name] = _IndexedFile(stamp, row)
    return by_path


def _settled(stamp: FileStamp, started: int) -> FileStamp:
    """`stamp`, or `NO_STAMP` where the file is so young that it may still change without getting another stamp."""
    return stamp if stamp[1] < started - RACY_NS else NO_STAMP


# --- on disk -------------------------------------------------------------------------------------------------------


class _StoredIndex(msgspec.Struct, array_like=True):
    version: int
    root: str
    folders: tuple[Folder, ...]
    columns: StoredColumns


def _file(root: Path) -> Path:
    name = hashlib.sha256(str(root.resolve()).encode(errors="surrogateescape")).hexdigest()[:20]
    return cache_folder() / "index" / f"{name}.msgpack"


def _save(index: Index) -> None:
    stored = _StoredIndex(VERSION, str(index.root.resolve()), index.folders, StoredColumns.of(index.columns))
    kept.write(_file(index.root), msgspec.msgpack.encode(stored))


def _load(root: Path) -> Index:
    """The stored index of this folder; an empty one where none can be used."""
    nothing = Index(root=root, folders=(), columns=index_columns.empty(), misplaced=())
    data = kept.read(_file(root))
    if data is None:
        return nothing
    try:
        stored = msgspec.msgpack.decode(data, type=_StoredIndex)
        if stored.version != VERSION or stored.root != str(root.resolve()):
            return nothing
        columns = stored.columns.columns()
    except (ValueError, msgspec.DecodeError):  # of another version
        return nothing
    return dataclasses.replace(nothing, folders=stored.folders, columns=columns)
