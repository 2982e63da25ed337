"""Changes to a model's vectors before they are scored: fewer dimensions, fewer bits (pure).

`dims` keeps the first dimensions (Matryoshka representation: Kusupati et al. 2022, arXiv:2205.13147). Like
`truncate_dim` of sentence-transformers 6.2, it does not normalize again. `quantize` gives what the CompressionWrapper
of mteb 2.26.24 computes: each list of vectors that is encoded in one call gets its own ranges. Candidates for a second
scoring are quantized as sentence-transformers does instead; see `compression`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.errors import EncodeError
from harness.types import VectorTransform

if TYPE_CHECKING:
    from harness.types import Float32


class Ranges(NamedTuple):
    """The least and the greatest number of each dimension, (dims,) float32 each, which int8 codes divide into steps."""

    low: Float32
    high: Float32


def transformed(vectors: Float32, transform: VectorTransform) -> Float32:
    """Apply `dims` and `quantize` of `transform` to `vectors`.

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
    vectors = shortened(vectors, transform.dims)
    if transform.quantize is None or not len(vectors):
        return vectors
    if transform.quantize == "binary":
        return (vectors > 0).astype(np.float32)
    return int8_codes(vectors, ranges_of(vectors))


def shortened(vectors: Float32, dims: int | None) -> Float32:
    """The first `dims` dimensions of (n, dim) vectors; None for all of them.

    Raises:
        EncodeError: the vectors have fewer dimensions.
    """
    if dims is None:
        return vectors
    if len(vectors) and vectors.shape[1] < dims:
        raise EncodeError(f"dims {dims}: the model's vectors have {vectors.shape[1]} dimensions; ask for fewer")
    return np.ascontiguousarray(vectors[:, :dims])


def ranges_of(vectors: Float32) -> Ranges:
    """The ranges of (n, dim) vectors, where n is at least 1."""
    return Ranges(vectors.min(axis=0), vectors.max(axis=0))


def int8_codes(vectors: Float32, ranges: Ranges) -> Float32:
    """The step of its dimension's range in which each number lies: (n, dim) whole numbers from -128 to 127, as float32.

    There are 255 steps; what lies outside of the range becomes its end, and -128 stands for a range of one number.
    """
    steps = (ranges.high - ranges.low) / np.float32(255)
    steps[steps == 0] = 1
    return np.clip(np.floor((vectors - ranges.low) / steps), 0, 255) - np.float32(128)
