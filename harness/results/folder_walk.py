"""Walks a results folder: finds every file that may be a record, and says why any other `*.json` is not one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from harness.errors import RecordError
from harness.results.paths import EXPERIMENTS, META
from harness.types import Refused

FileStamp: TypeAlias = tuple[int, int, int]
"""Size, modification time (ns) and inode of a file; a changed file has another stamp."""

NO_STAMP: FileStamp = (-1, 0, 0)
"""A stamp that no file has."""


class Listing(NamedTuple):
    """The result files of one folder.

    Attributes:
        path: of the folder, relative to the results folder, with `/`.
        files: name -> stamp.
        meta: the stamp of `model_meta.json`; None where there is none.
    """

    path: str
    files: Mapping[str, FileStamp]
    meta: FileStamp | None


def results_root(folder: Path) -> Path:
    """`folder`, or its subfolder `results` if it is a clone of the public repository, which keeps its records there."""
    inside = folder / "results"
    is_clone = inside.is_dir() and not any("__" in child.name for child in folder.iterdir())
    return inside if is_clone else folder


def walk(root: Path) -> Iterator[Listing | Refused]:
    """Every folder with result files, and every `*.json` that cannot be a record.

    `model_meta.json` and files that are not `*.json` are skipped.

    Raises:
        RecordError: the folder does not exist.
    """
    if not root.is_dir():
        raise RecordError(f"{root}: no such folder; expected a results folder")
    yield from _walk(root, (), root.resolve())


def _walk(folder: Path, below: tuple[str, ...], root: Path) -> Iterator[Listing | Refused]:
    try:
        with os.scandir(folder) as entries:
            children = sorted(entries, key=lambda entry: entry.name)
    except OSError as err:
        yield refused(folder, f"the folder cannot be read: {err.strerror or err}")
        return
    right_place = len(below) == 2 or (len(below) == 4 and below[2] == EXPERIMENTS)
    files: dict[str, FileStamp] = {}
    meta: FileStamp | None = None
    subfolders = []
    for child in children:
        is_json = child.name.endswith(".json")
        problem = _link_problem(Path(child.path), root, is_json=is_json) if child.is_symlink() else ""
        if not problem and child.is_dir(follow_symlinks=False):
            subfolders.append(child)
        elif not problem and is_json and child.name == META:
            meta = _stamp(child)
        elif problem := problem or (_file_problem(child, right_place=right_place) if is_json else ""):
            yield refused(Path(child.path), problem)
        elif is_json:
            files[child.name] = _stamp(child)
    if files:
        yield Listing("/".join(below), files, meta)
    for child in subfolders:
        yield from _walk(Path(child.path), (*below, child.name), root)


def _link_problem(link: Path, root: Path, *, is_json: bool) -> str:
    """Why a symbolic link under the results folder `root` (resolved) is not followed; empty where it is."""
    try:
        target = link.resolve(strict=True)
        is_folder = target.is_dir()
    except (OSError, RuntimeError):
        return "a symbolic link to a file that does not exist"
    if (is_json or is_folder) and not target.is_relative_to(root):
        return "a symbolic link to a place outside the results folder; copy the file or folder instead"
    return "a symbolic link to a folder that is scanned under its own name" if is_folder else ""


def _file_problem(file: os.DirEntry[str], *, right_place: bool) -> str:
    if not right_place:
        return (
            "expected <org>__<model>/<revision>/<Task>.json or "
            f"<org>__<model>/<revision>/{EXPERIMENTS}/<variant>/<Task>.json under the results folder"
        )
    return "" if file.is_file() else "not a regular file"  # reading a pipe would never end


def _stamp(entry: os.DirEntry[str]) -> FileStamp:
    try:
        state = entry.stat()
    except OSError:  # deleted meanwhile; reading it will fail
        return NO_STAMP
    return state.st_size, state.st_mtime_ns, state.st_ino


def refused(path: Path, reason: str) -> Refused:
    """The refusal of a file; `reason` may begin with its path."""
    name = printable(str(path))
    return Refused(name, printable(reason).removeprefix(f"{name}: "))


def printable(text: str) -> str:
    """`text` with escapes for bytes that are not text, which a file name may hold."""
    return text.encode(errors="backslashreplace").decode()
