"""Where result files lie: a results folder walked, and what the `model_meta.json` of each of its folders says.

The rules are those of `results.scan`, so that both find and refuse the same files; here every file comes with the
key that tells whether it has changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec

from harness.errors import RecordError
from harness.files.disk_errors import on_disk
from harness.files.reading import read_text
from harness.results import link_problem, shown
from harness.results.json_format import load_object
from harness.results.paths import EXPERIMENTS, META, Identity, identity_of
from harness.types import Refused

Key: TypeAlias = tuple[int, int, int]
"""A file's size, time (ns) and inode, as the disk tells them: another key means another content."""

NO_KEY: Key = (-1, 0, 0)
"""The key of no file."""


class Listing(NamedTuple):
    """The result files of one folder, by name, and its `model_meta.json`; `path` is relative, with `/`."""

    path: str
    files: Mapping[str, Key]
    meta: Key | None


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `model_meta.json` says of a model, None where it is silent or says something impossible.

    Attributes:
        trained_on: tasks whose data the model was trained on; None where nobody said.
    """

    parameters: int | None = None
    dimensions: int | None = None
    max_tokens: int | None = None
    release_date: str | None = None
    license: str | None = None
    open_weights: bool | None = None
    reference: str | None = None
    trained_on: tuple[str, ...] | None = None


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose files a folder holds; `problem` says why none of them can be read."""

    identity: Identity
    facts: ModelFacts = ModelFacts()
    problem: str | None = None


def results_root(folder: Path) -> Path:
    """`folder`, or its `results` where it is a clone of the public repository, which keeps the records there."""
    inside = folder / "results"
    is_clone = inside.is_dir() and not any("__" in child.name for child in folder.iterdir())
    return inside if is_clone else folder


def walk(root: Path) -> Iterator[Listing | Refused]:
    """Every folder with result files, and every `*.json` that is in no right place; sorted by path.

    Raises:
        RecordError: there is no such folder.
    """
    if not root.is_dir():
        raise RecordError(f"{root}: no such folder; expected a results folder")
    yield from _walk(root, (), root.resolve())


def _walk(folder: Path, below: tuple[str, ...], root: Path) -> Iterator[Listing | Refused]:
    try:
        with os.scandir(folder) as entries:
            children = sorted(entries, key=lambda entry: entry.name)
    except OSError as err:
        yield _refused(folder, f"the folder cannot be read: {err.strerror or err}")
        return
    right_place = len(below) == 2 or (len(below) == 4 and below[2] == EXPERIMENTS)
    files: dict[str, Key] = {}
    meta: Key | None = None
    subfolders = []
    for child in children:
        is_json = child.name.endswith(".json")
        if is_json and right_place and child.is_file(follow_symlinks=False) and child.name.isascii():  # nearly all
            if child.name == META:
                meta = _key(child)
            else:
                files[child.name] = _key(child)
            continue
        problem = link_problem(Path(child.path), root, is_json=is_json) if child.is_symlink() else ""
        if not problem and child.is_dir(follow_symlinks=False):
            subfolders.append(child)
            continue
        if is_json and child.name == META:
            meta = _key(child)
            continue
        problem = problem or (_problem(child, right_place=right_place) if is_json else "")
        if problem:
            yield _refused(Path(child.path), problem)
        elif is_json:
            files[child.name] = _key(child)
    if files:
        yield Listing("/".join(below), files, meta)
    for child in subfolders:
        yield from _walk(Path(child.path), (*below, child.name), root)


def _problem(file: os.DirEntry[str], *, right_place: bool) -> str:
    if not right_place:
        return (
            "expected <org>__<model>/<revision>/<Task>.json or "
            f"<org>__<model>/<revision>/{EXPERIMENTS}/<variant>/<Task>.json under the results folder"
        )
    if not file.is_file():  # reading a pipe would never end
        return "not a regular file"
    return "" if shown(file.name) == file.name else "its name is not text; rename it"


def _key(entry: os.DirEntry[str]) -> Key:
    try:
        found = entry.stat()
    except OSError:  # gone since; reading it will say so
        return NO_KEY
    return found.st_size, found.st_mtime_ns, found.st_ino


def _refused(path: Path, reason: str) -> Refused:
    return Refused(shown(str(path)), reason)


def owner_of(folder: Path) -> Owner:
    """Whose files lie in a folder, by its `model_meta.json` or, without one, by the folders' names."""
    file = folder / META
    named = Identity(shown(folder.parent.name).replace("__", "/", 1), shown(folder.name))
    try:
        with on_disk(file, "read"):
            meta = load_object(read_text(file), path=str(file)) if file.exists() else None
        return Owner(identity=identity_of(folder / "any.json", meta), facts=_facts(meta or {}))
    except RecordError as err:
        return Owner(identity=named, problem=str(err))


def _facts(meta: Mapping[str, Any]) -> ModelFacts:
    sizes = [_whole(size) for size in _listed(meta.get("embed_dim"))]
    trained = meta.get("training_datasets")
    return ModelFacts(
        parameters=_whole(meta.get("n_parameters")),
        dimensions=max((size for size in sizes if size), default=None),
        max_tokens=_whole(meta.get("max_tokens")),
        release_date=_text(meta.get("release_date")),
        license=_text(meta.get("license")),
        open_weights=meta["open_weights"] if isinstance(meta.get("open_weights"), bool) else None,
        reference=_text(meta.get("reference")),
        trained_on=tuple(sorted(str(name) for name in trained)) if isinstance(trained, (dict, list)) else None,
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _whole(value: Any) -> int | None:
    """A count above zero; mteb writes some as floats."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return int(value) if is_number and 0 < value < 2**62 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value and len(value) <= 500 else None
