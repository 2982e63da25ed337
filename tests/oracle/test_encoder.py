"""The encoder of transformers gives the vectors of sentence-transformers, and counts what it feeds.

The models are tiny ones with random weights, in which every character is a token, and all-MiniLM-L6-v2 once.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness
from harness import encoding, models
from harness.errors import ModelError
from harness.tasks import registry
from harness.types import Batching, EncodeOptions, Encoder, Role, Texts
from tests.conftest import bundled_folder
from tests.encoders import NO_PROMPT, one_block
from tests.tiny import CHARACTERS, MAX_LENGTH, add_module, save_sentence_transformer, save_static, save_transformer

PROMPTS = {"query": "query: ", "document": "text: ", "sort": "sort this: "}


@pytest.fixture(scope="module")
def prompted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with prompts for both roles and a third one by default, which its pooling leaves out."""
    folder = tmp_path_factory.mktemp("models") / "prompted"
    return save_sentence_transformer(folder, prompts=PROMPTS, default_prompt="sort", include_prompt=False)


@pytest.fixture(scope="module")
def unprompted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_sentence_transformer(tmp_path_factory.mktemp("models") / "unprompted")


def opened(folder: Path | str, *, trust: bool = False, allow_pickle: bool = False, **options: Any) -> Any:
    spec = models.resolve(str(folder), trust_remote_code=trust, allow_pickle=allow_pickle)
    return models.open_model(spec, EncodeOptions(device="cpu", precision="fp32", **options))


def theirs(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu")


def some_texts(n: int, *, seed: int = 0) -> list[str]:
    """Texts of 1 to 90 characters: many of one length, some too long, some twice, and an empty one."""
    rng = random.Random(seed)
    texts = ["".join(rng.choices(CHARACTERS + "    ", k=rng.choice([3, 8, 8, 20, 41, 90]))) for _ in range(n - 8)]
    return [*texts[:40], "", *texts[40:], *texts[:7]]


def encode(
    encoder: Encoder, texts: Sequence[str], *, role: Role | None = None, batching: Batching = "tokens"
) -> encoding.EncodedTexts:
    """As a run does it: the prompt is the one that the encoder has for the role in some task."""
    task = registry.get_tasks().get("MiniSTSGerman")
    asked = Texts(items=texts, role=role)
    return encoding.encode(
        encoder,
        asked,
        prompt=encoding.prompt_for(encoder.facts.prompts, task, asked, part=task.parts[0]),
        batching=batching,
    )


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def least_cosine(left: np.ndarray, right: np.ndarray) -> float:
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return float(((left * right).sum(axis=1) / norms).min())


# --- vectors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [None, "query", "document"])
@pytest.mark.parametrize("model", ["prompted", "unprompted"])
def test_the_same_bits(model: str, role: Role | None, request: pytest.FixtureRequest) -> None:
    """With mteb's batches, prompts and roles the vectors are those of sentence-transformers to the last bit."""
    folder = request.getfixturevalue(model)
    reference, texts = theirs(folder), some_texts(150)
    method = {None: reference.encode, "query": reference.encode_query, "document": reference.encode_document}[role]
    encoder, expected = opened(folder), method(texts)
    found = encode(encoder, texts, role=role, batching="mteb").vectors
    assert found.dtype == np.float32
    assert np.array_equal(found, expected)
    by_tokens = encode(encoder, texts, role=role).vectors
    np.testing.assert_allclose(unit(by_tokens), unit(expected), atol=1e-6)


def test_the_roles_differ(prompted: Path) -> None:
    """The prompts reach the model: the same texts get other vectors in another role."""
    encoder, texts = opened(prompted), some_texts(20)
    rows = [encode(encoder, texts, role=role).vectors for role in (None, "query", "document")]
    assert not any(np.allclose(rows[a], rows[b], atol=1e-3) for a, b in ((0, 1), (0, 2), (1, 2)))


def test_the_same_bits_of_a_real_model() -> None:
    """all-MiniLM-L6-v2 on real sentences: equal to the last bit in mteb's batches, and to 1e-6 in ours."""
    from harness import data
    from harness.types import Part

    gold = data.load(registry.get_tasks().get("MiniSTSGerman"), Part("test", "default")).gold
    texts = [*gold.left, *gold.right][:100]  # type: ignore[union-attr]
    encoder, expected = opened(models.BUNDLED), theirs(bundled_folder()).encode(texts)
    assert encoder.facts.backend == "harness"
    assert np.array_equal(encode(encoder, texts, batching="mteb").vectors, expected)
    np.testing.assert_allclose(encode(encoder, texts).vectors, expected, atol=1e-6)


@pytest.mark.parametrize("batch_tokens", [1, 100, 5000])
def test_batches_by_tokens(batch_tokens: int, prompted: Path) -> None:
    """Batches by tokens, each text once, give the same vectors but for rounding, in the same order."""
    texts = some_texts(70)
    expected = encode(opened(prompted), texts, role="query")
    found = encode(opened(prompted, batch_tokens=batch_tokens), texts, role="query")
    assert least_cosine(found.vectors, expected.vectors) > 0.99999
    assert np.array_equal(found.vectors[:7], found.vectors[-7:])  # the same texts


@pytest.mark.parametrize("batch_tokens", [None, 100])
def test_no_texts(batch_tokens: int | None, unprompted: Path) -> None:
    """Nothing in, nothing out."""
    encoder = opened(unprompted, batch_tokens=batch_tokens)
    assert encode(encoder, []).vectors.shape[0] == 0
    assert list(encoder.encode([], prompt=NO_PROMPT, role=None)) == []
    empty = one_block(encoder, [])
    assert empty.vectors.shape[0] == len(empty.tokens) == len(empty.truncated) == 0


# --- counts --------------------------------------------------------------------------------------------------------

WORDS = ["a" * 7, "b" * 8, "c" * 9, "d" * 30, "e"]
"""9, 10, 11, 32 and 3 tokens with the two special ones."""


@pytest.mark.parametrize("batch_tokens", [None, 20])
def test_counts_at_a_maximum_length(batch_tokens: int | None, unprompted: Path) -> None:
    """A text that just fits is whole; a longer one is cut and counted, and only its first tokens are fed."""
    encoder = opened(unprompted, max_length=10, batch_tokens=batch_tokens)
    encoded = encode(encoder, WORDS)
    assert encoded.texts_truncated == 2
    assert encoded.tokens == 9 + 10 + 10 + 10 + 3
    assert encoder.facts.max_length == 10


def test_counts_with_a_prompt(prompted: Path) -> None:
    """The prompt takes its share of the length: `query:` is six tokens."""
    encoded = encode(opened(prompted, max_length=10), ["ab", "abc", "a" * 30], role="query")
    assert encoded.texts_truncated == 2
    assert encoded.tokens == 10 + 10 + 10


def test_counts_at_the_models_own_length(unprompted: Path) -> None:
    """Without an option the model's own maximum length counts."""
    encoded = encode(opened(unprompted), ["a" * (MAX_LENGTH - 2), "a" * (MAX_LENGTH - 1)])
    assert (encoded.tokens, encoded.texts_truncated) == (2 * MAX_LENGTH, 1)


def test_counts_of_a_text_that_comes_twice(unprompted: Path) -> None:
    """Batches by tokens feed a text once, but every text counts, and every one that was cut."""
    texts = ["a" * 30, "b", "a" * 30, "a" * 30]
    encoder = opened(unprompted, max_length=10)
    by_tokens, as_mteb = encode(encoder, texts), encode(encoder, texts, batching="mteb")
    assert (by_tokens.tokens, by_tokens.texts_truncated, by_tokens.tokens_encoded) == (3 * 10 + 3, 3, 10 + 3)
    assert (as_mteb.tokens, as_mteb.texts_truncated, as_mteb.tokens_encoded) == (3 * 10 + 3, 3, 3 * 10 + 3)
    assert (by_tokens.tokens_padded, as_mteb.tokens_padded) == (2 * 10, 4 * 10)  # "b" is padded to ten


def test_too_long_a_maximum_length(unprompted: Path) -> None:
    """More tokens than the model has positions for is an error before anything is encoded."""
    with pytest.raises(ModelError, match=f"--max-length 65 is more than the {MAX_LENGTH} tokens"):
        opened(unprompted, max_length=MAX_LENGTH + 1)


# --- too little memory ---------------------------------------------------------------------------------------------


def cramped(encoder: Any, *, room: int, sizes: list[int]) -> None:
    """Batches above `room` texts no longer fit in memory."""
    import torch

    direct = hasattr(encoder, "_forward")
    roomy = encoder._forward if direct else encoder._model.forward

    def forward(inputs: Any, *where: Any, **options: Any) -> Any:
        sizes.append(len(inputs.ids if direct else inputs["input_ids"]))
        if sizes[-1] > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return roomy(inputs, *where, **options)

    if direct:
        encoder._forward = forward
    else:
        encoder._model.forward = forward


@pytest.mark.parametrize("batching", ["tokens", "mteb"])
@pytest.mark.parametrize("model", ["prompted", "unprompted"])
def test_out_of_memory(batching: Batching, model: str, request: pytest.FixtureRequest) -> None:
    """Where batches above four texts do not fit, smaller ones do it: all texts, in order, counted once."""
    folder, texts = request.getfixturevalue(model), some_texts(100)
    expected = encode(opened(folder), texts, batching=batching)
    encoder, sizes = opened(folder), []
    cramped(encoder, room=4, sizes=sizes)
    found = encode(encoder, texts, batching=batching)
    assert max(sizes) > 4 >= min(sizes)
    assert least_cosine(found.vectors, expected.vectors) > 0.99999
    assert found.texts_truncated == expected.texts_truncated > 0
    assert found._replace(vectors=None) == expected._replace(vectors=None)


@pytest.mark.parametrize("model", ["prompted", "unprompted"])
def test_out_of_memory_for_good(model: str, request: pytest.FixtureRequest) -> None:
    """A single text that does not fit is an error, not a missing row."""
    import torch

    encoder, sizes = opened(request.getfixturevalue(model)), []
    cramped(encoder, room=0, sizes=sizes)
    with pytest.raises(torch.OutOfMemoryError):
        encode(encoder, some_texts(20))
    assert min(sizes) == 1


# --- kinds of models -----------------------------------------------------------------------------------------------


def test_a_plain_transformers_model(tmp_path: Path) -> None:
    """Without `modules.json` a vector is the mean over the text's token vectors, as sentence-transformers does it."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = save_transformer(tmp_path / "plain")
    texts = ["ein hund", "zwei katzen im garten"]
    features = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        states = AutoModel.from_pretrained(folder)(**features).last_hidden_state
    counted = features["attention_mask"][:, :, None]
    expected = ((states * counted).sum(dim=1) / counted.sum(dim=1)).numpy()
    found = encode(opened(folder), texts, batching="mteb").vectors
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.array_equal(found, theirs(folder).encode(texts))


def test_static_embeddings(tmp_path: Path) -> None:
    """A model without a maximum length runs and is recorded, and refuses to be given one."""
    folder = save_static(tmp_path / "static")
    texts = [text for text in some_texts(60) if text.strip()]
    for options in ({}, {"batch_tokens": 100}):
        encoded = encode(opened(folder, **options), texts)
        np.testing.assert_allclose(encoded.vectors, theirs(folder).encode(texts), atol=1e-6)
        assert encoded.texts_truncated == 0
    (record,) = harness.run(str(folder), "MiniSTSGerman", device="cpu", results=tmp_path / "results")
    assert record.harness["encoder"]["max_length"] is None
    with pytest.raises(ModelError, match='static embeddings" takes no --max-length'):
        opened(folder, max_length=9)


def test_pickled_weights(tmp_path: Path) -> None:
    """Weights that are pickles only are refused by name of the file and option; with the option they load."""
    import torch
    from safetensors.torch import load_file

    folder = save_transformer(tmp_path / "pickled")
    texts = some_texts(20)
    expected = encode(opened(folder), texts).vectors
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"pickles \(pytorch_model\.bin\).*--allow-pickle"):
        models.resolve(str(folder))
    assert np.array_equal(encode(opened(folder, allow_pickle=True), texts).vectors, expected)


DOUBLED = """
from pathlib import Path

import torch


class Doubled(torch.nn.Module):
    def forward(self, features, **kwargs):
        features["sentence_embedding"] = 2 * features["sentence_embedding"]
        return features

    @classmethod
    def load(cls, *args, **kwargs):
        Path(__MARK__).touch()
        return cls()

    def save(self, *args, **kwargs):
        pass
"""


def test_a_module_of_its_own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that brings code is refused with the option that would run it, and its code has not run; then it does."""
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder, mark = save_sentence_transformer(tmp_path / "own"), tmp_path / "ran"
    texts = some_texts(20)
    plain = encode(opened(folder), texts).vectors
    add_module(folder, code=DOUBLED.replace("__MARK__", repr(str(mark))), type_="doubled.Doubled")
    with pytest.raises(ModelError, match=r"own: cannot be loaded.*--trust-remote-code"):
        opened(folder)
    assert not mark.exists()
    assert np.array_equal(encode(opened(folder, trust=True), texts).vectors, 2 * plain)
    assert mark.exists()


def test_a_transformer_of_its_own_code(tmp_path: Path) -> None:
    """The same for code that `config.json` asks for."""
    folder = save_transformer(tmp_path / "own")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "own.py").write_text("raise SystemExit('this code has run')", encoding="utf-8")
    with pytest.raises(ModelError, match="--trust-remote-code"):
        opened(folder)
