"""`search`: exact, whatever the blocks, ties by id."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.evaluators import search
from harness.evaluators import similarity as similarity_module
from harness.types import Hits


def brute_force(scores: np.ndarray, document_ids: list[str], k: int) -> list[list[int]]:
    rows = []
    for row in scores:
        order = sorted(range(len(row)), key=lambda i: (row[i], document_ids[i]), reverse=True)
        rows.append(order[:k])
    return rows


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_queries=st.integers(1, 5),
    n_documents=st.integers(1, 40),
    k=st.integers(1, 50),
    block=st.integers(1, 15),
    levels=st.sampled_from([2, 5, 1000]),
)
def test_equals_sorting_everything(seed, n_queries, n_documents, k, block, levels):
    """Any blocking gives the order of a full sort by (score, id) descending, with many exact ties."""
    rng = np.random.default_rng(seed)
    ids = [f"d{i}" for i in rng.permutation(n_documents)]
    scores = (rng.integers(-levels, levels, (n_queries, n_documents)) / levels).astype(np.float32)
    top = search.TopK(n_queries, k=k, document_ids=ids)
    for start in range(0, n_documents, block):
        top.fold(scores[:, start : start + block], start=start)
    hits = top.hits()
    expected = brute_force(scores, ids, k)
    for row in range(n_queries):
        assert search.positions(hits, row).tolist() == expected[row]
        assert hits.scores[row][: len(expected[row])].tolist() == scores[row][expected[row]].tolist()


def test_cosine_by_hand():
    """Cosine of (3, 4) with (4, 3), (3, 4) and (-3, -4) is 24/25, 1 and -1, whatever the lengths."""
    queries = np.array([[3, 4]], np.float32)
    documents = np.array([[4, 3], [30, 40], [-3, -4]], np.float32)
    hits = search.search(
        queries, [documents[:1], documents[1:]], document_ids=["a", "b", "c"], k=2, similarity="cosine"
    )
    assert hits.indices.tolist() == [[1, 0]]
    assert hits.scores[0] == pytest.approx([1, 24 / 25], abs=1e-6)


@pytest.mark.parametrize(("similarity", "expected"), [("dot", 11.0), ("euclidean", -(8**0.5)), ("manhattan", -4.0)])
def test_other_similarities_by_hand(similarity, expected):
    """(1, 2) against (3, 4): dot 11, minus the Euclidean distance sqrt(8), minus the Manhattan distance 4."""
    scores = similarity_module.block_scores(
        np.array([[1, 2]], np.float32), np.array([[3, 4]], np.float32), similarity=similarity
    )
    assert scores[0, 0] == pytest.approx(expected, rel=1e-6)


def test_padding_and_zero_signs():
    """Missing documents are -1, and -0.0 ties with 0.0 (the greater id wins)."""
    top = search.TopK(1, k=5, document_ids=["a", "b"])
    top.fold(np.array([[0.0, -0.0]], np.float32), start=0)
    hits = top.hits()
    assert isinstance(hits, Hits)
    assert hits.indices.tolist() == [[1, 0]]


def test_a_missing_block_is_an_error():
    """Vectors and ids that do not match in number are refused."""
    with pytest.raises(ValueError, match="1 document vectors for 2"):
        search.search(
            np.ones((1, 2), np.float32), [np.ones((1, 2), np.float32)], document_ids=["a", "b"], k=1, similarity="dot"
        )
