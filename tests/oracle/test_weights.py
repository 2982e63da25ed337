"""Weights that a file does not hold are never made up: transformers' own report decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import cli, models
from harness.errors import ModelError
from harness.types import EncodeOptions
from tests.encoders import NO_PROMPT, one_block
from tests.tiny import save_decoder, save_sentence_transformer, save_transformer

TEXTS = ["ein hund", "zwei katzen im garten"]


def opened(folder: Path) -> Any:
    return models.open_model(models.resolve(str(folder)), EncodeOptions(device="cpu"))


def without(folder: Path, name: str) -> Path:
    """The model without the weights whose names hold `name`."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    kept = {key: tensor for key, tensor in weights.items() if name not in key}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_a_missing_layer(tmp_path: Path) -> None:
    """It refuses the model, whatever code would run it: transformers alone, pooling beside it, a decoder."""
    for folder in (
        without(save_transformer(tmp_path / "plain"), "layer.1."),
        without(save_sentence_transformer(tmp_path / "pooled"), "layer.1."),
        without(save_decoder(tmp_path / "decoder"), "layers.1."),
    ):
        with pytest.raises(ModelError, match=r"weights are missing in its file \(.*layers?\.1\..* and \d+ more\)"):
            opened(folder)


def test_a_missing_layer_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run of two tasks ends with one sentence about the model and with the status of a wrong request."""
    folder = without(save_transformer(tmp_path / "plain"), "layer.1.")
    capsys.readouterr()
    status = cli.main(
        ["run", str(folder), "-t", "MiniSTSGerman,MiniSTSEnglish", "--results", str(tmp_path / "results")]
    )
    said = capsys.readouterr()
    assert (status, said.out) == (2, "")
    assert [line for line in said.err.splitlines() if "weights" in line] == [said.err.splitlines()[-1]]
    assert said.err.splitlines()[-1].startswith("harness: model local/plain: weights are missing in its file (")


def test_a_missing_pooler(tmp_path: Path) -> None:
    """The pooler, whose output nobody uses, may be missing, and the vectors are the same."""
    folder = save_transformer(tmp_path / "plain")
    before = one_block(opened(folder), TEXTS).vectors
    assert np.array_equal(one_block(opened(without(folder, "pooler.")), TEXTS).vectors, before)


@pytest.mark.parametrize("save", [save_transformer, save_sentence_transformer])
@pytest.mark.parametrize(("setting", "value"), [("vocab_size", 400), ("max_position_embeddings", 80)])
def test_other_shapes(save: Any, setting: str, value: int, tmp_path: Path) -> None:
    """Weights of another shape than `config.json` says are refused, also where the model asks to ignore that."""
    folder = save(tmp_path / "other")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, setting: value}), encoding="utf-8")
    with pytest.raises(ModelError, match="model local/other: "):
        opened(folder)
    if (folder / "sentence_bert_config.json").is_file():
        beside = json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8"))
        beside["model_kwargs"] = {"ignore_mismatched_sizes": True}
        (folder / "sentence_bert_config.json").write_text(json.dumps(beside), encoding="utf-8")
        with pytest.raises(ModelError, match="weights have another shape in its file"):
            opened(folder)


def test_transformers_is_left_as_it_was(tmp_path: Path) -> None:
    """Taking the report changes nothing for the rest of the process, after an error too."""
    from transformers import PreTrainedModel

    before = PreTrainedModel.__dict__["from_pretrained"]
    folder = without(save_transformer(tmp_path / "plain"), "layer.1.")
    with pytest.raises(ModelError):
        opened(folder)
    assert PreTrainedModel.__dict__["from_pretrained"] is before


def test_fewer_dimensions(tmp_path: Path) -> None:
    """`truncate_dim` of the model's settings is honoured: the vectors are those of sentence-transformers."""
    from sentence_transformers import SentenceTransformer

    folder = save_sentence_transformer(tmp_path / "short", normalize=True)
    file = folder / "config_sentence_transformers.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**settings, "truncate_dim": 16}), encoding="utf-8")
    encoder = opened(folder)
    (encoded,) = encoder.encode([TEXTS], prompt=NO_PROMPT, role=None, batching="mteb")
    assert encoded.vectors.shape == (2, 16)
    assert encoder.facts.dimensions == 16
    assert np.array_equal(encoded.vectors, SentenceTransformer(str(folder), device="cpu").encode(TEXTS))
