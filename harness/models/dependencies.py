"""Other repositories that a model is loaded from: the model under an adapter, and code that lies elsewhere."""

from __future__ import annotations

from pathlib import Path

from harness.errors import ModelError
from harness.hub.downloads import download_model
from harness.hub.model_lookup import find_model, remember_ref
from harness.hub.offline import is_offline
from harness.models import own_code, weight_files
from harness.models.model_files import repository_on_hub
from harness.models.repository import Repository
from harness.types import ModelSpec


def dependencies(repository: Repository, *, trust_remote_code: bool, allow_pickle: bool) -> tuple[tuple[str, str], ...]:
    """(name, commit) of every other repository of the hub that loading the model reads, each at its newest commit.

    Raises:
        ModelError: one cannot be found, is a folder, or what it holds may not be loaded.
    """
    names: dict[str, str] = {}
    base = repository.mapping("adapter_config.json", folder=repository.transformer).get("base_model_name_or_path")
    if base is not None:
        names[str(base)] = _base(repository, str(base), trust_remote_code=trust_remote_code, allow_pickle=allow_pickle)
    for reference in own_code.references(repository) if trust_remote_code else ():
        if reference.repository is not None and reference.repository not in (repository.name, *names):
            names[reference.repository] = find_model(reference.repository).commit
    return tuple(names.items())


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
            remember_ref(name, ref="main", commit=commit)
    if spec.dependencies and spec.origin == "hub" and not is_offline():
        download_model(spec.location, spec.revision)


def _base(repository: Repository, base: str, *, trust_remote_code: bool, allow_pickle: bool) -> str:
    """The commit of the model under an adapter."""
    if Path(base).is_absolute() or base.startswith(".") or Path(base).is_dir():
        raise ModelError(
            f"model {repository.name}: its adapter belongs on top of the folder {base}, which its revision would not "
            "cover; merge the adapter into that model and save the whole, or name a repository of the hub in "
            "adapter_config.json"
        )
    on_hub = find_model(base)
    below = repository_on_hub(base, on_hub.commit, frozenset(on_hub.files))
    if not trust_remote_code:
        own_code.require_trust(below)
    if not allow_pickle:
        weight_files.require_safetensors(below)
    weight_files.require_weights(below)
    return on_hub.commit
