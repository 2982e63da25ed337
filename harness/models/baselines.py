"""Two baselines that need no download: what a model must beat to be worth running.

`Hashing` is a bag of hashed words and character trigrams (feature hashing: Weinberger et al. 2009, arXiv:0902.2206).
`BM25` is Okapi BM25 in the Lucene variant by the package `bm25s` (Lù 2024, arXiv:2407.03618).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness import search
from harness.similarity import paired
from harness.types import Batching, Encoded, EncoderFacts, Hits, Prompt, Ranked, Role

if TYPE_CHECKING:
    from harness.types import Float32

_WORD = re.compile(r"\w+", re.UNICODE)
_STOPWORDS = {
    "eng": "en", "deu": "de", "nld": "nl", "fra": "fr", "spa": "es", "por": "pt",
    "ita": "it", "rus": "ru", "swe": "sv", "nob": "no", "zho": "zh", "cmn": "zh",
}  # fmt: skip


class Hashing:
    """Words and character trigrams, hashed with sign into `dimensions` buckets, log-weighted, unit length.

    Deterministic on every machine: crc32 is fixed, and counts are added as integers before any float is made.
    """

    dimensions = 1024

    def __init__(self) -> None:
        self.facts = EncoderFacts(
            backend="baseline",
            device="cpu",
            device_name="cpu",
            precision="fp32",
            dimensions=self.dimensions,
            parameters=0,
            prompts={},
        )

    def identity(self, *, prompt: Prompt, role: Role | None) -> None:
        """None: hashing again is as fast as reading."""

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "tokens"
    ) -> Iterator[Encoded]:
        """(n, 1024) float32 rows of unit length; a text without any feature gets the first unit vector."""
        for texts in blocks:
            yield self._encoded(texts)

    def _encoded(self, texts: Sequence[str]) -> Encoded:
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        tokens = np.zeros(len(texts), dtype=np.int32)
        for place, (row, text) in enumerate(zip(rows, texts, strict=True)):
            words = _WORD.findall(text.lower())
            tokens[place] = len(words)
            features = words + [f"#{word}#"[i : i + 3] for word in words for i in range(len(word))]
            hashes = np.fromiter((zlib.crc32(feature.encode()) for feature in features), np.int64, len(features))
            counts = np.bincount(
                hashes % self.dimensions, weights=np.where(hashes >> 31, 1.0, -1.0), minlength=self.dimensions
            )
            row[:] = np.sign(counts) * np.log1p(np.abs(counts))
            if not row.any():
                row[0] = 1.0
            row /= np.sqrt((row.astype(np.float64) ** 2).sum())
        return Encoded(rows, tokens, np.zeros(len(texts), dtype=bool), int(tokens.sum()))

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """Cosine similarity of the rows."""
        return paired(left, right, similarity="cosine")

    def close(self) -> None:
        """Nothing to give back."""


class BM25:
    """Ranks documents by BM25 (k1 1.5, b 0.75); ranks nothing that shares no term with the query."""

    def __init__(self) -> None:
        self.facts = EncoderFacts(
            backend="baseline", device="cpu", device_name="cpu", precision="fp32", similarity="bm25", parameters=0
        )

    def search(self, gold: Ranked, *, k: int, languages: Sequence[str]) -> Hits:
        """The best `k` documents of each query by BM25 over lower-cased words without the language's stop words."""
        import bm25s

        codes = {language.partition("-")[0] for language in languages}
        stopwords: str | list[str] = _STOPWORDS.get(codes.pop(), []) if len(codes) == 1 else []
        options = {"stopwords": stopwords, "show_progress": False, "return_ids": False}
        documents = bm25s.tokenize(list(gold.documents), **options)
        queries = bm25s.tokenize(list(gold.queries), **options)
        index = bm25s.BM25(k1=1.5, b=0.75)
        index.index(documents, show_progress=False)
        top = search.TopK(len(gold.queries), k=k, document_ids=gold.document_ids)
        for row, query in enumerate(queries):
            known = [token for token in query if token in index.vocab_dict]
            if known:
                scores = np.asarray(index.get_scores(known), dtype=np.float32)
                top.fold(scores[None], start=0, first_query=row)
        return _without_zeros(top.hits())

    def close(self) -> None:
        """Nothing to give back."""


def _without_zeros(hits: Hits) -> Hits:
    return Hits(indices=np.where(hits.scores > 0, hits.indices, -1), scores=hits.scores)
