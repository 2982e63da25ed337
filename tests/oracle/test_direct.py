"""Models that are run by our own code give what sentence-transformers gives: vectors, counts and facts.

Tiny models with random weights, in which every character is a token.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import models
from harness.errors import ModelError
from harness.types import EncodeOptions, Precision
from tests.conftest import bundled_folder, environment
from tests.encoders import NO_PROMPT, one_block
from tests.oracle.test_encoder import encode, least_cosine, opened, some_texts, theirs, unit
from tests.tiny import MAX_LENGTH, save_sentence_transformer, save_static, save_transformer

KINDS = ("bert", "roberta", "xlm-roberta", "camembert")
ODD = ["", "   ", "  a  b ", "a [PAD] b", "[PAD]", "[CLS] [MASK] x", "e\u0301 ö", "a" * 200, "\n\t", "ünknown ☃ 漢字"]
"""Texts that look like padding, like nothing, or too long."""
SHAPES = [(kind, pooling, normalize) for kind in KINDS for pooling in ("mean", "cls") for normalize in (False, True)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, str, bool], Path]:
    """Every shape -> its folder."""
    root = tmp_path_factory.mktemp("models")
    return {
        (kind, pooling, normalize): save_sentence_transformer(
            root / f"{kind}-{pooling}-{normalize}", kind=kind, pooling=pooling, normalize=normalize
        )
        for kind, pooling, normalize in SHAPES
    }


def half(folder: Path, precision: Precision) -> Any:
    return models.open_model(models.resolve(str(folder)), EncodeOptions(device="cpu", precision=precision))


# --- BERT and its kin ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_vectors(shape: tuple[str, str, bool], saved: Mapping[tuple[str, str, bool], Path]) -> None:
    """In mteb's batches the bits are those of `SentenceTransformer.encode`, in batches by tokens to 1e-6."""
    encoder, reference = opened(saved[shape]), theirs(saved[shape])
    assert encoder.facts.backend == "harness"
    for texts in (some_texts(100), ODD):
        expected = reference.encode(texts)
        assert np.array_equal(encode(encoder, texts, batching="mteb").vectors, expected)
        np.testing.assert_allclose(unit(encode(encoder, texts).vectors), unit(expected), atol=1e-6)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("kind", KINDS)
def test_half_precision(kind: str, precision: Precision, saved: Mapping[tuple[str, str, bool], Path]) -> None:
    """Half precision turns no vector by more than a cosine of 0.999, and leaves here as float32."""
    folder, texts = saved[kind, "mean", True], some_texts(60)
    encoder = half(folder, precision)
    assert (encoder.facts.backend, encoder.facts.precision) == ("harness", precision)
    found, full = encode(encoder, texts).vectors, encode(opened(folder), texts).vectors
    assert found.dtype == np.float32
    assert 0.999 < least_cosine(found, full) < 0.9999999


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, {}),
        ({"max_seq_length": 20}, {}),
        ({"max_seq_length": 20}, {"max_length": 30}),
        ({}, {"max_length": 9}),
        ({"max_seq_length": None}, {}),
    ],
)
@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
def test_the_facts(kind: str, settings: dict[str, Any], options: dict[str, Any], tmp_path: Path) -> None:
    """Maximum length, similarity, prompts, dimensions and parameters are those that sentence-transformers finds."""
    prompts = {"query": "query: ", "document": "text: ", "sort": "sort: "}
    folder = save_sentence_transformer(
        tmp_path / "model", kind=kind, prompts=prompts, default_prompt="sort", similarity="euclidean"
    )
    file = folder / "sentence_bert_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
    encoder, reference = opened(folder, **options), theirs(folder)
    if "max_length" in options:
        reference.max_seq_length = options["max_length"]
    facts = encoder.facts
    assert facts.backend == "harness"
    assert facts.max_length == reference.max_seq_length
    assert facts.similarity == reference.similarity_fn_name == "euclidean"
    assert dict(facts.prompts.prompts) == reference.prompts == prompts
    assert facts.prompts.default == reference.default_prompt_name == "sort"
    assert facts.dimensions == reference.get_embedding_dimension() == 32
    assert facts.parameters == sum(parameter.numel() for parameter in reference.parameters())
    texts = some_texts(40)
    for role, method in ((None, reference.encode), ("query", reference.encode_query)):
        found = encode(encoder, texts, role=role, batching="mteb")  # type: ignore[arg-type]
        assert np.array_equal(found.vectors, method(texts))


@pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean", "manhattan"])
def test_the_similarity_of_pairs(similarity: str, tmp_path: Path) -> None:
    """Each similarity that a model may name gives the same bits as the model's own."""
    folder = save_sentence_transformer(tmp_path / "model", similarity=similarity)
    encoder, reference = opened(folder), theirs(folder)
    rows = encode(encoder, some_texts(60)).vectors
    found = encoder.similarity_pairwise(rows[:30], rows[30:])
    assert np.array_equal(found, reference.similarity_pairwise(rows[:30], rows[30:]).numpy())


def test_a_checkpoint_of_a_larger_model(saved: Mapping[tuple[str, str, bool], Path], tmp_path: Path) -> None:
    """Weights that were saved with a head, under `bert.`, are the same model."""
    from safetensors.torch import load_file, save_file

    folder = save_sentence_transformer(tmp_path / "headed")
    weights = load_file(folder / "model.safetensors")
    save_file({f"bert.{name}": tensor for name, tensor in weights.items()}, folder / "model.safetensors")
    texts = some_texts(30)
    plain = encode(opened(saved["bert", "mean", False]), texts).vectors
    encoder = opened(folder)
    assert encoder.facts.backend == "harness"
    assert np.array_equal(encode(encoder, texts).vectors, plain)


def test_a_checkpoint_that_lacks_a_tensor(tmp_path: Path) -> None:
    """It is left to sentence-transformers, whose random numbers in its place are refused."""
    from safetensors.torch import load_file, save_file

    folder = save_sentence_transformer(tmp_path / "lacking")
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.bias"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"missing in its file \(encoder\.layer\.1\.output\.dense\.bias\)"):
        opened(folder)


def test_other_shapes_go_through_sentence_transformers(tmp_path: Path) -> None:
    """Without modules, with pooling that leaves the prompt out, or with trusted code: its code, its vectors."""
    texts = some_texts(40)
    for folder in (
        save_transformer(tmp_path / "plain"),
        save_sentence_transformer(tmp_path / "promptless", include_prompt=False),
    ):
        encoder = opened(folder)
        assert encoder.facts.backend == "sentence-transformers"
        assert np.array_equal(encode(encoder, texts, batching="mteb").vectors, theirs(folder).encode(texts))
    folder = save_sentence_transformer(tmp_path / "trusted")
    assert opened(folder, trust=True).facts.backend == "sentence-transformers"


def test_too_few_positions(tmp_path: Path) -> None:
    """A stated length beyond the positions is not ours to repair, and an option beyond them is one clear error."""
    folder = save_sentence_transformer(tmp_path / "model", kind="roberta")
    with pytest.raises(ModelError, match=f"--max-length {MAX_LENGTH + 1} is more than the {MAX_LENGTH} tokens"):
        opened(folder, max_length=MAX_LENGTH + 1)
    file = folder / "sentence_bert_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "max_seq_length": MAX_LENGTH + 1}))
    assert opened(folder).facts.backend == "sentence-transformers"


def test_a_tokenizer_that_pads_on_the_left(tmp_path: Path) -> None:
    """It is left to sentence-transformers."""
    folder = save_sentence_transformer(tmp_path / "left")
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "padding_side": "left"}))
    encoder, texts = opened(folder), some_texts(40)
    assert encoder.facts.backend == "sentence-transformers"
    assert np.array_equal(encode(encoder, texts, batching="mteb").vectors, theirs(folder).encode(texts))


# --- static embeddings -----------------------------------------------------------------------------------------------


def spell(folder: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Replace the weights of a saved static model."""
    from safetensors.numpy import save_file

    (file,) = folder.rglob("model.safetensors")
    save_file(dict(tensors), file)


def rows_of(folder: Path) -> np.ndarray:
    from safetensors.numpy import load_file

    (file,) = folder.rglob("model.safetensors")
    return load_file(file)["embedding.weight"]


@pytest.mark.parametrize("layout", ["own", "model2vec", "mapping", "weights", "mapping and weights", "float16"])
@pytest.mark.parametrize("normalize", [False, True])
def test_static_embeddings(layout: str, normalize: bool, tmp_path: Path) -> None:
    """sentence-transformers' layout and those of model2vec, with and without unit length: its vectors to 1e-6."""
    folder = save_static(tmp_path / "static", normalize=normalize)
    rows = rows_of(folder)
    rng = np.random.default_rng(3)
    mapping = rng.integers(0, 20, len(rows))
    weights = rng.uniform(0.1, 2, len(rows)).astype(np.float32)
    tensors: dict[str, dict[str, np.ndarray]] = {
        "own": {"embedding.weight": rows},
        "model2vec": {"embeddings": rows},
        "mapping": {"embeddings": rows[:20], "mapping": mapping},
        "weights": {"embeddings": rows, "weights": weights},
        "mapping and weights": {"embeddings": rows[:20], "mapping": mapping, "weights": weights},
        "float16": {"embeddings": rows.astype(np.float16)},
    }
    spell(folder, tensors[layout])
    encoder, reference = opened(folder), theirs(folder)
    assert encoder.facts.backend == "harness"
    texts = [text for text in [*some_texts(80), *ODD] if text.strip()]
    expected = reference.encode(texts).astype(np.float32)
    tolerance = 5e-3 if layout == "float16" else 1e-6  # there, sentence-transformers adds up in float16
    for batching in ("tokens", "mteb"):
        found = encode(encoder, texts, batching=batching)  # type: ignore[arg-type]
        np.testing.assert_allclose(found.vectors, expected, atol=tolerance)
    assert found.texts_truncated == 0
    facts = encoder.facts
    assert (facts.similarity, facts.max_length) == (reference.similarity_fn_name, None)
    assert dict(facts.prompts.prompts) == reference.prompts
    assert facts.dimensions == reference.get_embedding_dimension()


def test_static_embeddings_with_prompts(tmp_path: Path) -> None:
    """A prompt goes before the text, and its tokens count."""
    folder = save_static(tmp_path / "static", prompts={"query": "query: ", "document": ""})
    encoder, texts = opened(folder), ["ein hund", "zwei katzen"]
    found = encode(encoder, texts, role="query")
    np.testing.assert_allclose(found.vectors, theirs(folder).encode_query(texts), atol=1e-6)
    assert found.tokens == encode(encoder, texts).tokens + 2 * len("query:")  # type: ignore[operator]


def test_a_text_without_tokens(tmp_path: Path) -> None:
    """A mean over nothing is zeros, as in sentence-transformers; scoring refuses it with the text."""
    folder = save_static(tmp_path / "static")
    found = one_block(opened(folder), ["", "a"], prompt=NO_PROMPT)
    assert np.array_equal(found.vectors[0], theirs(folder).encode([""])[0])
    assert not found.vectors[0].any()
    assert found.vectors[1].any()


def test_static_embeddings_otherwise(tmp_path: Path) -> None:
    """With a device, a precision or weights that numpy does not have, sentence-transformers computes them."""
    import torch
    from safetensors.torch import save_file

    folder = save_static(tmp_path / "static")
    assert half(folder, "bf16").facts.backend == "sentence-transformers"
    (file,) = folder.rglob("model.safetensors")
    save_file({"embeddings": torch.from_numpy(rows_of(folder)).to(torch.bfloat16)}, file)
    assert opened(folder).facts.backend == "sentence-transformers"
    spell(folder, {"something": np.ones((2, 2), np.float32)})
    with pytest.raises(ModelError, match="cannot be loaded"):
        opened(folder)


# --- what a run imports ----------------------------------------------------------------------------------------------


IMPORTED = """
import json, sys
from harness import cli
status = cli.main(sys.argv[1:])
assert status == 0
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def imported(folder: Path, *arguments: str) -> set[str]:
    """The packages that a command has imported when it is done."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments],
        capture_output=True,
        text=True,
        env=environment(folder),
        cwd=folder,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_a_run_of_static_embeddings_imports_no_torch(tmp_path: Path) -> None:
    """From the start to the record."""
    folder = save_static(tmp_path / "static")
    packages = imported(tmp_path, "run", str(folder), "-t", "MiniSTSGerman,MiniAnswersGerman")
    assert {"tokenizers", "safetensors", "numpy"} <= packages
    assert packages.isdisjoint({"torch", "transformers", "sentence_transformers", "datasets", "mteb"})


def test_a_run_of_the_bundled_model_imports_little(tmp_path: Path) -> None:
    """torch and tokenizers are enough, for search and for pairs."""
    bundled_folder()
    rows = {
        "corpus": [{"_id": "d0", "text": "rain"}, {"_id": "d1", "text": "bread"}],
        "queries": [{"_id": "q0", "text": "wind"}],
        "qrels": [{"query-id": "q0", "corpus-id": "d0", "score": 1}],
    }
    for name, table in rows.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in table), encoding="utf-8")
    (tmp_path / "Small.yaml").write_text(
        "name: Small\ntype: Retrieval\ndescription: Two documents\nsource: {kind: local, path: .}\n"
        "splits: [test]\nmain_metric: ndcg_at_10\nsubsets: {default: [eng-Latn]}\n",
        encoding="utf-8",
    )
    options = ("--tasks-dir", str(tmp_path), "--offline", "--max-texts", "20")
    packages = imported(tmp_path, "run", models.BUNDLED, "-t", "Small,MiniSTSGerman", *options)
    assert {"torch", "tokenizers"} <= packages
    assert packages.isdisjoint({"sentence_transformers", "transformers", "sklearn", "scipy", "datasets", "mteb"})
