"""What is made of a model's vectors before they are scored: fewer dimensions, fewer bits (pure).

`dims` keeps the first dimensions (Matryoshka representation: Kusupati et al. 2022, arXiv:2205.13147) and, like
`truncate_dim` of sentence-transformers 6.2, does not make unit length again. `quantize` is what the CompressionWrapper
of mteb 2.26.24 computes: each list of vectors that is encoded at once gets its own ranges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import EncodeError
from harness.types import Shape

if TYPE_CHECKING:
    from harness.types import Float32


def shaped(embeddings: Float32, shape: Shape) -> Float32:
    """`embeddings` (n, dim) float32 in `shape`: (n, dims) float32, of whole numbers where quantized.

    `int8` maps each dimension's range in these n rows to -128..127; a dimension that does not vary becomes -128.
    `binary` is 1 where a number is positive, else 0.

    Raises:
        EncodeError: the vectors have fewer dimensions than are to be kept.
    """
    if shape.dims is not None:
        if len(embeddings) and embeddings.shape[1] < shape.dims:
            raise EncodeError(
                f"dims {shape.dims}: the model's vectors have {embeddings.shape[1]} dimensions; ask for fewer"
            )
        embeddings = np.ascontiguousarray(embeddings[:, : shape.dims])
    if shape.quantize is None or not len(embeddings):
        return embeddings
    if shape.quantize == "binary":
        return (embeddings > 0).astype(np.float32)
    low, high = embeddings.min(axis=0), embeddings.max(axis=0)
    steps = (high - low) / np.float32(255)
    steps[steps == 0] = 1
    return np.floor((embeddings - low) / steps) - np.float32(128)
