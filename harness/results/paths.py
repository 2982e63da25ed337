"""Names to paths and back: the path of a record, and the model of a file (pure, without access to the disk).

    <results>/<org>__<model>/<revision>/<Task>.json
    <results>/<org>__<model>/<revision>/experiments/<variant>/<Task>.json

This is the layout of mteb's result cache (mteb 2.26, `cache/result_cache.py`), so that mteb finds records written here
and the other way round. Every name is checked before it becomes part of a path, so that no path leaves the folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import RecordError

EXPERIMENTS = "experiments"
META = "model_meta.json"
MAX_NAME = 200
"""The most bytes of a folder or file name. File systems allow 255; the name of a temporary file is a little longer."""

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NOT_IN_FILE_NAMES = re.compile(r'[<>:"|?*\\/\0]')


class Identity(NamedTuple):
    """The model, revision and variant of a record; `variant` is empty, or `key=value` pairs joined by `, `."""

    model: str
    revision: str
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.model} at {self.revision}" + (f" ({self.variant})" if self.variant else "")


def record_path(folder: Path, identity: Identity, task: str) -> Path:
    """The path of the record of `task` under the results folder.

    Raises:
        RecordError: A name cannot be a folder or file name (separators, `..`, a leading dot, unprintable characters,
            more than 200 bytes), or it has another meaning in this layout.
    """
    model = _checked("model", identity.model.replace("/", "__").replace(" ", "_"), identity.model)
    revision = _checked("revision", identity.revision, identity.revision)
    below = folder / model / revision
    kwargs = variant_kwargs(identity.variant)
    if kwargs:
        # mteb's format, so that mteb finds the folder from the same keyword arguments.
        name = "__".join(f"{key}_{value}" for key, value in sorted(kwargs.items()))
        below = below / EXPERIMENTS / _checked("variant", name, identity.variant)
    if f"{task}.json" == META:
        raise RecordError(f"task {task!r} cannot be recorded: {META} is the model's own file; rename the task")
    return below / f"{_checked('task', task, task)}.json"


def variant_kwargs(variant: str) -> dict[str, str]:
    """`precision=fp16, max_length=128` -> `{"max_length": "128", "precision": "fp16"}`; empty for the plain record.

    Raises:
        RecordError: The variant is not of that form.
    """
    if not variant:
        return {}
    kwargs: dict[str, str] = {}
    for pair in variant.split(","):
        key, equals, value = (piece.strip() for piece in pair.partition("="))
        bad = not equals or not value or "=" in value or not _KEY.fullmatch(key) or _NOT_IN_FILE_NAMES.search(value)
        if bad or key in kwargs:
            raise RecordError(
                f"variant {variant!r} cannot be recorded: expected different `key=value` pairs joined by commas, and "
                f'in a value none of < > : " | ? * \\ /, found {pair.strip()!r}'
            )
        kwargs[key] = value
    return dict(sorted(kwargs.items()))


def variant_text(kwargs: Mapping[str, Any]) -> str:
    """The variant for mteb's `experiment_kwargs`; the inverse of `variant_kwargs` for plain values."""
    return ", ".join(f"{key}={_shown(value)}" for key, value in sorted(kwargs.items()))


def identity_of(path: Path, meta: Mapping[str, Any] | None) -> Identity:
    """The model, revision and variant of the record at `path`, from the `model_meta.json` beside it, else from folders.

    Raises:
        RecordError: The path is too short, or no `model_meta.json` names the variant of an experiment (mteb does not
            read such a folder either, because a name like `a_b__c` can be split in several ways).
    """
    folders = path.parts[:-1]
    is_experiment = len(folders) >= 2 and folders[-2] == EXPERIMENTS
    folders = folders[:-2] if is_experiment else folders
    if len(folders) < 2:
        raise RecordError(f"{path}: expected <org>__<model>/<revision>/<Task>.json")
    named = meta or {}
    kwargs = named.get("experiment_kwargs") or {}
    if not isinstance(kwargs, Mapping):
        raise RecordError(f"{path.parent / META}: `experiment_kwargs` is {kwargs!r}, expected an object")
    if is_experiment and not kwargs:
        raise RecordError(f"{path}: lies under {EXPERIMENTS}/, but no {META} beside it names its `experiment_kwargs`")
    return Identity(
        _named(named, "name", path) or folders[-2].replace("__", "/", 1),
        _named(named, "revision", path) or folders[-1],
        variant_text(kwargs),
    )


def _named(meta: Mapping[str, Any], key: str, path: Path) -> str | None:
    value = meta.get(key)
    if value is not None and not (isinstance(value, str) and value.isprintable()):
        raise RecordError(f"{path.parent / META}: `{key}` is {value!r}, expected a string of printable characters")
    return value


def _checked(kind: str, name: str, given: str) -> str:
    problem = _problem(name)
    if problem:
        raise RecordError(f"{kind} {given!r} cannot be part of a file name: {problem}; rename it")
    return name


def _problem(name: str) -> str:
    if not name:
        return "it is empty"
    if not name.isprintable():
        return "it holds characters that do not print"
    if "/" in name or "\\" in name:
        return "it holds a path separator"
    if ".." in name or name.startswith("."):
        return "it holds '..' or starts with a dot"
    if name == EXPERIMENTS:
        return f"folders named {EXPERIMENTS!r} hold the variants of a record"
    if len(name.encode()) > MAX_NAME:
        return f"it has {len(name.encode())} bytes, more than {MAX_NAME}"
    return ""


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_shown(item)}" for key, item in sorted(value.items())) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_shown(item) for item in value) + "]"
    return _NOT_IN_FILE_NAMES.sub("_", str(value))
