"""The names that a model's folder can have: ends of its path, from the shortest to the longest."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

from harness.errors import ModelError
from harness.files.folders import expanded

_LONGEST = 150
"""Bytes of a name; a folder of records is named after it, and file systems allow 255."""
_OTHER_ORIGINS = frozenset({"baseline", "bundled", "local", "python"})
"""What names of other models begin with."""


def as_name(label: str) -> str:
    """`label` with only such characters as a model's name may have; empty where it has none."""
    plain = "".join(char if char.isalnum() or char in "._-" else "_" for char in unicodedata.normalize("NFC", label))
    return re.sub(r"\.{2,}", ".", plain).strip("._")


def names_of(folder: Path) -> tuple[str, ...]:
    """`local/final`, `a/final`, `runs/a/final`, ... for the folder `.../runs/a/final`.

    The first is `local/` and the folder's own name, since a name of mteb has two parts.
    """
    parts = [as_name(part) or "folder" for part in expanded(folder).resolve().parts[1:]] or ["model"]
    last = parts[-1].encode()[: _LONGEST - 6].decode(errors="ignore")
    longer = ["/".join([*parts[start:-1], last]) for start in range(len(parts) - 2, -1, -1)]
    fitting = [name for name in longer if len(name.replace("/", "__").encode()) <= _LONGEST]
    return (f"local/{last}", *(name for name in fitting if name.partition("/")[0] not in _OTHER_ORIGINS))


def is_path(name: str) -> bool:
    """Whether a model's name is written as a path, and can be nothing else."""
    return name.startswith((".", "/", "~"))


def shown_path(folder: Path) -> str:
    """A folder as messages show it, which is no name of the hub: `./models/final`."""
    path = str(folder)
    return path if is_path(path) else f"./{path}"


class NameAndRevision(NamedTuple):
    """A model's name, and the revision that was asked for; None where there is no `@`."""

    name: str
    revision: str | None


def name_and_revision(asked: str) -> NameAndRevision:
    """`ORG/NAME@REVISION` in two. A folder that exists is the whole name, `@` and all; so is a path that goes on."""
    name, at, revision = asked.rpartition("@") if is_path(asked) else asked.partition("@")
    if not at or expanded(asked).is_dir() or (is_path(asked) and "/" in revision):
        return NameAndRevision(asked, None)
    return NameAndRevision(name, revision)


def given_name(name: str, *, origin: str) -> str:
    """The name that a user gives to a model: `ORG/NAME`, or `NAME`, to which the model's origin is added.

    Args:
        name: as the user writes it.
        origin: `local` for a folder, `python` for a callable.

    Raises:
        ModelError: it cannot be a model's name.
    """
    parts = name.split("/")
    usable = "/".join(map(as_name, parts))
    if not all(parts) or usable != unicodedata.normalize("NFC", name) or len(name.encode()) > _LONGEST:
        expected = f"; expected for example {usable.strip('/')}" if usable.strip("/") and len(usable) < _LONGEST else ""
        raise ModelError(
            f"--name {name!r}: a name has at most {_LONGEST} bytes of letters, digits, '.', '_', '-' and '/' between "
            f"them{expected}",
            kind="request",
        )
    if len(parts) == 1:
        return f"{origin}/{usable}"
    if parts[0] in _OTHER_ORIGINS - {origin}:
        raise ModelError(
            f"--name {name!r}: names that begin with {parts[0]}/ belong to other models; choose another", kind="request"
        )
    return usable
