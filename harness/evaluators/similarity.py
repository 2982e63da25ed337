"""How near two vectors are, in float32 numpy: the four similarities that models declare.

Names and signs are those of sentence-transformers 6.2 (`SimilarityFunction`): distances are negated, so higher is
nearer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from harness.types import Float32

NAMES = ("cosine", "dot", "euclidean", "manhattan")


def prepare(embeddings: Float32, *, similarity: str) -> Float32:
    """Rows as `block_scores` wants them: unit length for cosine, unchanged otherwise."""
    if similarity != "cosine":
        return embeddings
    norms = np.sqrt(np.einsum("ij,ij->i", embeddings, embeddings, dtype=np.float32))
    return embeddings / np.maximum(norms, np.float32(1e-12))[:, None]


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
