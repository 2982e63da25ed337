"""Checkpoints in half precision: as exact as sentence-transformers, equal to it where promised, and recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness
from harness import models
from harness.encoding import checked
from harness.models import forward_precision
from harness.types import EncodeOptions, Precision
from tests.encoders import NO_PROMPT
from tests.oracle.mteb_runs import mteb_scores_of, task_of
from tests.tiny import save_decoder, save_sentence_transformer, save_static

LONG = [" ".join(f"{word}{number}" for number in range(250)) for word in ("ab", "cd", "ef", "gh")]
"""More than 1,200 tokens each."""


@pytest.fixture(scope="module")
def rotary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen3 in bf16 whose attention is sharp, so that its positions decide."""
    return save_decoder(tmp_path_factory.mktemp("models") / "rotary", dtype="bfloat16", sharp=True)


def rows(folder: Path, precision: Any, *, batching: Any = "mteb") -> np.ndarray:
    encoder: Any = models.open_model(models.resolve(str(folder)), EncodeOptions(device="cpu", precision=precision))
    (encoded,) = encoder.encode([LONG], prompt=NO_PROMPT, role=None, batching=batching)
    return checked(encoded.vectors, LONG)


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left * right).sum(axis=1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


def theirs(folder: Path, **options: Any) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", **options).encode(LONG)


def test_rotary_positions_keep_their_precision(rotary: Path) -> None:
    """In bf16 a long text is as near to fp32 as in sentence-transformers: the frequencies of positions stay fp32.

    A model that is converted after loading shows what the test would miss otherwise.
    """
    import torch
    from sentence_transformers import SentenceTransformer

    full = rows(rotary, "fp32")
    converted = SentenceTransformer(str(rotary), device="cpu", model_kwargs={"dtype": torch.float32})
    rounded = cosines(converted.to(torch.bfloat16).encode(LONG), full).mean()
    half, reference = rows(rotary, "bf16"), theirs(rotary)
    assert cosines(reference, full).mean() > rounded + 0.02
    assert cosines(half, full).mean() > cosines(reference, full).mean() - 1e-4
    assert np.array_equal(half, reference.astype(np.float32))


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("normalize", [False, True])
def test_a_bert_in_half_precision(precision: Precision, normalize: bool, tmp_path: Path) -> None:
    """In mteb's batches, a checkpoint in half precision gives sentence-transformers' vectors to 1e-5."""
    dtype = {"fp16": "float16", "bf16": "bfloat16"}[precision]
    folder = save_sentence_transformer(tmp_path / "half", normalize=normalize, dtype=dtype)
    assert models.resolve(str(folder)).checkpoint_precision == precision
    reference = theirs(folder)
    np.testing.assert_allclose(rows(folder, "checkpoint"), reference.astype(np.float32), atol=1e-5)


def test_what_a_record_says(rotary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain record holds what was asked, what was used and what the checkpoint holds; `checkpoint` is plain too."""
    monkeypatch.setattr(forward_precision, "_CPU_INFO", tmp_path / "none")
    for precision, used in (("auto", "fp32"), ("checkpoint", "bf16")):
        (record,) = harness.run(
            str(rotary), "MiniSTSGerman", device="cpu", precision=precision, max_texts=8, results=tmp_path
        )
        encoder = record.harness["encoder"]
        assert record.variant == "max_texts=8"
        assert (encoder["precision_asked"], encoder["precision"]) == (precision, used)
        assert encoder["precision_of_checkpoint"] == "bf16"
        assert encoder["kind"] == "sentence-transformers"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_static_embeddings_in_half_precision(dtype: str, tmp_path: Path) -> None:
    """They are computed in the precision of their file, as in mteb, unless fp32 is asked for."""
    import torch
    from safetensors.torch import load_file, save_file

    folder = save_static(tmp_path / "model")
    (file,) = folder.rglob("model.safetensors")
    half = {name: (20 * rows).to(getattr(torch, dtype)) for name, rows in load_file(file).items()}
    save_file(half, file)
    short = {"float16": "fp16", "bfloat16": "bf16"}[dtype]
    spec = models.resolve(str(folder))
    assert spec.checkpoint_precision == short
    found: dict[str, np.ndarray] = {}
    for precision in ("checkpoint", "fp32"):
        encoder: Any = models.open_model(spec, EncodeOptions(device="cpu", precision=precision))
        assert encoder.facts.precision == (short if precision == "checkpoint" else "fp32")
        (encoded,) = encoder.encode([LONG], prompt=NO_PROMPT, role=None, batching="mteb")
        found[precision] = np.asarray(encoded.vectors)
    assert np.array_equal(found["checkpoint"], theirs(folder))
    whole = torch.nn.EmbeddingBag.from_pretrained(half["embedding.weight"].float(), mode="mean")
    ids = [encoding.ids for encoding in _tokens(folder)]
    expected = torch.stack([whole(torch.tensor([row]))[0] for row in ids]).numpy()
    assert np.allclose(found["fp32"], expected, atol=1e-5)
    assert not np.array_equal(found["fp32"], found["checkpoint"])


def _tokens(folder: Path) -> Any:
    from tokenizers import Tokenizer

    (file,) = folder.rglob("tokenizer.json")
    return Tokenizer.from_file(str(file)).encode_batch_fast(LONG, add_special_tokens=False)


def test_a_classifier_over_float16(tmp_path: Path) -> None:
    """A classifier over vectors in fp16 gets mteb's score: scikit-learn solves it in float64, and would stop
    elsewhere in float32.
    """
    import torch
    from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper
    from safetensors.torch import load_file, save_file

    folder = save_static(tmp_path / "model")
    (file,) = folder.rglob("model.safetensors")
    save_file({name: (20 * rows).to(torch.float16) for name, rows in load_file(file).items()}, file)
    task = task_of("MiniIntentsGerman", tmp_path)
    (record,) = harness.run(str(folder), [task], device="cpu", precision="checkpoint", results=tmp_path / "results")
    expected = mteb_scores_of(SentenceTransformerEncoderWrapper(str(folder), device="cpu"), task)
    assert record.parts[task.parts[0]][task.main_metric] == pytest.approx(expected[task.main_metric], abs=1e-5)
    assert record.harness["encoder"]["precision"] == "fp16"
