"""Which file another backend runs, and when it is refused; needs none of the backends' packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import harness
from harness import models
from harness.errors import ModelError
from harness.models import backend_files, kinds
from harness.models.repository import Repository, read
from harness.types import PLAIN, BackendFile, EncodeOptions, ModelSpec
from tests.tiny import save_cross_encoder, save_static, save_transformer

FILES: dict[str, tuple[str, str | None, tuple[str, ...], str]] = {
    "at the root": ("onnx", None, ("model.onnx", "onnx/model.onnx"), "model.onnx"),
    "in its folder": ("onnx", None, ("onnx/model.onnx", "onnx/model_O4.onnx"), "onnx/model.onnx"),
    "the only one": ("onnx", None, ("int8/encoder.onnx",), "int8/encoder.onnx"),
    "by name": ("onnx", "onnx/model_O4.onnx", ("onnx/model.onnx", "onnx/model_O4.onnx"), "onnx/model_O4.onnx"),
    "of OpenVINO": (
        "openvino",
        None,
        ("openvino/openvino_model.xml", "openvino/openvino_model_q.xml"),
        "openvino/openvino_model.xml",
    ),
    "in shards": ("gguf", None, ("m-00001-of-00002.gguf", "m-00002-of-00002.gguf"), "m-00001-of-00002.gguf"),
}
REFUSED: dict[str, tuple[str, str | None, tuple[str, ...], str]] = {
    "none": ("onnx", None, ("model.safetensors",), r"--backend onnx: has no \.onnx file; export the model first"),
    "several": ("gguf", None, ("q4.gguf", "q8.gguf"), r"several \.gguf files; .* --backend-file: q4\.gguf, q8\.gguf"),
    "misspelt": ("onnx", "onnx/x.onnx", ("onnx/model.onnx",), "there is no such file for onnx; found onnx/model.onnx"),
    "outside": ("onnx", "../model.onnx", ("model.onnx",), "leads out of the model's folder"),
}


def repository(*files: str) -> Repository:
    return Repository(name="acme/m", folder=Path(), files=frozenset(files), settings={}, modules=(), shards={})


@pytest.mark.parametrize(("backend", "path", "files", "expected"), FILES.values(), ids=FILES.keys())
def test_the_file_that_is_run(backend: Any, path: str | None, files: tuple[str, ...], expected: str) -> None:
    """The named one, else the usual one as in sentence-transformers, else the only one."""
    assert backend_files.choose(repository(*files), backend, path) == BackendFile(backend, expected)


@pytest.mark.parametrize(("backend", "path", "files", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_no_file_is_guessed(backend: Any, path: str | None, files: tuple[str, ...], message: str) -> None:
    """Without the one file that is meant, the message lists what there is."""
    with pytest.raises(ModelError, match=message):
        backend_files.choose(repository(*files), backend, path)


def test_files_that_belong_to_it(tmp_path: Path) -> None:
    """The digests in the record cover tensors that lie in files of their own, and no other model's."""
    for name in ("model.onnx", "model.onnx_data", "model_q.onnx", "model_q.onnx_data", "a.xml", "a.bin", "b.bin"):
        (tmp_path / name).write_text(name)

    def belonging(backend: Any, path: str) -> list[str]:
        file = BackendFile(backend, path)
        spec = ModelSpec(name="m", revision="1", location=str(tmp_path), origin="folder", backend_file=file)
        return list(backend_files.digests(backend_files.local_paths(spec)))

    assert belonging("onnx", "model.onnx") == ["model.onnx", "model.onnx_data"]
    assert belonging("openvino", "a.xml") == ["a.xml", "a.bin"]


def test_another_backend_is_a_variant(tmp_path: Path) -> None:
    """Its name and its file are in the name of the variant, so that no record of torch is replaced."""
    file = BackendFile("onnx", "onnx/model_qint8.onnx")
    spec = ModelSpec(name="acme/m", revision="1", location="", origin="hub", backend_file=file)
    assert models.variant(spec, EncodeOptions(), transform=PLAIN) == "backend=onnx, file=onnx__model_qint8.onnx"


def test_what_another_backend_cannot_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other kinds, models without a repository and missing packages are refused in one sentence before loading."""
    missing = {"onnxruntime", "openvino"}
    find_spec = models.resolve.__globals__["importlib"].util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name in missing else find_spec(name))
    dense = str(save_transformer(tmp_path / "dense"))
    for model, backend, message in (
        (str(save_static(tmp_path / "static")), "onnx", 'kind "static embeddings" is not run by --backend onnx'),
        (str(save_cross_encoder(tmp_path / "cross")), "openvino", 'kind "cross-encoder" is not run by --backend openv'),
        ("baseline/hashing", "onnx", "--backend onnx: the model is not a repository with such files"),
        (dense, "onnx", "needs the package onnxruntime, which is not installed; run: pip install onnxruntime"),
        (dense, "openvino", "needs the package openvino, which is not installed"),
    ):
        with pytest.raises(ModelError, match=message):
            harness.run(model, "MiniSTSEnglish", backend=backend, results=tmp_path / "results")
    with pytest.raises(ModelError, match=r"--backend-file x\.onnx: belongs to --backend onnx, openvino or gguf"):
        models.resolve(dense, backend_file="x.onnx")


def test_a_repository_of_gguf_alone(tmp_path: Path) -> None:
    """It is recognised without settings files; beside torch's weights it is not chosen unless asked for."""
    (tmp_path / "model-q4.gguf").write_text("w")
    alone = read("acme/m", tmp_path, frozenset({"README.md", "model-q4.gguf"}))
    assert kinds.kind_for(alone, None).name == "gguf"
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]}))
    both = read("acme/m", tmp_path, frozenset({"config.json", "model.safetensors", "model-q4.gguf"}))
    assert [kinds.kind_for(both, backend).name for backend in (None, "gguf")] == ["transformers encoder", "gguf"]
    with pytest.raises(ModelError, match="GGUF only; leave out --backend torch"):
        kinds.kind_for(alone, "torch")
