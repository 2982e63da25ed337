"""Which files of weights would be loaded, module by module, and in which precision."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.models.repository import Repository, joined
from harness.types import Precision

_PRECISIONS: Mapping[str, Precision] = {
    "float32": "fp32",
    "float16": "fp16",
    "half": "fp16",
    "bfloat16": "bf16",
    "F32": "fp32",
    "F16": "fp16",
    "BF16": "bf16",
}
"""Names of `config.json` and of safetensors."""
_LONGEST_HEADER = 100_000_000
"""Bytes; safetensors itself reads no longer one."""


def stated_precision(repository: Repository) -> Precision | None:
    """The precision in which a transformer's settings say that it is loaded, as transformers reads them; None if none.

    What sentence-transformers keeps beside the model goes before `config.json`.
    """
    beside = repository.transformer_settings
    arguments = [beside.get(key) for key in ("model_kwargs", "model_args")]
    for settings in (*arguments, repository.config):
        for key in ("dtype", "torch_dtype"):
            name = settings.get(key) if isinstance(settings, dict) else None
            if isinstance(name, str) and name.removeprefix("torch.") in _PRECISIONS:
                return _PRECISIONS[name.removeprefix("torch.")]
    return None


def first_weights(repository: Repository) -> str | None:
    """The safetensors file whose first tensor gives the precision where no settings do; None where there is none."""
    folder = repository.transformer
    index = repository.mapping("model.safetensors.index.json", folder=folder).get("weight_map")
    names = sorted(set(map(str, index.values()))) if isinstance(index, dict) else []
    files = [joined(folder, name) for name in ("model.safetensors", *names)]
    return next((file for file in files if file in repository.files), None)


def header_precision(header: Mapping[str, Any]) -> Precision:
    """The precision of the first tensor, by name, of a safetensors file; fp32 where that is none of ours."""
    for name, tensor in sorted(header.items()):
        if name != "__metadata__" and isinstance(tensor, dict) and tensor.get("dtype") in _PRECISIONS:
            return _PRECISIONS[tensor["dtype"]]
    return "fp32"


def read_header(file: Path) -> Mapping[str, Any]:
    """The header of a safetensors file; empty where it is none, which whoever loads it will say."""
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            content = json.loads(stream.read(length)) if length < _LONGEST_HEADER else None
    except (OSError, ValueError, struct.error):
        return {}
    return content if isinstance(content, dict) else {}
