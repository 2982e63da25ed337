"""A search problem through an encoder: queries and corpus, block by block into the search, whole or in shards.

What distinguishes retrieval from the other types: its corpus is never held as vectors.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.errors import DataError
from harness.runner.text_fields import NUMBERS, Counts, Fields
from harness.types import (
    PLAIN,
    EncodeOptions,
    Encoder,
    EncoderFacts,
    Hits,
    Loaded,
    Part,
    Ranked,
    RetrievalSettings,
    Searcher,
    TaskSpec,
    Texts,
)

if TYPE_CHECKING:
    from harness.types import Float32, Int64

_CORPUS_BLOCK = 50_000
"""Documents encoded at once: as in mteb, so that quantized corpora get the same ranges."""


class Search(NamedTuple):
    """The hits of a search, and what it took."""

    hits: Hits
    counts: Counts


def search_corpus(fields: Fields, gold: Ranked) -> Hits:
    """Encode the queries and stream the corpus through the search block by block."""
    texts = _texts(fields.task, gold)
    queries = fields.encode("queries", texts["queries"])
    return _hits(fields, gold, queries, texts["documents"], first=0, end=len(gold.documents))


def ranked_by_model(task: TaskSpec, part: Part, encoder: Searcher, loaded: Loaded) -> Search:
    """A model that ranks by itself."""
    assert isinstance(task.settings, RetrievalSettings)
    assert isinstance(loaded.gold, Ranked)
    count = len(loaded.gold.queries) + len(loaded.gold.documents)
    hits = encoder.search(loaded.gold, k=max(task.settings.k_values), languages=task.subsets.get(part.subset, ()))
    counts = Counts(
        texts=count, texts_encoded=count, texts_truncated=None, tokens=None, tokens_encoded=None, tokens_padded=None
    )
    return Search(hits, counts)


class SearchedShard(NamedTuple):
    """What a search found among the documents from `start` up to `stop`; indices count from `start`.

    Attributes:
        facts: of the encoder.
        seconds: wall time of encoding and searching.
    """

    start: int
    stop: int
    hits: Hits
    counts: Counts
    facts: EncoderFacts
    seconds: float


def search_shard(
    task: TaskSpec, encoder: Encoder, loaded: Loaded, *, number: int, of: int, options: EncodeOptions
) -> SearchedShard:
    """Search one of `of` shards of the corpus, `number` from 0.

    Shards end where blocks of the whole corpus would, if they are as large as these: then every document is encoded
    among the same others as in one piece, and gets the same vector to the bit.

    Raises:
        EncodeError, DataError: as `measurement.encode`.
    """
    started = time.perf_counter()
    assert isinstance(loaded.gold, Ranked)
    n = len(loaded.gold.documents)
    start, stop = _bound(n, number, of), _bound(n, number + 1, of)
    fields, texts = Fields(task, encoder, options, PLAIN), _texts(task, loaded.gold)
    queries = fields.encode("queries", texts["queries"])
    if number:  # encoded for every shard, they belong to the part once
        counts = fields.counts
        counts.texts = 0
        counts.tokens = None if counts.tokens is None else 0
        counts.texts_truncated = None if counts.texts_truncated is None else 0
    hits = _hits(fields, loaded.gold, queries, texts["documents"], first=start, end=stop)
    return SearchedShard(start, stop, hits, fields.counts, encoder.facts, time.perf_counter() - started)


def joined(task: TaskSpec, loaded: Loaded, shards: Sequence[SearchedShard]) -> Search:
    """The hits of the whole corpus from those of its shards, exactly: scores, ties and all.

    Raises:
        DataError: the shards are not those of this corpus.
    """
    from harness.evaluators import search

    gold = loaded.gold
    assert isinstance(gold, Ranked)
    assert isinstance(task.settings, RetrievalSettings)
    shards = sorted(shards, key=lambda shard: shard.start)
    bounds = [0, *(shard.stop for shard in shards)]
    if [shard.start for shard in shards] != bounds[:-1] or bounds[-1] != len(gold.documents):
        raise DataError(f"{task.name}: the shards end at {bounds[1:]}, and the corpus has {len(gold.documents)}")
    top = search.TopK(len(gold.queries), k=max(task.settings.k_values), document_ids=gold.document_ids)
    counts = Counts(batching=shards[0].counts.batching)
    for shard in shards:
        for row in range(len(gold.queries)):
            positions = search.positions(shard.hits, row)
            top.fold(shard.hits.scores[row : row + 1, : len(positions)], at=positions + shard.start, first_query=row)
        counts.add(**{name: getattr(shard.counts, name) for name in NUMBERS})
        counts.prompts |= shard.counts.prompts
    return Search(top.hits(), counts)


def _bound(n: int, number: int, of: int) -> int:
    """Where shard `number` of `of` begins in a corpus of n."""
    place = n * number // of
    if n // of < _CORPUS_BLOCK or number == of:
        return place
    return round(place / _CORPUS_BLOCK) * _CORPUS_BLOCK


def _texts(task: TaskSpec, gold: Ranked) -> dict[str, Texts]:
    from harness.evaluators import EVALUATORS

    return EVALUATORS["Retrieval"].texts(gold, task.settings)


def _hits(fields: Fields, gold: Ranked, queries: Float32, documents: Texts, *, first: int, end: int) -> Hits:
    """The hits among the documents from `first` up to `end`, whose indices count from `first`."""
    from harness.evaluators import search

    task = fields.task
    assert isinstance(task.settings, RetrievalSettings)

    def blocks() -> Iterator[Float32]:
        for start in range(first, end, _CORPUS_BLOCK):
            block = replace(documents, items=documents.items[start : min(start + _CORPUS_BLOCK, end)])
            yield fields.encode("documents", block)

    depth, similarity = max(task.settings.k_values), fields.encoder.facts.similarity
    if gold.candidates is None:
        ids = gold.document_ids[first:end]
        return search.search(queries, blocks(), document_ids=ids, k=depth, similarity=similarity)
    return search.rerank(
        queries,
        np.concatenate(list(blocks())),
        _places(gold, gold.candidates),
        document_ids=gold.document_ids,
        k=depth,
        similarity=similarity,
    )


def _places(gold: Ranked, candidates: Mapping[str, Sequence[str]]) -> list[Int64]:
    place = {name: position for position, name in enumerate(gold.document_ids)}
    return [np.array([place[name] for name in candidates.get(query, ())], dtype=np.int64) for query in gold.query_ids]
