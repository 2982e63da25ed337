"""Other repositories that a model is loaded from: the model under an adapter, and code that lies elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.errors import ModelError
from harness.hub.client_cache import folder_of, note_commit
from harness.hub.downloads import download_model, remember_absence
from harness.hub.model_lookup import find_model
from harness.hub.offline import is_offline
from harness.models import adapter_base, own_code, weight_files
from harness.models.model_files import checkpoint_precision, repository_on_hub
from harness.models.repository import Repository
from harness.types import ModelSpec, Precision


def dependencies(
    repository: Repository, *, on_hub: bool, trust_remote_code: bool, allow_pickle: bool
) -> tuple[tuple[str, str], ...]:
    """(name, commit) of every other repository of the hub that loading the model reads, each at its newest commit.

    Args:
        repository: the model's.
        on_hub: whether it lies on the hub, so that its revision is a commit, which covers no folder of this machine.
        trust_remote_code: whether code of repositories may run.
        allow_pickle: whether weights may be pickles.

    Raises:
        ModelError: one cannot be found, is a folder that no revision covers, or what it holds may not be loaded.
    """
    names: dict[str, str] = {}
    base = adapter_base.name_below(repository)
    if base is not None and adapter_base.is_folder(base):
        below = _folder_below(repository, base, on_hub=on_hub)
        _require_loadable(below, trust_remote_code=trust_remote_code, allow_pickle=allow_pickle)
    elif base is not None:
        there = find_model(base)
        below = repository_on_hub(base, there.commit, frozenset(there.files))
        _require_loadable(below, trust_remote_code=trust_remote_code, allow_pickle=allow_pickle)
        names[base] = there.commit
    for reference in own_code.references(repository) if trust_remote_code else ():
        if reference.repository is not None and reference.repository not in (repository.name, *names):
            if Path(reference.repository).is_dir():
                raise ModelError(
                    f"model {repository.name}: {reference.file} names code in the folder {reference.repository}, which "
                    "its revision does not cover; move the code beside the model"
                )
            names[reference.repository] = find_model(reference.repository).commit
    return tuple(names.items())


def loaded_precision(repository: Repository, *, commit: str | None, dependencies: Mapping[str, str]) -> Precision:
    """The precision in which transformers would load the weights: under an adapter, that of the model there.

    Args:
        repository: the model's.
        commit: of a hub repository; None for a folder.
        dependencies: name -> commit of the other repositories of the hub that are loaded.

    Raises:
        ModelError: the header of the weights could not be had from the hub.
    """
    base = adapter_base.name_below(repository)
    if base is None:
        return checkpoint_precision(repository, commit=commit)
    if base not in dependencies:
        below = adapter_base.folder_below(repository)
        return checkpoint_precision(below or repository)
    files = find_model(base, revision=dependencies[base]).files
    return checkpoint_precision(
        repository_on_hub(base, dependencies[base], frozenset(files)), commit=dependencies[base]
    )


def fetch(spec: ModelSpec) -> None:
    """Bring the other repositories of a model into the client's cache, at the commits that its record will name.

    Libraries ask for them by branch. So the cache remembers what the branch stands for, and the model is then loaded
    without the network.

    Raises:
        ModelError: one could not be had.
    """
    for name, commit in spec.dependencies:
        if not is_offline():
            download_model(name, commit)
            note_commit(folder_of(name), ref="main", commit=commit)
    if spec.dependencies and spec.origin == "hub" and not is_offline():
        download_model(spec.location, spec.revision)
        remember_absence(spec.location, "config.json", commit=spec.revision)  # an adapter has none, and is asked for it


def _folder_below(repository: Repository, base: str, *, on_hub: bool) -> Repository:
    """The folder under an adapter; one of the hub may not read folders of this machine."""
    below = None if on_hub else adapter_base.folder_below(repository)
    if below is None:
        raise ModelError(
            f"model {repository.name}: its adapter belongs on top of the folder {base}, which its revision does not "
            "cover; download the adapter into a folder and name there the model that it belongs to"
        )
    return below


def _require_loadable(below: Repository, *, trust_remote_code: bool, allow_pickle: bool) -> None:
    """Refuse what may not be loaded under an adapter, as it would be refused alone."""
    if not trust_remote_code:
        own_code.require_trust(below)
    if not allow_pickle:
        weight_files.require_safetensors(below)
    weight_files.require_weights(below)
