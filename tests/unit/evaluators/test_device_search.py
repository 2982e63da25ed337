"""The search on a device, run on the CPU: the hits, scores and ties of the search in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.evaluators import device_search, search
from harness.evaluators.similarity import NAMES
from harness.types import Hits

torch = pytest.importorskip("torch")


def assert_equal(hits: Hits, expected: Hits) -> None:
    assert hits.indices.dtype == np.int64
    assert hits.indices.tolist() == expected.indices.tolist()
    is_hit = expected.indices >= 0
    assert hits.scores[is_hit].tolist() == expected.scores[is_hit].tolist()


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_queries=st.integers(0, 5),
    n_documents=st.integers(1, 40),
    k=st.integers(1, 50),
    block=st.integers(1, 15),
    similarity=st.sampled_from(["dot", "manhattan"]),
    in_candidates=st.booleans(),
)
def test_equals_numpy(
    seed: int, n_queries: int, n_documents: int, k: int, block: int, similarity: str, in_candidates: bool
) -> None:
    """With whole numbers, whose scores are exact, hits, scores and the many ties are those of numpy to the bit.

    So they are in candidates, some named twice and some queries with none.
    """
    rng = np.random.default_rng(seed)
    ids = [f"d{i}" for i in rng.permutation(n_documents)]
    queries, documents = (rng.integers(-2, 3, (n, 3)).astype(np.float32) for n in (n_queries, n_documents))
    pieces = [documents[start : start + block] for start in range(0, n_documents, block)]
    options = {"document_ids": ids, "k": k, "similarity": similarity}
    if in_candidates:
        candidates = [rng.integers(0, n_documents, rng.integers(0, 9)) for _ in range(n_queries)]
        expected = search.rerank(queries, documents, candidates, **options)
        hits = device_search.search(queries, pieces, device="cpu", candidates=candidates, **options)
    else:
        expected = search.search(queries, pieces, **options)
        hits = device_search.search(queries, pieces, device="cpu", **options)
    assert_equal(hits, expected)


@pytest.mark.parametrize("similarity", NAMES)
def test_real_numbers(similarity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With random vectors the documents are those of numpy, with scores to 1e-5, in groups of few queries too."""
    monkeypatch.setattr(device_search, "_SCORES_AT_ONCE", 1000)
    rng = np.random.default_rng(0)
    queries, documents = (rng.standard_normal((n, 24)).astype(np.float32) for n in (33, 700))
    documents[::50] = documents[0]  # ties
    ids = [f"d{i * 7919 % 700:04}" for i in range(700)]
    options = {"document_ids": ids, "k": 20, "similarity": similarity}
    pieces = [documents[:300], documents[300:]]
    expected = search.search(queries, pieces, **options)
    hits = device_search.search(queries, pieces, device="cpu", **options)
    np.testing.assert_allclose(hits.scores, expected.scores, rtol=1e-5, atol=1e-5)
    assert hits.indices.tolist() == expected.indices.tolist()


def test_zero_signs_and_unmatched_blocks() -> None:
    """-0.0 ties with 0.0, and vectors that do not match the ids in number are refused."""
    documents = np.array([[0.0], [-0.0], [-1.0]], np.float32)
    hits = device_search.search(
        np.ones((1, 1), np.float32), [documents], document_ids=["a", "b", "c"], k=3, similarity="dot", device="cpu"
    )
    assert (hits.indices.tolist(), hits.scores.tolist()) == ([[1, 0, 2]], [[0.0, 0.0, -1.0]])
    with pytest.raises(ValueError, match="3 document vectors for 2"):
        device_search.search(documents, [documents], document_ids=["a", "b"], k=1, similarity="dot", device="cpu")


def test_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of queries that do not fit are made smaller, and stay so; if nothing fits, the error names the device."""
    rng = np.random.default_rng(0)
    queries, documents = (rng.integers(-2, 3, (n, 3)).astype(np.float32) for n in (64, 100))
    options = {"document_ids": [f"d{i}" for i in range(100)], "k": 5, "similarity": "dot"}
    sizes: list[int] = []
    room = 1000
    merge = device_search._TopK._merge

    def tight(self: device_search._TopK, rows: slice, *rest: object) -> None:
        sizes.append((rows.stop - rows.start) * 100)
        if sizes[-1] > room:
            raise torch.OutOfMemoryError("no room")
        merge(self, rows, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(device_search._TopK, "_merge", tight)
    monkeypatch.setattr(device_search, "_SCORES_AT_ONCE", 3200)
    monkeypatch.setattr(device_search, "_FEWEST_SCORES", 100)
    pieces = [documents, documents[:0]]
    hits = device_search.search(queries, pieces, device="cpu", **options)
    assert_equal(hits, search.search(queries, pieces, **options))
    assert [size for size in sizes if size > room] == [3200, 1600]
    room = 0
    with pytest.raises(HarnessError, match="searching on cpu: no memory is left"):
        device_search.search(queries, pieces, device="cpu", **options)


def test_the_precision_of_the_process_is_left_alone() -> None:
    """Whatever precision matrix products have in the process, the search computes in full float32 and restores it."""
    used: list[str] = []

    def pieces() -> object:
        used.append(torch.get_float32_matmul_precision())
        yield np.ones((1, 1), np.float32)

    torch.set_float32_matmul_precision("medium")
    try:
        device_search.search(
            np.ones((1, 1), np.float32), pieces(), document_ids=["a"], k=1, similarity="dot", device="cpu"
        )
        assert torch.get_float32_matmul_precision() == "medium"
        assert used == ["medium"]
    finally:
        torch.set_float32_matmul_precision("highest")
