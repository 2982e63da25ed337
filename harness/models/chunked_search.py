"""Search by a model that compares queries with documents itself: the documents are encoded and compared in chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from harness.evaluators import search

if TYPE_CHECKING:
    from harness.types import Float32, Hits, Int64


class Compare(Protocol):
    """Compares some of the queries with documents of an encoded chunk."""

    def __call__(self, queries: slice, chunk: Any, at: Int64 | None) -> Float32:
        """(queries, documents) float32 scores with the documents `at` these positions of the chunk; None for all."""
        ...


def search_in_chunks(
    n_queries: int,
    documents: Sequence[str],
    *,
    document_ids: Sequence[str],
    candidates: Sequence[Int64] | None,
    k: int,
    encode: Callable[[Sequence[str]], Any],
    compare: Compare,
    documents_at_once: int,
    queries_at_once: int,
) -> Hits:
    """The best `k` documents of each query, among all or among its candidates.

    Args:
        n_queries: the number of queries.
        documents: the texts of the corpus.
        document_ids: ids of all documents.
        candidates: for every query, the positions of the documents to rank; None to rank all.
        k: depth of the ranking.
        encode: a chunk of the documents -> whatever `compare` takes for it.
        compare: gives the scores.
        documents_at_once: documents in a chunk, which bounds memory together with the next one.
        queries_at_once: the most queries that are compared with a chunk in one call.
    """
    top = search.TopK(n_queries, k=k, document_ids=document_ids)
    wanted = None if candidates is None else [np.unique(places) for places in candidates]
    for start in range(0, len(documents) if n_queries else 0, documents_at_once):
        texts = documents[start : start + documents_at_once]
        chunk = encode(texts)
        if wanted is None:
            for first in range(0, n_queries, queries_at_once):
                scores = compare(slice(first, min(first + queries_at_once, n_queries)), chunk, None)
                top.fold(scores, start=start, first_query=first)
            continue
        for row, places in enumerate(wanted):
            here = places[(places >= start) & (places < start + len(texts))]
            if len(here):
                top.fold(compare(slice(row, row + 1), chunk, here - start), at=here, first_query=row)
    return top.hits()
