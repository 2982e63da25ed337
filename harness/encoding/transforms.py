"""Changes to a model's vectors before they are scored: fewer dimensions, fewer bits (pure).

`dims` keeps the first dimensions (Matryoshka representation: Kusupati et al. 2022, arXiv:2205.13147). Like
`truncate_dim` of sentence-transformers 6.2, it does not normalize again. `quantize` gives what the CompressionWrapper
of mteb 2.26.24 computes: each list of vectors that is encoded in one call gets its own ranges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import EncodeError
from harness.types import VectorTransform

if TYPE_CHECKING:
    from harness.types import Float32


def transformed(vectors: Float32, transform: VectorTransform) -> Float32:
    """Apply `transform` to `vectors`.

    `int8` maps the range that each dimension has in these n rows to -128..127; a dimension that does not vary becomes
    -128. `binary` is 1 where a number is positive, else 0.

    Args:
        vectors: (n, dim) float32.
        transform: which dimensions to keep, and how to quantize.

    Returns:
        (n, dims) float32; whole numbers where quantized.

    Raises:
        EncodeError: the vectors have fewer dimensions than are to be kept.
    """
    if transform.dims is not None:
        if len(vectors) and vectors.shape[1] < transform.dims:
            raise EncodeError(
                f"dims {transform.dims}: the model's vectors have {vectors.shape[1]} dimensions; ask for fewer"
            )
        vectors = np.ascontiguousarray(vectors[:, : transform.dims])
    if transform.quantize is None or not len(vectors):
        return vectors
    if transform.quantize == "binary":
        return (vectors > 0).astype(np.float32)
    low, high = vectors.min(axis=0), vectors.max(axis=0)
    steps = (high - low) / np.float32(255)
    steps[steps == 0] = 1
    return np.floor((vectors - low) / steps) - np.float32(128)
