"""Similarities of vectors in float32 numpy: those that models declare, and those that pair tasks report.

Names and signs are those of sentence-transformers 6.2 (`SimilarityFunction`): distances are negated, so higher is
nearer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from harness.types import Float32

NAMES = ("cosine", "dot", "euclidean", "manhattan")


def prepare(vectors: Float32, *, similarity: str) -> Float32:
    """Rows as `block_scores` wants them: unit length for cosine, unchanged otherwise."""
    if similarity != "cosine":
        return vectors
    return unit_rows(vectors, too_short="stretch")


def block_scores(queries: Float32, documents: Float32, *, similarity: str) -> Float32:
    """Similarity of every query with every document, higher is nearer: (q, dim), (d, dim) -> (q, d) float32.

    Both sides have been through `prepare`. Distances are negated, as sentence-transformers does.
    """
    if similarity in ("cosine", "dot"):
        return queries @ documents.T
    if similarity == "euclidean":
        squares = (queries**2).sum(1)[:, None] - 2 * (queries @ documents.T) + (documents**2).sum(1)
        return -np.sqrt(np.maximum(squares, 0))
    if similarity == "manhattan":
        return np.stack([-np.abs(documents - query).sum(1) for query in queries])
    raise ValueError(f"unknown similarity {similarity!r}; known: {', '.join(NAMES)}")


def paired(left: Float32, right: Float32, *, similarity: str) -> Float32:
    """Similarity of row i with row i, higher is nearer: (n, dim), (n, dim) -> (n,) float32."""
    if similarity in ("cosine", "dot"):
        rows, others = prepare(left, similarity=similarity), prepare(right, similarity=similarity)
        return np.einsum("ij,ij->i", rows, others)
    if similarity == "euclidean":
        return -np.sqrt(((left - right) ** 2).sum(1))
    if similarity == "manhattan":
        return -np.abs(left - right).sum(1)
    raise ValueError(f"unknown similarity {similarity!r}; known: {', '.join(NAMES)}")


class PairScores(NamedTuple):
    """Similarities and distances of row i of one array with row i of another, each (n,) float32."""

    cosine: Float32
    manhattan: Float32
    euclidean: Float32


def pair_scores(left: Float32, right: Float32) -> PairScores:
    """Cosine, Manhattan and Euclidean of each pair of rows: (n, dim), (n, dim) -> (n,) each.

    The operations of scikit-learn 1.9 (`paired_cosine_distances` and the like), to the bit, so that near ties are
    ordered as in mteb. Importing it would take longer than most pair tasks.
    """
    apart, turned = left - right, unit_rows(left, too_short="keep") - unit_rows(right, too_short="keep")
    return PairScores(
        cosine=1 - 0.5 * np.einsum("ij,ij->i", turned, turned),
        manhattan=np.abs(apart).sum(axis=-1),
        euclidean=np.sqrt(np.einsum("ij,ij->i", apart, apart)),
    )


def unit_rows(rows: Float32, *, too_short: Literal["keep", "stretch"]) -> Float32:
    """Rows of length 1: (n, dim) -> (n, dim) float32.

    Args:
        rows: (n, dim) float32.
        too_short: `keep` leaves a row as it is that is shorter than 10 times the machine epsilon, as scikit-learn does;
            `stretch` divides a row that is shorter than 1e-12 by 1e-12, as torch does.
    """
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float32))
    if too_short == "keep":
        norms[norms < 10 * np.finfo(norms.dtype).eps] = 1
    return rows / np.maximum(norms, np.float32(1e-12))[:, None]
