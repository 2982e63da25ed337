"""Similarities of vectors in float32 numpy: those that models declare, and those that pair tasks report.

Names and signs are those of sentence-transformers 6.2 (`SimilarityFunction`): distances are negated, so higher is
nearer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from harness.types import Float32

NAMES = ("cosine", "dot", "euclidean", "manhattan")
_LEAST_NORM, _GREATEST_NORM = 1e-12, 1e18
"""Between these, squares of float32 numbers that count are float32 numbers."""
_SMALLEST = 5e-324


def prepare(vectors: Float32, *, similarity: str) -> Float32:
    """Rows as `block_scores` wants them: unit length for cosine, unchanged otherwise."""
    if similarity != "cosine":
        return vectors
    return unit_rows(vectors)


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
    apart, turned = left - right, unit_rows(left) - unit_rows(right)
    return PairScores(
        cosine=1 - 0.5 * np.einsum("ij,ij->i", turned, turned),
        manhattan=np.abs(apart).sum(axis=-1),
        euclidean=np.sqrt(np.einsum("ij,ij->i", apart, apart)),
    )


def unit_rows(rows: Float32) -> Float32:
    """Rows of length 1: (n, dim) -> (n, dim) float32; a zero row stays one.

    The operations of scikit-learn and torch, to the bit, where the squares of a row neither vanish in float32 nor
    overflow. Those libraries take shorter rows as they are and longer ones for zeros; here such a row is divided by
    its largest number first, for a cosine depends on directions alone.
    """
    with np.errstate(over="ignore", under="ignore"):
        norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float32))
    extreme = np.flatnonzero(~((norms >= _LEAST_NORM) & (norms <= _GREATEST_NORM)))
    norms[extreme] = 1
    unit: Float32 = rows / norms[:, None]
    if len(extreme):
        unit[extreme] = _scaled_first(rows[extreme])
    return unit


def _scaled_first(rows: Float32) -> Float32:
    wide = rows.astype(np.float64)
    wide /= np.maximum(np.abs(wide).max(axis=1, initial=0, keepdims=True), _SMALLEST)
    lengths = np.sqrt((wide**2).sum(axis=1, keepdims=True))
    return (wide / np.maximum(lengths, _SMALLEST)).astype(np.float32)
