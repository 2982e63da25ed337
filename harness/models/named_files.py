"""Files that a model's settings name as arguments of loading: what lies outside the model's folder is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import ModelError
from harness.models.repository import Repository, inside, joined

_ARGUMENTS = (
    *("model_args", "model_kwargs", "config_args", "config_kwargs"),
    *("tokenizer_args", "tokenizer_kwargs", "processor_kwargs"),
)
"""Settings of sentence-transformers that become arguments of `from_pretrained`."""


class NamedFile(NamedTuple):
    """A value that a loader may take for a path.

    Attributes:
        file: the settings file that holds it.
        path: the value.
    """

    file: str
    path: str


def named_files(repository: Repository) -> frozenset[str]:
    """The files and folders that the settings name as arguments, by their paths in the repository.

    Raises:
        ModelError: one leads out of the model's folder, or the tokenizer is another model's.
    """
    folder, name = repository.transformer, repository.name
    elsewhere = repository.transformer_settings.get("tokenizer_name_or_path")
    if elsewhere is not None:
        raise ModelError(
            f"model {name}: its settings take the tokenizer of {elsewhere!r}, which the model's revision does not "
            "cover; save that tokenizer beside the model and leave out tokenizer_name_or_path"
        )
    for file, path in _of_the_tokenizer(repository):
        if Path(path).exists() and not Path(path).resolve().is_relative_to(repository.folder.resolve()):
            raise ModelError(
                f"model {name}: {file} names {path!r}, a file outside of the model's folder, which its revision does "
                "not cover; save the tokenizer again, beside the model"
            )
    return frozenset(joined(folder, inside(name, path, file=file)) for file, path in _of_the_model(repository))


def _of_the_model(repository: Repository) -> Iterator[NamedFile]:
    """Arguments that are strings, and the weights that `config.json` names in place of the usual ones."""
    for key in _ARGUMENTS:
        for text in _texts(repository.transformer_settings.get(key)):
            if any(character in text for character in "./\\"):  # others are no paths: `auto`, `cuda:1`
                yield NamedFile("sentence_bert_config.json", text)
    if repository.explicit_weights is not None:
        yield NamedFile("config.json", repository.explicit_weights)


def _of_the_tokenizer(repository: Repository) -> Iterator[NamedFile]:
    """Files that the tokenizer's settings name. Many name one of their author's machine, which no loader finds."""
    for key, value in repository.mapping("tokenizer_config.json", folder=repository.transformer).items():
        if key.endswith("_file") and isinstance(value, str):
            yield NamedFile("tokenizer_config.json", value)


def _texts(value: Any) -> Iterator[str]:
    """The strings in a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _texts(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry)
