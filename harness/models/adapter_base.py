"""The model under an adapter (peft): which one it is, and whether it is a folder of this machine."""

from __future__ import annotations

from pathlib import Path

from harness.errors import ModelError
from harness.models.model_files import repository_in_folder
from harness.models.repository import Repository


def name_below(repository: Repository) -> str | None:
    """The model that an adapter changes, as its settings name it; None where there is no adapter."""
    base = repository.mapping("adapter_config.json", folder=repository.transformer).get("base_model_name_or_path")
    return None if base is None else str(base)


def is_folder(name: str) -> bool:
    """Whether a loader takes the name of a model for a folder."""
    return Path(name).is_absolute() or name.startswith(".") or Path(name).is_dir()


def folder_below(repository: Repository) -> Repository | None:
    """What the folder under a folder's adapter says; None where there is no adapter, or a model of the hub under it.

    Raises:
        ModelError: there is no such folder, or it holds an adapter too.
    """
    name = name_below(repository)
    if name is None or not is_folder(name):
        return None
    folder = Path(name)
    if not folder.is_dir():
        raise ModelError(
            f"model {repository.name}: its adapter belongs on top of the folder {name}, which is not there; name the "
            "folder, or a repository of the hub, as base_model_name_or_path in adapter_config.json"
        )
    below = repository_in_folder(repository.name, folder)
    if name_below(below) is not None:
        raise ModelError(
            f"model {repository.name}: its adapter belongs on top of {name}, which is an adapter too; merge that one "
            "into its model and save the whole"
        )
    return below
