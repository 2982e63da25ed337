"""Batches cut out of a block that was tokenized once are those that sentence-transformers makes of their texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import models
from harness.models import tokenized_block
from harness.types import EncodeOptions, Prompt
from tests.encoders import one_block
from tests.tiny import save_decoder, save_sentence_transformer

torch = pytest.importorskip("torch")
TEXTS = ["a b", "abcdef gh", "ab" * 20, "", "hello", "x" * 100, "a b", "y" * 62, "z" * 70]


@pytest.fixture(scope="module", params=["right", "left", "without prompts"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models that pad on either side, or leave prompts out of the mean; they run in sentence-transformers."""
    folder = tmp_path_factory.mktemp("model") / "model"
    if request.param == "left":
        return save_decoder(folder)
    return save_sentence_transformer(folder, kind="electra", include_prompt=request.param == "right")


@pytest.mark.parametrize("prompt", [None, "query: "])
def test_batches_are_those_of_their_texts(folder: Path, prompt: str | None) -> None:
    """Every tensor of a batch, and what is beside them, equals what `preprocess` gives for the batch alone."""
    from sentence_transformers import SentenceTransformer

    model: Any = SentenceTransformer(str(folder), device="cpu")
    block = tokenized_block.of_features(model.preprocess(TEXTS, prompt=prompt), len(TEXTS))
    assert block is not None
    for positions in ([0], [3, 4], [1, 6, 2], [5], list(range(len(TEXTS)))):
        expected = model.preprocess([TEXTS[i] for i in positions], prompt=prompt)
        batch = block.batch(np.array(positions))
        assert set(batch) == set(expected)
        for name, value in expected.items():
            assert np.array_equal(batch[name], value), name


def test_texts_are_tokenized_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text goes through the tokenizer once, or twice where it fills the maximum length; the counts are the same."""
    encoder: Any = models.open_model(models.resolve(str(folder)), EncodeOptions(device="cpu", max_length=64))
    prompt = Prompt("query", "query: ")
    seen: list[str] = []
    for name in ("preprocess", "tokenizer"):
        original = getattr(encoder._model, name)

        def counted(texts: list[str], original: Any = original, **options: Any) -> Any:
            seen.extend(texts)
            return original(texts, **options)

        if name == "preprocess":
            monkeypatch.setattr(encoder._model, name, counted)
        else:
            monkeypatch.setattr(type(encoder._model), name, property(lambda _, counted=counted: counted))
    encoded = one_block(encoder, TEXTS, prompt=prompt)
    monkeypatch.undo()
    assert encoded.truncated is not None
    assert encoded.tokens is not None
    filled = int((encoded.tokens == 64).sum())
    assert len(seen) == len(TEXTS) + filled
    counts = [len(ids) for ids in encoder._model.tokenizer([f"query: {text}" for text in TEXTS])["input_ids"]]
    assert encoded.truncated.tolist() == [count > 64 for count in counts]
    assert encoded.tokens.tolist() == [min(count, 64) for count in counts]


@pytest.mark.parametrize(
    "change",
    [
        lambda features: features | {"pixel_values": features["input_ids"][None]},
        lambda features: features | {"attention_mask": features["attention_mask"].index_fill(1, torch.tensor(5), 0)},
        lambda features: {"input_ids": features["input_ids"]},
    ],
)
def test_other_features_are_left_alone(folder: Path, change: Any) -> None:
    """Where a batch might not be a part of its block, nothing is cut out."""
    from sentence_transformers import SentenceTransformer

    features = dict(SentenceTransformer(str(folder), device="cpu").preprocess(TEXTS[:2]))
    assert tokenized_block.of_features(features, 2) is not None
    assert tokenized_block.of_features(change(features), 2) is None
