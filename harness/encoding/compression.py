"""Vectors in the forms that a compressed search compares, and the bytes that such a search stores (pure).

With `rescore` N, a search has two stages, as in sentence-transformers 6.2 (`semantic_search_faiss` and
`semantic_search_usearch` of `util/quantization.py`; Shakir et al. 2024, https://huggingface.co/blog/embedding-quantization):

1. Queries and documents are both quantized and all documents are ranked: `binary` by the Hamming distance of the signs,
   a bit for each dimension; `int8` by the dot product of the codes, for which both sides share the ranges that the
   documents have. Codes of models that compare by a distance are compared by that distance.
2. The first N of each query are ranked again by the model's own similarity of the float query with the float document.
   sentence-transformers compares the float query with the quantized document there; with float documents, rescoring
   all of them gives the float search. The documents behind the first N stay behind them in their order.

Vectors of models that compare by cosine are made unit length before they are quantized. The ranges are those of the
documents that are encoded first, 50,000 at most, and numbers outside of them are clipped: what an index that is filled
while a corpus is read can do.

Without `rescore`, quantized vectors are compared as mteb 2.26.24 compares them (see `transforms`), so that their scores
are mteb's: by the model's similarity, queries and documents with ranges of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.encoding.transforms import Ranges, int8_codes, ranges_of, shortened, transformed
from harness.evaluators.compressed_search import Views
from harness.evaluators.similarity import prepare
from harness.types import VectorTransform

if TYPE_CHECKING:
    from harness.types import Float32

_BITS = {None: 32, "int8": 8, "binary": 1}


class StoredBytes(NamedTuple):
    """Bytes of a document's vectors.

    Attributes:
        searched: of the vector that is compared with every query.
        rescored: of the float vector that is kept beside it for the second scoring; 0 without one.
    """

    searched: int
    rescored: int

    @property
    def total(self) -> int:
        """Of both together."""
        return self.searched + self.rescored


def stored_bytes(transform: VectorTransform, dimensions: int) -> StoredBytes:
    """What is stored of a document, without an index around it.

    Args:
        transform: of the vectors.
        dimensions: of the model's vectors before `transform`.
    """
    kept = dimensions if transform.dims is None else transform.dims
    return StoredBytes(-(-kept * _BITS[transform.quantize] // 8), kept * 4 if transform.rescore else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """How the vectors of a corpus and its queries are compressed.

    Attributes:
        transform: of the vectors.
        similarity: the model's own; one of `similarity.NAMES`.
        ranges: of the documents, for int8 codes that candidates are searched by; None for anything else.
    """

    transform: VectorTransform
    similarity: str
    ranges: Ranges | None = None

    @classmethod
    def calibrated(cls, transform: VectorTransform, similarity: str, *, documents: Float32) -> Compression:
        """Make the compression whose ranges, if it needs any, are those of these (n, dim) documents."""
        ranges = None
        if transform.calibration is not None and len(documents):
            ranges = ranges_of(prepare(shortened(documents, transform.dims), similarity=similarity))
        return cls(transform=transform, similarity=similarity, ranges=ranges)

    @property
    def searched_by(self) -> str:
        """What compares `Views.searched`: a similarity, or `hamming`."""
        if not self.transform.rescore:
            return self.similarity
        if self.transform.quantize == "binary":
            return "hamming"
        return "dot" if self.similarity == "cosine" else self.similarity

    def views(self, vectors: Float32) -> Views:
        """The (n, dim) vectors of documents or queries in every form that is compared.

        Raises:
            EncodeError: the vectors have fewer dimensions than are to be kept.
        """
        plain = prepare(vectors, similarity=self.similarity)
        if not self.transform.rescore:
            return Views(plain, prepare(transformed(vectors, self.transform), similarity=self.similarity), None)
        kept = shortened(vectors, self.transform.dims)
        floats = plain if kept is vectors else prepare(kept, similarity=self.similarity)
        if self.transform.quantize == "binary":
            return Views(plain, np.where(floats > 0, np.float32(1), np.float32(-1)), floats)
        return Views(plain, floats if self.ranges is None else int8_codes(floats, self.ranges), floats)
