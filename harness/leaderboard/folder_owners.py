"""The model, revision and variant that a folder of results belongs to, and what its `model_meta.json` says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import RecordError
from harness.files.disk_errors import on_disk
from harness.files.reading import read_text
from harness.results.folder_walk import printable
from harness.results.json_values import load_object
from harness.results.paths import META, Identity, identity_of


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `model_meta.json` says about a model; None where it says nothing or something impossible.

    Attributes:
        trained_on: tasks whose data the model was trained on; None where it does not say.
    """

    parameters: int | None = None
    dimensions: int | None = None
    max_tokens: int | None = None
    release_date: str | None = None
    license: str | None = None
    reference: str | None = None
    open_weights: bool | None = None
    trained_on: tuple[str, ...] | None = None


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose files a folder holds; `problem` is the reason why none of them can be read."""

    identity: Identity
    facts: ModelFacts = ModelFacts()
    problem: str | None = None


def owner_of(folder: Path) -> Owner:
    """Whose files a folder holds: as its `model_meta.json` says, else as the folders are named."""
    file = folder / META
    named = Identity(printable(folder.parent.name).replace("__", "/", 1), printable(folder.name))
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
        reference=_text(meta.get("reference")),
        open_weights=weights if isinstance(weights := meta.get("open_weights"), bool) else None,
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
