"""Copies of a model with other pooling or with int8 weights, to try what explains another model. Owns `torch`.

A copy is a temporary folder that links to the model's files and holds the altered ones itself.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from harness.models import model_prompts
from harness.models.description import pooling_of, repository_of
from harness.models.model_files import settings_folder
from harness.models.repository import Repository, joined
from harness.models.weight_files import loaded_weights
from harness.types import ModelSpec

POOLINGS = ("mean", "cls", "lasttoken", "max")
_LARGEST_BYTES = 4 << 30
"""Larger weights are not copied."""
_INT8 = 127
_EMBEDDINGS = "embed"
"""Part of the names of tables of tokens and positions, which quantization to int8 leaves as they are."""


def can_be_altered(spec: ModelSpec) -> bool:
    """Whether the model's files lie here and hold a transformer with pooling that is known."""
    if spec.origin not in ("hub", "folder", "bundled") or not spec.kind or spec.trust_remote_code:
        return False
    repository = repository_of(spec)
    return _has_weights(repository) and (repository.has_transformer or not repository.modules)


def other_poolings(spec: ModelSpec) -> tuple[str, ...]:
    """The poolings that the model does not have, if it has exactly one of these."""
    pooling = pooling_of(repository_of(spec))
    return tuple(mode for mode in POOLINGS if mode != pooling) if pooling in POOLINGS else ()


@contextlib.contextmanager
def with_pooling(spec: ModelSpec, mode: str) -> Iterator[ModelSpec]:
    """The same model, whose texts' vectors come from its tokens' states in another way."""
    repository = repository_of(spec)
    folders = [module.path for module in repository.modules if module.type.endswith(".Pooling")]
    width = repository.config.get("hidden_size") or repository.config.get("dim")
    settings = repository.mapping("config.json", folder=folders[0]) if folders else {"word_embedding_dimension": width}
    kept = {key: value for key, value in settings.items() if not key.startswith("pooling_mode")}
    content = json.dumps({**kept, **_flags(mode, settings)}).encode()
    altered = {joined(folders[0] if folders else "1_Pooling", "config.json"): content}
    if not folders:
        modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
        altered["modules.json"] = json.dumps(
            [
                {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{name}"}
                for number, (path, name) in enumerate(modules)
            ]
        ).encode()
    with _copy(spec, repository, lambda file: altered.get(file), altered) as copied:
        yield copied


@contextlib.contextmanager
def with_int8_weights(spec: ModelSpec) -> Iterator[ModelSpec | None]:
    """The same model, whose linear layers are rounded to int8 with a scale a row; None where it is too large,
    or where a file of another backend holds the weights."""
    repository, folder = repository_of(spec), settings_folder(spec)
    files = frozenset(file for file in loaded_weights(repository, repository.transformer))
    too_large = sum((folder / file).stat().st_size for file in files) > _LARGEST_BYTES
    if too_large or spec.backend_file is not None:
        yield None
        return

    def altered(file: str) -> bytes | None:
        return _rounded(folder / file) if file in files else None

    with _copy(spec, repository, altered, {}) as copied:
        yield copied


def _has_weights(repository: Repository) -> bool:
    files = loaded_weights(repository, repository.transformer)
    return bool(files) and all(file.endswith(".safetensors") for file in files)


def _flags(mode: str, settings: Mapping[str, object]) -> dict[str, object]:
    """The pooling as the version of sentence-transformers that saved these settings writes it."""
    flags = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens", "lasttoken": "lasttoken"}
    if "pooling_mode" in settings:
        return {"pooling_mode": mode}
    return {f"pooling_mode_{flag}": name == mode for name, flag in flags.items()}


def _rounded(file: Path) -> bytes:
    """A file of weights whose matrices have at most 255 values a row."""
    import torch
    from safetensors.torch import load_file, save

    tensors = load_file(file)
    for name, tensor in tensors.items():
        if tensor.ndim == 2 and tensor.is_floating_point() and _EMBEDDINGS not in name:
            scale = tensor.float().abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / _INT8
            tensors[name] = (torch.round(tensor.float() / scale) * scale).to(tensor.dtype)
    return save(tensors, metadata={"format": "pt"})


@contextlib.contextmanager
def _copy(
    spec: ModelSpec, repository: Repository, altered: Callable[[str], bytes | None], more: Mapping[str, bytes]
) -> Iterator[ModelSpec]:
    source = settings_folder(spec).resolve()
    with tempfile.TemporaryDirectory(prefix="harness-") as name:
        folder = Path(name)
        for file in sorted({*repository.files, *more}):
            content = altered(file)
            target = folder / PurePosixPath(file)
            target.parent.mkdir(parents=True, exist_ok=True)
            if content is not None:
                target.write_bytes(content)
            elif (source / file).exists():
                target.symlink_to(source / file)
        like = spec.name if model_prompts.catalog_entry(spec) is not None and spec.like is None else spec.like
        yield replace(spec, origin="folder", location=str(folder), ref=None, like=like)
