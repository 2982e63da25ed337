"""Two baselines that need no download and show what a model has to beat.

`Hashing` is a bag of hashed words and character trigrams (feature hashing: Weinberger et al. 2009, arXiv:0902.2206).
`BM25` is Okapi BM25 in the Lucene variant by the package `bm25s` (Lù 2024, arXiv:2407.03618).
"""

from __future__ import annotations

import functools
import itertools
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.evaluators import search
from harness.evaluators.similarity import paired
from harness.types import Batching, Encoded, EncoderFacts, Hits, Prompt, RankedDocuments, Role, SidePrompts

if TYPE_CHECKING:
    from harness.types import Float32, Int64

_WORD = re.compile(r"\w+", re.UNICODE)
_STOPWORDS = {
    "eng": "en", "deu": "de", "nld": "nl", "fra": "fr", "spa": "es", "por": "pt",
    "ita": "it", "rus": "ru", "swe": "sv", "nob": "no", "zho": "zh", "cmn": "zh",
}  # fmt: skip


_NO_FEATURES = np.empty(0, dtype=np.int64)
_TEXTS_AT_ONCE = 256
"""Texts whose features are counted together, in some MB of memory."""


class Hashing:
    """Words and character trigrams, hashed with a sign into `dimensions` buckets, log-weighted, of unit length.

    The vectors are the same on every machine: crc32 is fixed, and counts are integers until they are all added up.
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
        )

    def identity(self, *, prompt: Prompt, role: Role | None) -> None:
        """None, so that vectors are not cached: hashing again costs little."""

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "tokens"
    ) -> Iterator[Encoded]:
        """The (n, 1024) float32 vectors of each block; a text without any feature gets the first unit vector."""
        for texts in blocks:
            yield self._encoded(texts)

    def _encoded(self, texts: Sequence[str]) -> Encoded:
        words = [_WORD.findall(text.lower()) for text in texts]
        tokens = np.fromiter(map(len, words), dtype=np.int32, count=len(texts))
        rows = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            counts = _counts(words[start : start + _TEXTS_AT_ONCE])
            part = rows[start : start + _TEXTS_AT_ONCE]
            part[:] = np.sign(counts) * np.log1p(np.abs(counts))
            part[~part.any(axis=1), 0] = 1.0
            part /= np.sqrt((part.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
        return Encoded(rows, tokens, np.zeros(len(texts), dtype=bool), int(tokens.sum()))

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """Cosine similarity of the rows."""
        return paired(left, right, similarity="cosine")

    def close(self) -> None:
        """Do nothing: there is no memory to free."""


def _counts(words: Sequence[Sequence[str]]) -> Int64:
    """(n, dimensions) int64 of n texts: in each bucket, the features with a plus less the features with a minus."""
    number = {word: place for place, word in enumerate(dict.fromkeys(itertools.chain.from_iterable(words)))}
    buckets = list(map(_buckets, number))
    sizes = np.fromiter(map(len, buckets), np.int64, len(buckets))
    firsts = np.cumsum(sizes) - sizes
    used = np.fromiter((number[word] for words_of_text in words for word in words_of_text), np.int64)
    text = np.repeat(np.arange(len(words)), list(map(len, words)))
    # Each use of a word stands for the buckets of all its features, which lie one behind another from `firsts` on.
    size = sizes[used]
    within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    places = np.concatenate([*buckets, _NO_FEATURES])[np.repeat(firsts[used], size) + within]
    width = 2 * Hashing.dimensions
    counts = np.bincount(np.repeat(text, size) * width + places, minlength=len(words) * width)
    minus, plus = np.moveaxis(counts.reshape(len(words), 2, Hashing.dimensions), 1, 0)
    difference: Int64 = plus - minus
    return difference


@functools.lru_cache(maxsize=1 << 17)
def _buckets(word: str) -> Int64:
    """The buckets of a word and of its trigrams; `dimensions` is added to those that count with a plus."""
    padded = f"#{word}#"
    features = [word, *(padded[i : i + 3] for i in range(len(word)))]
    hashes = np.fromiter((zlib.crc32(feature.encode()) for feature in features), np.int64, len(features))
    place: Int64 = hashes % Hashing.dimensions + (hashes >> 31) * Hashing.dimensions
    return place


class BM25:
    """Ranks documents by BM25 (k1 1.5, b 0.75).

    In a corpus, a document that shares no term with the query is not ranked. Of candidates, every one is, and how rare
    a term is depends on the whole corpus.
    """

    def __init__(self) -> None:
        self.facts = EncoderFacts(
            backend="baseline", device="cpu", device_name="cpu", precision="fp32", similarity="bm25", parameters=0
        )

    def search(
        self,
        queries: Sequence[str],
        documents: Sequence[str],
        *,
        document_ids: Sequence[str],
        candidates: Sequence[Int64] | None,
        k: int,
        languages: Sequence[str],
        prompts: SidePrompts,
    ) -> RankedDocuments:
        """The best `k` documents of each query by BM25 over lower-cased words without the language's stop words."""
        import bm25s

        codes = {language.partition("-")[0] for language in languages}
        stopwords: str | list[str] = _STOPWORDS.get(codes.pop(), []) if len(codes) == 1 else []
        options = {"stopwords": stopwords, "show_progress": False, "return_ids": False}
        index = bm25s.BM25(k1=1.5, b=0.75)
        index.index(bm25s.tokenize(list(documents), **options), show_progress=False)
        top = search.TopK(len(queries), k=k, document_ids=document_ids)
        for row, tokens in enumerate(bm25s.tokenize(list(queries), **options)):
            terms = [token for token in tokens if token in index.vocab_dict]
            scores = np.zeros(len(documents), dtype=np.float32)
            if terms:
                scores = np.asarray(index.get_scores(terms), dtype=np.float32)
            if candidates is None:
                top.fold(scores[None], start=0, first_query=row)
            elif len(places := np.unique(candidates[row])):
                top.fold(scores[places][None], at=places, first_query=row)
        return RankedDocuments(_without_zeros(top.hits()) if candidates is None else top.hits())

    def close(self) -> None:
        """Do nothing: there is no memory to free."""


def _without_zeros(hits: Hits) -> Hits:
    return Hits(indices=np.where(hits.scores > 0, hits.indices, -1), scores=hits.scores)
