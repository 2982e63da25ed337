"""Which file of a repository another backend than torch runs, and which files belong to it. Loads nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from harness.errors import ModelError
from harness.files.digests import sha256
from harness.hub import downloads
from harness.hub.model_lookup import find_model
from harness.models.repository import Repository, inside, joined
from harness.types import BackendFile, BackendName, ModelSpec
from harness.types.counted import listed

_SUFFIXES: Mapping[str, str] = {"onnx": ".onnx", "openvino": ".xml", "gguf": ".gguf"}
_USUAL: Mapping[str, tuple[str, ...]] = {
    "onnx": ("model.onnx", "onnx/model.onnx"),
    "openvino": ("openvino_model.xml", "openvino/openvino_model.xml"),
}
"""Where sentence-transformers looks, in this order, when no file is named."""
_LATER_SHARD = re.compile(r"-0*(?!1-of)[1-9]\d*-of-\d+\.gguf$")
_SHOWN_FILES = 8


def choose(repository: Repository, backend: BackendName, path: str | None) -> BackendFile:
    """The file that is run: the one that is named, else the usual one, else the only one.

    Raises:
        ModelError: there is no such file, or there are several.
    """
    suffix = _SUFFIXES[backend]
    files = sorted(file for file in repository.files if file.endswith(suffix) and not _LATER_SHARD.search(file))
    if path is not None:
        path = inside(repository.name, path, file="--backend-file")
        if path not in files:
            raise ModelError(
                f"model {repository.name}: --backend-file {path}: there is no such file for {backend}; found "
                f"{_shown(files)}"
            )
        return BackendFile(backend, path)
    usual = [joined(repository.transformer, name) for name in _USUAL.get(backend, ())]
    for file in [name for name in usual if name in files] or (files if len(files) == 1 else []):
        return BackendFile(backend, file)
    if not files:
        raise ModelError(
            f"model {repository.name}: --backend {backend}: has no {suffix} file; export the model first (see "
            "sentence-transformers' page on efficiency), or leave the option out"
        )
    raise ModelError(
        f"model {repository.name}: has several {suffix} files; name one with --backend-file: {_shown(files)}"
    )


def local_paths(spec: ModelSpec) -> dict[str, Path]:
    """The file of a model and those with its tensors, each with its place on this machine; the file itself first.

    Raises:
        ModelError: one could not be had from the hub.
    """
    assert spec.backend_file is not None
    path = spec.backend_file.path
    if spec.origin == "hub":
        files = frozenset(find_model(spec.location, revision=spec.revision).files)
        names = [path, *_beside(path, files)]
        folder = downloads.fetch_files(spec.location, names, commit=spec.revision)
    else:
        folder = Path(spec.location)
        files = frozenset(
            joined(str(PurePosixPath(path).parent), file.name) for file in (folder / path).parent.iterdir()
        )
        names = [path, *_beside(path, {file.removeprefix("./") for file in files})]
    return {name: folder / name for name in names}


def digests(paths: Mapping[str, Path]) -> dict[str, str]:
    """File -> sha256."""
    return {name: sha256(path) for name, path in paths.items()}


def _beside(path: str, files: frozenset[str] | set[str]) -> Iterator[str]:
    """The files that hold tensors of the file at `path`."""
    stem = path.removesuffix(".xml")
    shard = re.fullmatch(r"(.*)-0*1-of-(\d+)\.gguf", path)
    for file in sorted(files - {path}):
        if path.endswith(".onnx"):
            belongs = file.startswith((f"{path}_data", f"{path}.data"))
        elif path.endswith(".xml"):
            belongs = file == f"{stem}.bin"
        else:
            belongs = shard is not None and re.fullmatch(re.escape(shard[1]) + r"-\d+-of-\d+\.gguf", file) is not None
        if belongs:
            yield file


def _shown(files: list[str]) -> str:
    return listed(files, most=_SHOWN_FILES) or "none"
