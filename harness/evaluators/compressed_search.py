"""Exact search in compressed vectors beside the search in a model's own: hits, and the share of hits that is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from harness.evaluators import parallel
from harness.evaluators.search import SCORES_AT_ONCE, RescoredTopK, TopK
from harness.evaluators.similarity import block_scores
from harness.types import Hits

if TYPE_CHECKING:
    from harness.evaluators.task_kind import SearchProblem
    from harness.types import Float32, Int64

CUTOFFS = (1, 10, 100)
"""The depths at which hits are compared with those of the float search."""


class Views(NamedTuple):
    """Vectors of the same n texts in several forms, each prepared for `similarity.block_scores`.

    Attributes:
        plain: (n, dim) float32, as the model gives them.
        searched: (n, dims) float32, compared with everything; for `hamming` 1 and -1.
        rescored: (n, dims) float32, by which candidates are ranked again; `plain` itself where nothing was cut, and
            None where nothing is ranked again.
    """

    plain: Float32
    searched: Float32
    rescored: Float32 | None

    def at(self, rows: slice | Int64) -> Views:
        """Some of the texts."""
        rescored = self.rescored
        if rescored is None:
            return Views(self.plain[rows], self.searched[rows], None)
        plain = self.plain[rows]
        return Views(plain, self.searched[rows], plain if rescored is self.plain else rescored[rows])


class ComparedHits(NamedTuple):
    """The hits of a compressed search, and those of the model's own vectors down to the last of `CUTOFFS`."""

    hits: Hits
    of_floats: Hits


def search(
    queries: Views,
    blocks: Iterable[Views],
    *,
    problem: SearchProblem,
    similarity: str,
    searched_by: str,
    rescore: int = 0,
) -> ComparedHits:
    """The best documents of each query by their compressed vectors, and by the model's own.

    The scores of floats are to the bit those of `search.search` and `search.rerank` on the same blocks.

    Args:
        queries: of n queries.
        blocks: of the corpus in order, in pieces of any size.
        problem: what to search; its depth is that of the hits.
        similarity: of floats; one of `similarity.NAMES`.
        searched_by: of the vectors that are searched; one of `similarity.NAMES`, or `hamming`.
        rescore: how many of the best documents of each query are ranked again by their floats.
    """
    n, ids, depth = len(queries.plain), problem.document_ids, problem.depth
    if problem.candidates is not None:
        depth = min(depth, max(map(len, problem.candidates), default=0))
    top = RescoredTopK(n, k=depth, document_ids=ids, rescore=rescore)
    of_floats = TopK(n, k=min(depth, CUTOFFS[-1]), document_ids=ids)

    def fold(some: Views, documents: Views, *, first: int, start: int = 0, at: Int64 | None = None) -> None:
        plain = block_scores(some.plain, documents.plain, similarity=similarity)
        of_floats.fold(plain, start=start, at=at, first_query=first)
        floats = None
        if some.rescored is not None and documents.rescored is not None:
            is_plain = some.rescored is some.plain
            floats = plain if is_plain else block_scores(some.rescored, documents.rescored, similarity=similarity)
        scores = _scores(some.searched, documents.searched, by=searched_by)
        top.fold(scores, floats=floats, start=start, at=at, first_query=first)

    if problem.candidates is None:
        _fold_blocks(queries, blocks, fold=fold)
    else:
        documents = _joined(list(blocks))
        for row, places in enumerate(problem.candidates):
            distinct = np.unique(places)
            if len(distinct):
                fold(queries.at(slice(row, row + 1)), documents.at(distinct), first=row, at=distinct)
    return ComparedHits(top.hits(), of_floats.hits())


def kept_hits(compared: ComparedHits) -> Mapping[str, float]:
    """`float_recall_at_k`: the share of the first k documents of the float search that are among the first k here.

    A mean over the queries that have hits, at each of `CUTOFFS` that is not deeper than the search.
    """
    hits, of_floats = compared.hits.indices, compared.of_floats.indices
    shares: dict[str, float] = {}
    for k in CUTOFFS:
        if k > of_floats.shape[1]:
            break
        expected = [row[row >= 0] for row in of_floats[:, :k]]
        of_queries = [np.isin(row, ranked[:k]).mean() for row, ranked in zip(expected, hits, strict=True) if len(row)]
        if of_queries:
            shares[f"float_recall_at_{k}"] = float(np.mean(of_queries))
    return shares


class _Fold(Protocol):
    """Compares some of the queries, from `first` on, with documents, from `start` on, and keeps the best."""

    def __call__(self, some: Views, documents: Views, *, first: int, start: int) -> None: ...


def _fold_blocks(queries: Views, blocks: Iterable[Views], *, fold: _Fold) -> None:
    start = 0
    for documents in blocks:
        step = max(1, SCORES_AT_ONCE // max(1, len(documents.plain)))

        def some(first: int, documents: Views = documents, step: int = step, start: int = start) -> None:
            fold(queries.at(slice(first, first + step)), documents, first=first, start=start)

        parallel.each(some, range(0, len(queries.plain), step))
        start += len(documents.plain)


def _scores(queries: Float32, documents: Float32, *, by: str) -> Float32:
    """(q, m) float32, higher is nearer.

    `hamming` is minus the number of signs that differ, which whole numbers in float32 give exactly: (q.d - dims) / 2.
    """
    if by == "hamming":
        return (queries @ documents.T - np.float32(queries.shape[1])) / np.float32(2)
    return block_scores(queries, documents, similarity=by)


def _joined(blocks: Sequence[Views]) -> Views:
    plain = np.concatenate([block.plain for block in blocks])
    searched = np.concatenate([block.searched for block in blocks])
    rescored = [block.rescored for block in blocks if block.rescored is not None]
    if not rescored:
        return Views(plain, searched, None)
    is_plain = all(block.rescored is block.plain for block in blocks)
    return Views(plain, searched, plain if is_plain else np.concatenate(rescored))
