"""Which files of weights would be loaded, module by module: whether they are pickles, and in which precision."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import ModelError
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

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_CHOICES = ("use_safetensors", "variant", "weights_only", "gguf_file", "from_tf", "from_flax")
"""Arguments of `from_pretrained` by which settings beside the weights choose another file."""
_IN_ORDER = (
    *("model.safetensors", "model.safetensors.index.json"),
    *("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
"""The names under which transformers and sentence-transformers look for weights; the first that exists is loaded."""
_OF_TRAINING = ("training_args", "optimizer", "scheduler", "rng_state", "scaler")
"""What a trainer leaves beside the weights, and nobody loads."""
_OTHER_FORMATS = {".gguf": "GGUF", ".onnx": "ONNX", ".h5": "TensorFlow", ".msgpack": "Flax", ".xml": "OpenVINO"}


_BACKENDS = {"GGUF": "gguf", "ONNX": "onnx", "OpenVINO": "openvino"}


def require_safetensors(repository: Repository, *, transformer: bool = True) -> None:
    """Refuse a model of which any file of weights that would be loaded is a pickle.

    Args:
        repository: the model's.
        transformer: whether the weights of its transformer are loaded.

    Raises:
        ModelError: one is.
    """
    folders = dict.fromkeys((repository.transformer, *(module.path for module in repository.modules)))
    for folder in (folder for folder in folders if transformer or folder != repository.transformer):
        for file in loaded_weights(repository, folder):
            if file.endswith(_PICKLES):
                raise ModelError(
                    f"model {repository.name}: its weights are pickles ({file}), which can run code when they are "
                    "loaded; use a revision with safetensors, or --allow-pickle if you trust it"
                )


def require_weights(repository: Repository) -> None:
    """Refuse a model whose transformer has no weights that can be loaded, or not all files of them.

    Raises:
        ModelError: it has none, and the message says what it has; or files that its index names are missing.
    """
    if repository.modules and not repository.has_transformer:
        return
    if files := loaded_weights(repository, repository.transformer):
        if missing := [file for file in files if file not in repository.files and not file.endswith(_PICKLES)]:
            verb = "is" if len(missing) == 1 else "are"
            raise ModelError(
                f"model {repository.name}: {len(missing)} of {len(files)} files of its weights {verb} missing "
                f"({missing[0]}{', ...' if len(missing) > 1 else ''}); fetch or save the model again"
            )
        return
    others = [
        (name, file)
        for suffix, name in _OTHER_FORMATS.items()
        for file in sorted(repository.files)
        if file.endswith(suffix)
    ]
    expected = joined(repository.transformer, "model.safetensors")
    if others:
        format_name, file = others[0]
        flag = _BACKENDS.get(format_name)
        advice = f"run it with --backend {flag}" if flag else "name the repository that it was converted from"
        raise ModelError(
            f"model {repository.name}: has weights as {format_name} only ({file}); expected {expected}; {advice}"
        )
    raise ModelError(f"model {repository.name}: has no weights; expected {expected}; fetch or save the model again")


def loaded_weights(repository: Repository, folder: str) -> list[str]:
    """The files of weights in a module's folder that would be loaded, or might be where its settings choose."""
    names = repository.names_in(folder)
    adapter = [name for name in ("adapter_model.safetensors", "adapter_model.bin") if name in names][:1]
    beside = repository.transformer_settings if folder == repository.transformer else {}
    arguments = [beside.get(key) for key in ("model_kwargs", "model_args")]
    chosen = any(isinstance(settings, dict) and set(settings) & set(_CHOICES) for settings in arguments)
    explicit = repository.explicit_weights if folder == repository.transformer else None
    usual = [name for name in ((explicit,) if explicit else _IN_ORDER) if name in names]
    if chosen:
        usual = sorted({*usual, *(name for name in names if name.endswith(_PICKLES))})
    elif not usual and not adapter:  # names that only the code of a module knows
        usual = sorted(
            name for name in names if name.endswith((".safetensors", *_PICKLES)) and not name.startswith(_OF_TRAINING)
        )
    else:
        usual = usual[:1]
    files = [joined(folder, name) for name in (*adapter, *usual)]
    for index in [file for file in files if file.endswith(".index.json")]:
        files.remove(index)
        files += sorted(repository.shards_of(index))
    return files


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
    shards = sorted(repository.shards_of(joined(folder, "model.safetensors.index.json")))
    explicit = [joined(folder, repository.explicit_weights)] if repository.explicit_weights else []
    files = [*explicit, joined(folder, "model.safetensors"), *shards]
    return next((file for file in files if file in repository.files), None)


def header_precision(header: Mapping[str, Any]) -> Precision:
    """The precision of the first tensor, by name, of a safetensors file; fp32 where that is none of ours.

    Static embeddings of model2vec that are multiplied with weights of tokens become fp32 by that.
    """
    if {"embeddings", "weights"} <= set(header):
        return "fp32"
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
