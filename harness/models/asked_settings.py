"""The settings that a user asks of a model, and the refusal of those that its kind does not honour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from harness.errors import ModelError
from harness.files.model_folders import shown_path
from harness.models.kinds import kind_of_spec
from harness.types import EncodeOptions, ModelSpec, VectorTransform

_OF_FILES = frozenset({"trust_remote_code", "allow_pickle"})
"""Settings of how a model's files are opened. A model that runs here takes them, an endpoint has no files to open."""

_OF_SOME_KINDS = (("batching", "packed"),)
"""Values that not every kind takes which takes the setting."""


def of_options(options: EncodeOptions) -> dict[str, Any]:
    """The options that are set, by name, but for those that are not the model's to honour.

    What is left to the model and the machine is not among them.
    """
    names = [option.name for option in fields(options) if option.name not in ("strict", "afresh")]
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value != getattr(EncodeOptions(), name)}


def of_transforms(transforms: Sequence[VectorTransform]) -> dict[str, Any]:
    """`dims` and `quantize`, where a transform names them; the other settings of a transform need one of these."""
    asked: dict[str, list[str]] = {}
    for transform in transforms:
        for name in ("dims", "quantize"):
            if (value := getattr(transform, name)) is not None:
                asked.setdefault(name, []).append(str(value))
    return {name: ",".join(dict.fromkeys(values)) for name, values in asked.items()}


def refusal(spec: ModelSpec, asked: Mapping[str, Any]) -> str:
    """Why a model cannot be asked in this way, as a sentence; empty where its kind honours all settings.

    Args:
        spec: the model.
        asked: name -> value; a value of None is not set.
    """
    kind = kind_of_spec(spec)
    for name, value in asked.items():
        of_files = name in _OF_FILES and spec.origin != "endpoint"
        setting = name if (name, value) not in _OF_SOME_KINDS else f"{name}={value}"
        honoured = value is None or of_files or setting in kind.settings or value in kind.true_anyway.get(name, ())
        if not honoured:
            shown = "" if value is True or isinstance(value, Mapping) else f" ({value})"
            flag = name.replace("_", "-")
            name = shown_path(Path(spec.location)) if spec.origin == "folder" and not spec.place else spec.name
            return f'model {name}: kind "{kind.name}" takes no --{flag}{shown}; leave it out'
    return ""


def require_honoured(spec: ModelSpec, asked: Mapping[str, Any]) -> None:
    """Refuse a setting that the model's kind would ignore.

    Raises:
        ModelError: there is one; see `refusal`.
    """
    if reason := refusal(spec, asked):
        raise ModelError(reason, kind="request")
