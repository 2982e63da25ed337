"""Search in compressed vectors: rescoring all documents is the float search, rescoring none the compressed one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.encoding.compression import Compression, stored_bytes
from harness.errors import EncodeError
from harness.evaluators import compressed_search, search
from harness.evaluators.compressed_search import ComparedHits
from harness.evaluators.task_kind import SearchProblem
from harness.types import Hits, VectorTransform


def vectors(generator: np.random.Generator, n: int, dim: int) -> np.ndarray:
    """Few different numbers, so that many documents tie; no row is zero."""
    rows = generator.integers(-2, 3, (n, dim)).astype(np.float32)
    rows[~rows.any(axis=1), 0] = 1
    return rows


def compressed(
    queries: np.ndarray,
    blocks: list[np.ndarray],
    transform: VectorTransform,
    *,
    k: int,
    similarity: str = "cosine",
    candidates: list[np.ndarray] | None = None,
) -> ComparedHits:
    compression = Compression.calibrated(transform, similarity, documents=blocks[0])
    ids = [f"d{place}" for place in range(sum(map(len, blocks)))]
    return compressed_search.search(
        compression.views(queries),
        map(compression.views, blocks),
        problem=SearchProblem(ids, k, candidates),
        similarity=similarity,
        searched_by=compression.searched_by,
        rescore=transform.rescore,
    )


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 30),
    k=st.integers(1, 35),
    block=st.integers(1, 30),
    dims=st.sampled_from([None, 3, 8]),
    quantize=st.sampled_from(["int8", "binary"]),
    similarity=st.sampled_from(["cosine", "dot", "euclidean", "manhattan"]),
    some=st.booleans(),
)
def test_rescoring_everything_is_the_float_search(seed, n, k, block, dims, quantize, similarity, some):
    """Hits, ties and scores are those of the float search to the bit, in the corpus and among candidates."""
    generator = np.random.default_rng(seed)
    queries, documents = vectors(generator, 3, 8), vectors(generator, n, 8)
    blocks = [documents[start : start + block] for start in range(0, n, block)]
    candidates = [generator.permutation(n)[: generator.integers(0, n + 1)] for _ in queries] if some else None
    hits, _ = compressed(
        queries, blocks, VectorTransform(dims, quantize, n), k=k, similarity=similarity, candidates=candidates
    )
    ids = [f"d{place}" for place in range(n)]
    kept = {"document_ids": ids, "k": k, "similarity": similarity}
    if candidates is None:
        expected = search.search(queries[:, :dims], [rows[:, :dims] for rows in blocks], **kept)
    else:
        expected = search.rerank(queries[:, :dims], documents[:, :dims], candidates, **kept)
    assert hits.indices.tolist() == expected.indices.tolist()
    there = hits.indices >= 0
    assert hits.scores[there].tolist() == expected.scores[there].tolist()


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 30),
    k=st.integers(1, 35),
    rescore=st.integers(0, 35),
    block=st.integers(1, 12),
)
def test_the_first_are_ranked_again(seed, n, k, rescore, block):
    """As sorting: all by one score, then the first of them by the other; the scores never rise; 0 is a plain search."""
    generator = np.random.default_rng(seed)
    ids = [f"d{place}" for place in generator.permutation(n)]
    scores, floats = (generator.integers(-4, 4, (2, n)).astype(np.float32) for _ in range(2))
    top = search.RescoredTopK(2, k=k, document_ids=ids, rescore=rescore)
    plain = search.TopK(2, k=k, document_ids=ids)
    for start in range(0, n, block):
        some = slice(start, start + block)
        top.fold(scores[:, some], floats=floats[:, some], start=start)
        plain.fold(scores[:, some], start=start)
    hits = top.hits()
    for row in range(2):
        order = sorted(range(n), key=lambda place: (scores[row, place], ids[place]), reverse=True)
        again = sorted(order[:rescore], key=lambda place: (floats[row, place], ids[place]), reverse=True)
        assert search.positions(hits, row).tolist() == [*again, *order[rescore:]][:k]
        assert (np.diff(hits.scores[row]) <= 0).all()
        assert hits.scores[row, : len(again[:k])].tolist() == floats[row, again[:k]].tolist()
    if rescore <= 1:  # to rank one document again changes no order
        assert hits.indices.tolist() == plain.hits().indices.tolist()


def test_binary_by_hand() -> None:
    """Two documents have the signs of the query and one has not: cosines .96 and .685, and .729, decide among N."""
    queries = np.array([[4, 3]], np.float32)
    documents = np.array([[3, 4], [1, 9], [9, -1]], np.float32)
    for rescore, expected in ((1, [1, 0, 2]), (2, [0, 1, 2]), (3, [0, 2, 1])):  # d1 first: equal signs, greater id
        hits, of_floats = compressed(queries, [documents], VectorTransform(None, "binary", rescore), k=3)
        assert hits.indices.tolist() == [expected]
        assert of_floats.indices.tolist() == [[0, 2, 1]]
    hits, _ = compressed(queries, [documents], VectorTransform(None, "binary", 2), k=3)
    nearest, second = 24 / 25, 31 / (5 * 82**0.5)
    assert hits.scores[0] == pytest.approx([nearest, second, second], abs=1e-6)


def test_int8_by_hand() -> None:
    """Documents from 0 to 255 in both dimensions are their own codes plus 128; a query beyond the range is clipped."""
    documents = np.array([[0, 255], [255, 0], [100, 200]], np.float32)
    transform = VectorTransform(None, "int8", 1)
    compression = Compression.calibrated(transform, "dot", documents=documents)
    assert compression.views(documents).searched.tolist() == [[-128, 127], [127, -128], [-28, 72]]
    query = compression.views(np.array([[300, -5]], np.float32))
    assert query.searched.tolist() == [[127, -128]]
    hits, of_floats = compressed(np.array([[300, -5]], np.float32), [documents], transform, k=3, similarity="dot")
    # Dot products of codes: -32512, 32513 and -12772; the first keeps its place, the others continue below it.
    assert hits.indices.tolist() == of_floats.indices.tolist() == [[1, 2, 0]]
    assert hits.scores.tolist() == [[76500, 76500, 76500 - 32512 + 12772]]


def test_kept_hits_by_hand() -> None:
    """At 1 one of two queries keeps its first document; at 10 half of four and all of two; no query, no share."""
    indices = np.full((3, 10), -1)
    of_floats = indices.copy()
    of_floats[0, :4], indices[0, :4] = [0, 1, 2, 3], [0, 9, 8, 3]
    of_floats[1, :2], indices[1, :2] = [5, 6], [6, 5]
    no_scores = np.zeros((3, 10), np.float32)
    hits, floats = (Hits(indices=rows, scores=no_scores) for rows in (indices, of_floats))
    assert compressed_search.kept_hits(ComparedHits(hits, floats)) == {
        "float_recall_at_1": 0.5,
        "float_recall_at_10": 0.75,
    }
    nothing = Hits(indices=indices[2:], scores=no_scores[2:])
    assert compressed_search.kept_hits(ComparedHits(nothing, nothing)) == {}


@pytest.mark.parametrize(
    ("transform", "searched", "rescored"),
    [
        (VectorTransform(), 1536, 0),
        (VectorTransform(64), 256, 0),
        (VectorTransform(None, "int8"), 384, 0),
        (VectorTransform(None, "binary"), 48, 0),
        (VectorTransform(20, "binary"), 3, 0),
        (VectorTransform(64, "int8", 10), 64, 256),
        (VectorTransform(None, "binary", 100), 48, 1536),
    ],
)
def test_bytes_by_hand(transform: VectorTransform, searched: int, rescored: int) -> None:
    """Of 384 dimensions: 4 bytes, one, or a bit each, in whole bytes; floats are kept where they score again."""
    stored = stored_bytes(transform, 384)
    assert (stored.searched, stored.rescored, stored.total) == (searched, rescored, searched + rescored)


def test_too_many_dimensions() -> None:
    """Rescoring refuses them as everything else does."""
    rows = np.ones((2, 4), np.float32)
    with pytest.raises(EncodeError, match="dims 5: the model's vectors have 4 dimensions"):
        compressed(rows, [rows], VectorTransform(5, "binary", 1), k=1)
