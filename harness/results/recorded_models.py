"""Which models a results folder holds, and from which folder each of them was loaded.

A record does not hold the path of a model's folder, which may name a user. It holds a digest of the path from the
results folder to the model's folder: enough to tell folders apart, and the same after the project was moved.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import RecordError
from harness.files.folders import expanded
from harness.files.reading import read_text
from harness.results.json_values import load_object
from harness.results.paths import EXPERIMENTS, META, Identity, identity_of

_ON_HUB = '"reference": "'
"""Stands in the `model_meta.json` of models that have a page, and not in that of a folder."""


class RecordedModel(NamedTuple):
    """A model at one revision in a results folder.

    Attributes:
        origin: where its weights came from (`hub`, `folder`, ...); empty where no record says.
        place: see `place_of`; empty for a model that no folder holds, or whose records are older than this key.
        name_given: whether the user named it.
    """

    name: str
    revision: str
    origin: str = ""
    place: str = ""
    name_given: bool = False


def place_of(model: Path, results: Path) -> str:
    """16 hexadecimal digits for where a model's folder lies, as seen from the results folder."""
    try:
        relative = os.path.relpath(_real(model), _real(results))
    except ValueError:  # on another drive
        relative = str(_real(model))
    return hashlib.sha256(relative.replace(os.sep, "/").encode(errors="surrogateescape")).hexdigest()[:16]


def records_folder(name: str) -> str:
    """The folder of a model's records, as a file system that ignores case would compare it."""
    return unicodedata.normalize("NFC", name.replace("/", "__").replace(" ", "_")).casefold()


def recorded_models(results: Path, *, name: str | None = None) -> list[RecordedModel]:
    """The models of a results folder that may have been loaded from a folder, and those whose records do not say.

    Args:
        results: the results folder, which need not exist.
        name: only models whose records would lie in the folder of this name's; by default all but those of the hub.
    """
    models: list[RecordedModel] = []
    for folder in _folders(results):
        if name is None or unicodedata.normalize("NFC", folder.name).casefold() == records_folder(name):
            models += revisions_in(folder, of_hub=name is not None)
    return models


def recorded_names(results: Path) -> dict[str, list[str]]:
    """Every model of a results folder -> its revisions, by the `model_meta.json` of each, else by the folders."""
    names: dict[str, list[str]] = {}
    for revision in (revision for model in _folders(results) for revision in _folders(model)):
        with contextlib.suppress(OSError, RecordError):
            identity = _identity(revision, _meta_text(revision))
            names.setdefault(identity.model, []).append(identity.revision)
    return names


def revisions_in(folder: Path, *, of_hub: bool = True) -> list[RecordedModel]:
    """The revisions of the model whose records lie in a folder; `of_hub`: also where the model has a page."""
    models = (_recorded(revision, of_hub=of_hub) for revision in _folders(folder))
    return [model for model in models if model is not None]


def _recorded(folder: Path, *, of_hub: bool) -> RecordedModel | None:
    try:
        meta_text = _meta_text(folder)
        if not of_hub and (not meta_text or _ON_HUB in meta_text):
            return None
        identity = _identity(folder, meta_text)
    except (OSError, RecordError):
        return None
    facts = next(filter(None, map(_facts, _records(folder))), {})
    texts = {key: value for key in ("origin", "place") if isinstance(value := facts.get(key), str)}
    return RecordedModel(identity.model, identity.revision, **texts, name_given=facts.get("name_given") is True)


def _meta_text(folder: Path) -> str:
    """The `model_meta.json` of a revision, or of a variant where it has variants only; empty where there is none."""
    files = (place / META for place in (folder, *_folders(folder / EXPERIMENTS)))
    return next((read_text(file) for file in files if file.is_file()), "")


def _identity(folder: Path, meta_text: str) -> Identity:
    return identity_of(folder / "any.json", load_object(meta_text, path=str(folder)) if meta_text else None)


def _facts(record: Path) -> Mapping[str, Any]:
    """What a record says of its model under the key `harness`; empty where it is broken or another program's."""
    try:
        content = load_object(read_text(record), path=str(record)).get("harness")
    except (OSError, RecordError):
        return {}
    facts = content.get("model") if isinstance(content, Mapping) else None
    return facts if isinstance(facts, Mapping) else {}


def _records(folder: Path) -> Iterator[Path]:
    """The record of each folder that takes least time to read."""
    for place in (folder, *_folders(folder / EXPERIMENTS)):
        files = [file for file in place.glob("*.json") if file.name != META and file.is_file()]
        if files:
            yield min(files, key=lambda file: (file.stat().st_size, file.name))


def _folders(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir()) if folder.is_dir() else []


def _real(path: Path) -> Path:
    return expanded(path).resolve()
