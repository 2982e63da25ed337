"""Where scores depend on the batches of a model, the batches are mteb's; the record says which were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness
from harness import models
from harness.types import EncodeOptions
from tests.encoders import one_block
from tests.oracle.mteb_runs import mteb_scores_of, task_of
from tests.tiny import save_decoder, save_sentence_transformer

CLASSIFICATION, STS = "MiniIntentsEnglish", "MiniSTSGerman"
DYNAMIC = {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10000.0}


def run(folder: Path, task: str, results: Path, **options: Any) -> Any:
    (record,) = harness.run(str(folder), task, device="cpu", store="off", results=results, max_texts=60, **options)
    return record


def batching(record: Any) -> str:
    (part,) = record.harness["parts"].values()
    return str(part["batching"])


@pytest.mark.parametrize("include_prompt", [True, False])
def test_classification_without_unit_lengths(include_prompt: bool, tmp_path: Path) -> None:
    """A classifier over vectors that are not normalised gets mteb's batches, and its score is that of mteb's batches;
    other tasks, and vectors of unit length, are encoded in batches by tokens.
    """
    for normalize, expected in ((False, "mteb"), (True, "tokens")):
        folder = save_sentence_transformer(
            tmp_path / f"norm-{normalize}", normalize=normalize, include_prompt=include_prompt
        )
        record = run(folder, CLASSIFICATION, tmp_path / "auto")
        assert record.harness["encoder"]["normalized"] is normalize
        assert batching(record) == expected
        assert batching(run(folder, STS, tmp_path / "auto")) == "tokens"
        if not normalize:
            as_mteb = run(folder, CLASSIFICATION, tmp_path / "mteb", batching="mteb")
            assert record.scores == as_mteb.scores


def test_positions_that_follow_from_the_batch(tmp_path: Path) -> None:
    """With dynamic NTK positions a text's vector depends on the longest text beside it, so that every task gets mteb's
    batches; what the record says of the model is the reason.
    """
    folder = save_decoder(tmp_path / "dynamic", max_position_embeddings=64, rope_parameters=DYNAMIC, sharp=True)
    file = folder / "sentence_bert_config.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**settings, "max_seq_length": 4096}), encoding="utf-8")
    encoder: Any = models.open_model(models.resolve(str(folder)), EncodeOptions(device="cpu"))
    short, long = "ein hund bellt laut", "zwei katzen " * 40
    alone = one_block(encoder, [short], batching="mteb").vectors[0]
    beside = one_block(encoder, [short, long], batching="mteb").vectors[0]
    assert np.abs(alone - beside).max() > 1e-3
    record = run(folder, STS, tmp_path / "auto")
    assert record.harness["encoder"]["depends_on_batch"] == "positions"
    assert batching(record) == "mteb"
    usual = run(save_decoder(tmp_path / "usual"), STS, tmp_path / "auto")
    assert (usual.harness["encoder"]["depends_on_batch"], batching(usual)) == ("last bits", "tokens")


@pytest.mark.parametrize(("kind", "follows"), [("bert", True), ("roberta", False)])
def test_padding_on_the_left(kind: str, follows: bool, tmp_path: Path) -> None:
    """Where padding on the left moves a text's positions, every task gets mteb's batches and mteb's score; not for a
    model that counts positions from the first token that is no padding.
    """
    from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper

    folder = save_sentence_transformer(tmp_path / "left", kind=kind)
    file = folder / "tokenizer_config.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**settings, "padding_side": "left"}), encoding="utf-8")
    task = task_of(STS, tmp_path)
    (record,) = harness.run(str(folder), [task], device="cpu", results=tmp_path / "results")
    expected = mteb_scores_of(SentenceTransformerEncoderWrapper(str(folder), device="cpu"), task)
    main = record.parts[task.parts[0]][task.main_metric]
    assert main == pytest.approx(expected[task.main_metric], abs=1e-5)
    assert batching(record) == ("mteb" if follows else "tokens")
    assert record.harness["encoder"]["depends_on_batch"] == ("positions" if follows else "last bits")


def test_what_a_record_says_of_the_model(tmp_path: Path) -> None:
    """Kind, architecture, pooling and normalisation, whatever code ran the model."""
    folders = {
        "bert": save_sentence_transformer(tmp_path / "bert", pooling="cls", normalize=True),
        "sentence-transformers": save_decoder(tmp_path / "decoder"),
    }
    told = {}
    for kind, folder in folders.items():
        encoder = run(folder, STS, tmp_path / "results").harness["encoder"]
        told[kind] = tuple(encoder[key] for key in ("kind", "architecture", "pooling", "normalized"))
    assert told == {
        "bert": ("bert", "BertModel", "cls", True),
        "sentence-transformers": ("sentence-transformers", "Qwen3Model", "lasttoken", False),
    }
