"""Texts and pairs that sparse, multi-vector and cross-encoder models cut are counted from the library's own calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.models import open_model, resolve
from harness.outputs import run_costs
from harness.types import EncodeOptions, Encoder, Prompt, RankedDocuments, Searcher, SidePrompts
from tests.encoders import NO_PROMPT
from tests.tiny import MAX_LENGTH, save_cross_encoder, save_multi_vector, save_sparse_encoder

FITS = "a" * (MAX_LENGTH - 2)
"""With [CLS] and [SEP] it fills the maximum length."""


def opened(folder: Path) -> Any:
    return open_model(resolve(str(folder)), EncodeOptions(device="cpu"))


def ranked(model: Searcher, queries: list[str], documents: list[str], **options: Any) -> RankedDocuments:
    return model.search(
        queries,
        documents,
        document_ids=[str(place) for place in range(len(documents))],
        k=len(documents),
        languages=(),
        **{"candidates": None, "prompts": SidePrompts(NO_PROMPT, NO_PROMPT), **options},
    )


@pytest.fixture
def texts_tokenized(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts each call of a tokenizer was given."""
    from transformers import PreTrainedTokenizerFast

    calls: list[int] = []
    original = PreTrainedTokenizerFast.__call__

    def called(self: Any, text: Any, *arguments: Any, **options: Any) -> Any:
        calls.append(len(text))
        return original(self, text, *arguments, **options)

    monkeypatch.setattr(PreTrainedTokenizerFast, "__call__", called)
    return calls


def test_pairs_of_a_cross_encoder(tmp_path: Path, texts_tokenized: list[int]) -> None:
    """A pair counts as cut when query and document together with three special tokens exceed the maximum length; the
    pairs are tokenized once.
    """
    model = opened(save_cross_encoder(tmp_path / "model"))
    documents = ["b", "b" * (MAX_LENGTH - 3 - 10), "b" * (MAX_LENGTH - 3 - 9), "b " * 500]
    texts_tokenized.clear()
    answer = ranked(model, ["a" * 10, "a" * 9], documents, candidates=[np.arange(4), np.array([0, 2, 2])])
    assert (answer.pairs, answer.pairs_truncated) == (6, 2)
    assert (answer.texts_truncated, answer.tokens) == (None, None)
    lengths = [10 + 1, 61, 62, 10 + 500, 9 + 1, 9 + 52]
    assert answer.tokens_encoded == sum(min(length + 3, MAX_LENGTH) for length in lengths)
    assert answer.tokens_padded == 6 * MAX_LENGTH
    assert sum(texts_tokenized) == 6
    again = ranked(model, ["a"], ["b"], candidates=[np.array([0])])
    assert (again.pairs, again.pairs_truncated, again.tokens_encoded) == (1, 0, 5), "counts of a search are its own"


@pytest.mark.parametrize("save", [save_sparse_encoder, save_multi_vector])
def test_texts_of_models_that_search(save: Callable[..., Path], tmp_path: Path, texts_tokenized: list[int]) -> None:
    """A text counts as cut when it exceeds the maximum length with its prompt; no text is tokenized twice."""
    model = opened(save(tmp_path / "model"))
    texts_tokenized.clear()
    answer = ranked(model, ["a", FITS], [FITS, FITS + "b", "b", "b " * 200])
    assert (answer.texts_truncated, answer.tokens) == (2, 3 + 64 + 64 + 64 + 3 + 64)
    assert (answer.pairs, answer.pairs_truncated) == (None, None)
    assert sum(texts_tokenized) == 6
    prompts = SidePrompts(Prompt(None, "x"), Prompt(None, "yy"))
    assert ranked(model, ["a", FITS], [FITS, FITS[2:], "b"], prompts=prompts).texts_truncated == 2


def test_vectors_of_a_sparse_encoder(tmp_path: Path) -> None:
    """The counts are those of each text, in the order of the texts, though the library sorts them."""
    model = opened(save_sparse_encoder(tmp_path / "model"))
    assert isinstance(model, Encoder)
    texts = ["b", FITS + "b", "abc", FITS, "b"] * 10
    for batching in ("tokens", "mteb"):
        [encoded, empty] = model.encode([texts, []], prompt=NO_PROMPT, role=None, batching=batching)
        assert encoded.tokens is not None
        assert encoded.tokens.tolist() == [3, 64, 5, 64, 3] * 10
        assert encoded.truncated is not None
        assert encoded.truncated.tolist() == [False, True, False, False, False] * 10
        assert len(empty.vectors) == 0


@pytest.mark.parametrize(("expansion", "of_queries"), [(None, 20), ("fixed", 16), ("min", 20)])
def test_lengths_of_queries_and_documents(expansion: str | None, of_queries: int, tmp_path: Path) -> None:
    """A multi-vector model cuts queries and documents at lengths of their own, which the facts hold; an expansion of
    queries to a fixed width cuts them there.
    """
    pytest.importorskip("sentence_transformers.multi_vector_encoder", reason="needs sentence-transformers 6")
    from sentence_transformers import MultiVectorEncoder

    folder = save_multi_vector(tmp_path / "plain")
    library = MultiVectorEncoder(str(folder), device="cpu")
    library[0].query_length, library[0].document_length = 20, 30
    if expansion is not None:
        library[0].query_expansion = {"strategy": expansion, "length": 16}
    library.save(str(tmp_path / "model"), create_model_card=False)
    model = opened(tmp_path / "model")
    assert model.facts.max_lengths == {"query": of_queries, "document": 30}
    queries = ["a", "a" * (of_queries - 2), "a" * (of_queries - 1)]
    assert ranked(model, queries, ["b" * 28, "b" * 29, "b" * 60]).texts_truncated == 1 + 2


def test_the_line_at_the_end() -> None:
    """Cut pairs are told beside the texts, also where other parts have no pairs."""
    part = {"seconds": {"encode": 1.0}, "texts": 30, "texts_truncated": 4}
    assert "60 texts, 8 cut at the maximum length; 70 pairs of texts, 5 cut at the maximum length" in run_costs.line(
        [part, {**part, "pairs": 70, "pairs_truncated": 5}]
    )
    of_pairs = {**part, "texts_truncated": None, "pairs": 70, "pairs_truncated": 0}
    assert "; 30 texts; 70 pairs of texts; " in f"; {run_costs.line([of_pairs])}"
