"""A model's kind is read off its small files, as mteb reads it; what cannot be run is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import models
from harness.errors import ModelError
from harness.models import kinds, preflight
from harness.models.repository import read

ST = "sentence_transformers.models"
DENSE = [{"path": "", "type": f"{ST}.Transformer"}, {"path": "1_Pooling", "type": f"{ST}.Pooling"}]
SPARSE = [{"path": "", "type": "sentence_transformers.sparse_encoder.models.MLMTransformer"}]


def written(folder: Path, **files: Any) -> Path:
    """A folder with settings files, and weights that nobody reads; `__` in a name stands for a dot."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(json.dumps(content), encoding="utf-8")
    return folder


def architecture(name: str, **config: Any) -> dict[str, Any]:
    return {"architectures": [name], "model_type": "bert", **config}


RECOGNISED = {
    "cross-encoder": [
        {"config__json": architecture("BertForSequenceClassification")},
        {"config__json": architecture("Qwen3ForCausalLM", num_labels=1)},
        {
            "config__json": architecture("BertModel"),
            "config_sentence_transformers__json": {"model_type": "CrossEncoder"},
            "modules__json": DENSE,
        },
    ],
    "sparse encoder": [
        {"config__json": architecture("BertForMaskedLM"), "modules__json": SPARSE},
        {
            "config__json": architecture("BertModel"),
            "config_sentence_transformers__json": {"model_type": "SparseEncoder"},
            "modules__json": DENSE,
        },
    ],
    "multi-vector": [
        {"config__json": architecture("BertModel"), "artifact__metadata": {}},
        {"config__json": architecture("BertModel"), "modules__json": [{"path": "1", "type": "pylate.models.Dense"}]},
        {
            "config__json": architecture("BertModel"),
            "config_sentence_transformers__json": {"model_type": "ColBERT"},
            "modules__json": DENSE,
        },
    ],
}
REFUSED = {
    "multi-vector": [{"config__json": architecture("HF_ColBERT")}],
    "decoder without pooling": [
        {"config__json": architecture("Qwen3ForCausalLM", model_type="qwen3")},
        {"config__json": architecture("Qwen3Model", model_type="qwen3")},
    ],
}


@pytest.mark.parametrize(("kind", "files"), [(kind, files) for kind, examples in REFUSED.items() for files in examples])
def test_what_has_no_vectors_is_refused(kind: str, files: dict[str, Any], tmp_path: Path) -> None:
    """Decoders without pooling, and multi-vector models without settings, are named as what they are, and no mean
    pooling is invented for them.
    """
    with pytest.raises(ModelError, match=f'^model .*/m: kind "{kind}" cannot be run yet as vectors; '):
        models.resolve(str(written(tmp_path / "m", **files)))


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("transformers encoder", {"config__json": architecture("BertModel")}),
        ("transformers encoder", {"config__json": architecture("BertForMaskedLM")}),
        ("transformers encoder", {"config__json": architecture("LlamaModel", model_type="llama", is_causal=False)}),
        ("sentence-transformers", {"config__json": architecture("Qwen3ForCausalLM"), "modules__json": DENSE}),
        (
            "sentence-transformers",
            {"config__json": architecture("BertForSequenceClassification"), "modules__json": DENSE},
        ),
    ],
)
def test_what_has_vectors_is_recognised(kind: str, files: dict[str, Any], tmp_path: Path) -> None:
    """Modules make a dense model whatever class the weights were saved from; a plain encoder needs none."""
    assert models.resolve(str(written(tmp_path / "m", **files))).kind == kind


@pytest.mark.parametrize(
    ("kind", "files"), [(kind, files) for kind, examples in RECOGNISED.items() for files in examples]
)
def test_what_has_no_dense_vectors_is_recognised(
    kind: str, files: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cross-encoders, sparse and multi-vector models are told apart from dense ones by their settings, whichever
    version of sentence-transformers is installed.
    """
    monkeypatch.setattr(preflight, "_require_packages", lambda repository, needed: None)
    assert models.resolve(str(written(tmp_path / "m", **files))).kind == kind


def test_names_that_rank(tmp_path: Path) -> None:
    """A causal model named after ranking is a cross-encoder, as in mteb; a masked one called SPLADE is sparse."""
    for name, model_class, kind in (
        ("acme/reranker-8b", "Qwen3ForCausalLM", "cross-encoder"),
        ("acme/splade-mini", "BertForMaskedLM", "sparse encoder"),
    ):
        folder = written(tmp_path / name, config__json=architecture(model_class))
        assert kinds.kind_of(read(name, folder, frozenset({"config.json"}))).name == kind


def test_no_row_recognises_it(tmp_path: Path) -> None:
    """The refusal lists what was found."""
    with pytest.raises(ModelError, match=r"acme/x: not a saved model; expected .*, found model-q4\.bin$"):
        kinds.kind_of(read("acme/x", tmp_path, frozenset({"model-q4.bin"})))


def test_as_mteb(tmp_path: Path) -> None:
    """mteb's own rule puts each of the examples in the same class of models, where it tells them apart."""
    model_meta = pytest.importorskip("mteb.models.model_meta")
    if not hasattr(model_meta.ModelMeta, "_resolve_loader"):
        pytest.skip("this mteb has no such rule")
    names = {"cross-encoder": "cross-encoder", "sparse encoder": "sparse", "multi-vector": "late-interaction"}
    told = 0
    for kind, name in names.items():
        for files in RECOGNISED[kind]:
            _, found, _ = model_meta.ModelMeta._resolve_loader(
                "acme/m",
                files.get("config_sentence_transformers__json"),
                None,
                files.get("modules__json"),
                files["config__json"],
            )
            told += found == name
    assert told == 6  # of ColBERT's own files and of pylate's modules mteb takes no notice


@pytest.mark.parametrize("content", ["{", "{}", "[]", '[{"path": 1, "type": "a"}]', '["a"]'])
def test_modules_that_are_none(content: str, tmp_path: Path) -> None:
    """A `modules.json` that is not a list of modules is refused by name before anything is loaded."""
    folder = written(tmp_path / "m", config__json={})
    (folder / "modules.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=r"model .*/m: modules\.json (is not a list|has a module|cannot be read)"):
        models.resolve(str(folder))
