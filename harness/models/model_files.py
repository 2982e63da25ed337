"""The files of a model that was found: where its settings lie, and whether a file of weights can be had."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.files.file_trees import files_below
from harness.hub import downloads
from harness.models import repository as repositories
from harness.models import weight_files
from harness.models.repository import Repository
from harness.types import ModelSpec, Precision


def settings_folder(spec: ModelSpec) -> Path:
    """The folder with the model's small text files: settings and tokenizer.

    Raises:
        ModelError: they cannot be had from the hub.
    """
    if spec.origin != "hub":
        return Path(spec.location)
    return downloads.settings_folder(spec.location, spec.revision)


def settings_of(spec: ModelSpec) -> Mapping[str, Any]:
    """The content of `config_sentence_transformers.json`; empty where the model has none.

    Raises:
        ModelError: it cannot be had from the hub.
    """
    name = "config_sentence_transformers.json"
    if spec.origin == "hub" and spec.kind:  # whoever found the kind has fetched the settings that there are
        cached = downloads.cached_file(spec.location, name, commit=spec.revision)
        if cached is None:
            return {}
        file = cached
    else:
        file = settings_folder(spec) / name
    content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return content if isinstance(content, dict) else {}


def has_weights(spec: ModelSpec, folder: Path, module: Path) -> bool:
    """Whether a module of a model in `folder` has `model.safetensors`, or can get it from the hub."""
    file = module / "model.safetensors"
    if spec.origin != "hub":
        return file.is_file()
    return downloads.has_model_file(spec.location, file.relative_to(folder).as_posix(), revision=spec.revision)


def checkpoint_precision(repository: Repository, *, commit: str | None = None) -> Precision:
    """The precision in which transformers would load the weights: that of the settings, else that of the first tensor.

    Models without a transformer compute in fp32 unless they are static embeddings, and so do pickles whose settings say
    nothing.

    Args:
        repository: what the repository says.
        commit: of a hub repository; None for a folder.

    Raises:
        ModelError: the header of the weights could not be had from the hub.
    """
    if (
        repository.modules
        and not repository.has_transformer
        and not repository.modules[0].type.endswith("StaticEmbedding")
    ):
        return "fp32"
    stated = weight_files.stated_precision(repository)
    file = None if stated else weight_files.first_weights(repository)
    if file is None:
        return stated or "fp32"
    if commit is None:
        return weight_files.header_precision(weight_files.read_header(repository.folder / file))
    cached = downloads.cached_file(repository.name, file, commit=commit)
    if cached is not None:
        return weight_files.header_precision(weight_files.read_header(cached))
    types = downloads.tensor_types(repository.name, file, commit=commit)
    return weight_files.header_precision({name: {"dtype": dtype} for name, dtype in types.items()})


def repository_on_hub(name: str, commit: str, files: frozenset[str]) -> Repository:
    """What a hub repository says about its model; only its small settings files are fetched.

    Raises:
        ModelError: they cannot be had, or contradict each other.
    """
    folders: tuple[str, ...] = ("",)
    fetched: frozenset[str] = frozenset()
    while True:
        wanted = frozenset(repositories.settings_files(files, folders=folders))
        folder = downloads.fetch_files(name, sorted(wanted - fetched), commit=commit)
        fetched |= wanted
        repository = repositories.read(name, folder, files)
        folders = ("", *(module.path for module in repository.modules))
        if fetched >= frozenset(repositories.settings_files(files, folders=folders)):
            return repository


def repository_in_folder(name: str, folder: Path) -> Repository:
    """What a folder says about its model.

    Raises:
        ModelError: its settings cannot be read, or contradict each other.
    """
    files = frozenset(path.relative_to(folder).as_posix() for path in files_below(folder))
    return repositories.read(name, folder, files)
