"""Exact top-k search over a stream of document blocks: bounded memory, ties by document id.

The running result of a query is `k` unsigned 64-bit keys. The upper 32 bits are the float32 score, mapped so that
integer order is score order; the lower 32 bits are the rank of the document's id. One comparison of integers is
then the whole ranking rule: the higher score first, among equal scores the greater id (as trec_eval and mteb 2.26 break
ties). Score and document are read back from the key, so nothing else is stored. Whatever the size and the order of the
blocks, the result is the same to the bit as sorting everything at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.evaluators import parallel
from harness.evaluators.similarity import block_scores, prepare
from harness.types import Hits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float32, Int64

SCORES_AT_ONCE = 1 << 21
"""The most scores of one group of queries, which one core computes; this bounds memory. The grouping decides the last
bits of a score, so it does not depend on the number of cores."""


_QUERIES_AT_ONCE = 10_000
"""How many queries have their hits sorted at once."""


def places_by_id(document_ids: Sequence[str]) -> Int64:
    """(n,) the places of the documents in the order of their ids, by which equal scores are ranked."""
    return np.asarray(sorted(range(len(document_ids)), key=document_ids.__getitem__), dtype=np.int64)


class TopK:
    """The best `k` documents of every query so far.

    Args:
        n_queries: number of rows of every score block.
        k: depth of the ranking.
        document_ids: all ids, in corpus order. Documents of one id are ranked by their place, the later one first.
    """

    def __init__(self, n_queries: int, *, k: int, document_ids: Sequence[str]) -> None:
        if len(document_ids) >= 2**32 - 1:
            raise ValueError(f"{len(document_ids)} documents: at most 2**32 - 2 can be ranked")
        self._by_rank = places_by_id(document_ids)
        self._rank = np.empty(len(document_ids), dtype=np.uint64)
        self._rank[self._by_rank] = np.arange(1, len(document_ids) + 1, dtype=np.uint64)
        self._keys = np.zeros((n_queries, min(k, len(document_ids))), dtype=np.uint64)

    def fold(self, scores: Float32, *, start: int = 0, at: Int64 | None = None, first_query: int = 0) -> None:
        """Add scores (n, m) float32, without NaN. A document must not be added twice for a query.

        Args:
            scores: of n queries with m documents.
            start: the position of the first document, where they are consecutive.
            at: (m,) the positions of the documents, where they are not.
            first_query: the row of the first query.
        """
        rows = slice(first_query, first_query + len(scores))
        ranks = self._rank[start : start + scores.shape[1]] if at is None else self._rank[at]
        merged = np.concatenate([self._keys[rows], _ordered(scores) << np.uint64(32) | ranks], axis=1)
        k = self._keys.shape[1]
        if merged.shape[1] > k:
            merged = np.partition(merged, merged.shape[1] - k, axis=1)[:, -k:]
        self._keys[rows] = merged

    def hits(self) -> Hits:
        """The ranking, best first; -1 pads where fewer than `k` documents were folded in."""
        indices = np.empty(self._keys.shape, dtype=np.int64)
        scores = np.empty(self._keys.shape, dtype=np.float32)
        for start in range(0, len(indices), _QUERIES_AT_ONCE):  # the copies of all would need much memory
            rows = slice(start, start + _QUERIES_AT_ONCE)
            keys = np.sort(self._keys[rows], axis=1)[:, ::-1]
            ranks = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
            indices[rows] = np.where(keys != 0, self._by_rank[np.maximum(ranks - 1, 0)], -1) if keys.size else ranks
            scores[rows] = _floats(keys >> np.uint64(32))
        return Hits(indices=indices, scores=scores)


class RescoredTopK(TopK):
    """The best documents of every query, of which the first `rescore` are ranked again by other scores.

    Those behind them stay behind them in their order. With `rescore` 0 it is a `TopK`, and where all documents are
    ranked again, the hits are those of a `TopK` of the other scores.

    Args:
        n_queries, k, document_ids: as for `TopK`.
        rescore: how many of the best documents of each query are ranked again; more than `k` are possible.
    """

    def __init__(self, n_queries: int, *, k: int, document_ids: Sequence[str], rescore: int) -> None:
        super().__init__(n_queries, k=max(k, rescore), document_ids=document_ids)
        self._k, self._rescore = k, rescore
        self._floats = np.zeros(self._keys.shape if rescore else (n_queries, 0), dtype=np.float32)

    def fold(
        self,
        scores: Float32,
        *,
        start: int = 0,
        at: Int64 | None = None,
        first_query: int = 0,
        floats: Float32 | None = None,
    ) -> None:
        """As `TopK.fold`; `floats` (n, m) float32 are the other scores."""
        if not self._rescore:
            super().fold(scores, start=start, at=at, first_query=first_query)
            return
        assert floats is not None, "documents are ranked again by scores of their own"
        rows = slice(first_query, first_query + len(scores))
        ranks = self._rank[start : start + scores.shape[1]] if at is None else self._rank[at]
        merged = np.concatenate([self._keys[rows], _ordered(scores) << np.uint64(32) | ranks], axis=1)
        beside = np.concatenate([self._floats[rows], floats], axis=1)
        k = self._keys.shape[1]
        if merged.shape[1] > k:
            best = np.argpartition(merged, merged.shape[1] - k, axis=1)[:, -k:]
            merged, beside = np.take_along_axis(merged, best, axis=1), np.take_along_axis(beside, best, axis=1)
        self._keys[rows], self._floats[rows] = merged, beside

    def hits(self) -> Hits:
        """The ranking, best first.

        The scores of documents that were not ranked again are moved by one number for each query, so that the best of
        them continues where the others end. What is made of the scores themselves, not of their order (nAUC by the
        standard deviation, the best of several queries), is a mixture where `rescore` is less than the depth.
        """
        hits, n = super().hits(), min(self._rescore, self._keys.shape[1])
        if not n:
            return hits
        indices, scores = hits.indices, hits.scores
        order = np.argsort(self._keys, axis=1)[:, : -n - 1 : -1]
        is_hit = indices[:, :n] >= 0
        floats = np.where(is_hit, np.take_along_axis(self._floats, order, axis=1), np.float32(-np.inf))
        ranks = np.where(is_hit, self._rank[indices[:, :n]], 0)
        best_first = np.lexsort((ranks, floats), axis=1)[:, ::-1]
        indices[:, :n] = np.take_along_axis(indices[:, :n], best_first, axis=1)
        scores[:, :n] = np.take_along_axis(floats, best_first, axis=1)
        if n < indices.shape[1]:
            longer = indices[:, n] >= 0
            last, behind = scores[longer, n - 1 : n], scores[longer, n:]
            scores[longer, n:] = np.minimum(behind + (last - behind[:, :1]), last)
        return Hits(indices=indices[:, : self._k], scores=scores[:, : self._k])


def _ordered(scores: Float32) -> NDArray[np.uint64]:
    """Bits of float32 as unsigned integers in the order of the floats (sign bit flipped, negatives inverted)."""
    bits = np.ascontiguousarray(scores + np.float32(0.0), dtype=np.float32).view(
        np.uint32
    )  # + 0.0 makes -0.0 equal 0.0
    flip = np.where(bits >> 31, np.uint32(0xFFFFFFFF), np.uint32(0x80000000))
    return (bits ^ flip).astype(np.uint64)


def _floats(ordered: NDArray[np.uint64]) -> Float32:
    """The inverse of `_ordered`."""
    bits = ordered.astype(np.uint32)
    flip = np.where(bits >> 31, np.uint32(0x80000000), np.uint32(0xFFFFFFFF))
    return (bits ^ flip).view(np.float32)


def search(
    queries: Float32,
    blocks: Iterable[Float32],
    *,
    document_ids: Sequence[str],
    k: int,
    similarity: str,
) -> Hits:
    """The best `k` documents of each query, exactly.

    Args:
        queries: (n_queries, dim) float32.
        blocks: the vectors of the corpus in order, in pieces (m, dim) float32 of any size.
        document_ids: ids of all documents, in the order of the blocks.
        k: depth of the ranking.
        similarity: one of `similarity.NAMES`.
    """
    top = TopK(len(queries), k=k, document_ids=document_ids)
    queries = prepare(queries, similarity=similarity)
    start = 0
    for block in blocks:
        documents = prepare(block, similarity=similarity)
        step = max(1, SCORES_AT_ONCE // max(1, len(documents)))

        def fold(first: int, documents: Float32 = documents, step: int = step, start: int = start) -> None:
            scores = block_scores(queries[first : first + step], documents, similarity=similarity)
            top.fold(scores, start=start, first_query=first)

        parallel.each(fold, range(0, len(queries), step))
        start += len(block)
    if start != len(document_ids):
        raise ValueError(f"{start} document vectors for {len(document_ids)} document ids")
    return top.hits()


def rerank(
    queries: Float32,
    documents: Float32,
    candidates: Sequence[Int64],
    *,
    document_ids: Sequence[str],
    k: int,
    similarity: str,
) -> Hits:
    """The best `k` of each query's own candidates.

    Args:
        queries: (n_queries, dim) float32.
        documents: (n_documents, dim) float32.
        candidates: for every query, the positions of the documents to rank.
        document_ids: ids of all documents.
        k: depth of the ranking.
        similarity: one of `similarity.NAMES`.
    """
    top = TopK(len(queries), k=min(k, max(map(len, candidates), default=0)), document_ids=document_ids)
    queries, documents = prepare(queries, similarity=similarity), prepare(documents, similarity=similarity)
    for row, places in enumerate(candidates):
        distinct = np.unique(places)
        if len(distinct):
            scores = block_scores(queries[row : row + 1], documents[distinct], similarity=similarity)
            top.fold(scores, at=distinct, first_query=row)
    return top.hits()


def positions(hits: Hits, row: int) -> Int64:
    """The document positions found for query `row`, best first, without padding."""
    indices = hits.indices[row]
    return indices[indices >= 0]
