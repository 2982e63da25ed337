"""Searches a corpus with an encoder: encodes the queries, then the corpus block by block, whole or in shards.

The vectors of a corpus are never all in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness import encoding, models
from harness.errors import DataError
from harness.evaluators import KINDS
from harness.evaluators.task_kind import SearchProblem
from harness.runner.text_fields import NUMBERS, Counts, Fields
from harness.types import (
    PLAIN,
    EncodeOptions,
    Encoder,
    EncoderFacts,
    Gold,
    Hits,
    Loaded,
    Part,
    Searcher,
    SidePrompts,
    TaskSpec,
    Texts,
)
from harness.types.counted import counted

if TYPE_CHECKING:
    from harness.encoding.vector_cache import Namespaces
    from harness.types import Float32

CORPUS_BLOCK = 50_000
"""Documents encoded at once: as in mteb, so that quantized corpora get the same ranges."""


class Search(NamedTuple):
    """The hits of a search, the counts of what was encoded, and the facts of the encoder."""

    hits: Hits
    counts: Counts
    facts: EncoderFacts


class CorpusHits(NamedTuple):
    """The hits of a search.

    Attributes:
        kept_hits: of a search in compressed vectors, the share of hits that it keeps; see `compressed_search`.
        calibrated_on: of how many documents the ranges are by which all are quantized; 0 where there are none.
    """

    hits: Hits
    kept_hits: Mapping[str, float]
    calibrated_on: int


def search_corpus(fields: Fields, gold: Gold) -> CorpusHits:
    """Encode the queries, then encode and search the corpus block by block."""
    kind, settings = KINDS[fields.task.type], fields.task.settings
    problem, texts = _problem(fields.task, gold), kind.texts(gold, settings)
    if fields.transform != PLAIN:
        return _compressed(fields, problem, texts)
    queries = fields.encode("queries", texts["queries"])
    hits = _hits(fields, problem, queries, texts["documents"], first=0, end=len(problem.document_ids))
    return CorpusHits(hits, {}, 0)


def _compressed(fields: Fields, problem: SearchProblem, texts: Mapping[str, Texts]) -> CorpusHits:
    """The hits of compressed vectors, beside a search in the vectors that the model gives."""
    from harness.encoding.compression import Compression
    from harness.evaluators import compressed_search

    queries, similarity = fields.model_vectors("queries", texts["queries"]), fields.encoder.facts.similarity
    blocks = _blocks(fields.model_vectors, texts["documents"], first=0, end=len(problem.document_ids))
    first = next(blocks, np.empty((0, queries.shape[1]), dtype=np.float32))
    compression = Compression.calibrated(fields.transform, similarity, documents=first)
    compared = compressed_search.search(
        compression.views(queries),
        map(compression.views, chain([first], blocks)),
        problem=problem,
        similarity=similarity,
        searched_by=compression.searched_by,
        rescore=fields.transform.rescore,
    )
    calibrated_on = 0 if compression.ranges is None else len(first)
    return CorpusHits(compared.hits, compressed_search.kept_hits(compared), calibrated_on)


def ranked_by_model(
    task: TaskSpec, part: Part, encoder: Searcher, loaded: Loaded, *, namespaces: Namespaces | None = None
) -> Search:
    """The hits of a model that ranks documents itself, or those that another model has found for it."""
    problem = _problem(task, loaded.gold)
    if problem.candidates is None and isinstance(encoder, models.TwoStages):
        return _in_two_stages(task, part, encoder, loaded, problem=problem, namespaces=namespaces)
    return _ranked(task, part, encoder, loaded, problem)


def _in_two_stages(
    task: TaskSpec,
    part: Part,
    encoder: models.TwoStages,
    loaded: Loaded,
    *,
    problem: SearchProblem,
    namespaces: Namespaces | None,
) -> Search:
    """As mteb's `convert_to_reranking`, but for documents that tie at the last place, where the greater id counts."""
    from harness.evaluators import search

    first, searched = encoder.first(), problem._replace(depth=encoder.top)
    if isinstance(first, Searcher):
        hits, counts, _ = _ranked(task, part, first, loaded, searched)
    else:
        texts = KINDS[task.type].texts(loaded.gold, task.settings)
        fields = Fields(task, part, first, options=encoder.options, transform=PLAIN, namespaces=namespaces)
        queries = fields.encode("queries", texts["queries"])
        hits = _hits(fields, searched, queries, texts["documents"], first=0, end=len(problem.document_ids))
        counts = fields.counts
    candidates = [search.positions(hits, row) for row in range(len(hits.indices))]
    ranked = _ranked(task, part, encoder, loaded, problem._replace(candidates=candidates))
    ranked.counts.texts_truncated, ranked.counts.tokens = counts.texts_truncated, counts.tokens
    ranked.counts.add(tokens_encoded=counts.tokens_encoded, tokens_padded=counts.tokens_padded)
    prompts = {f"first_stage_{name}": prompt for name, prompt in counts.prompts.items()}
    ranked.counts.prompts |= prompts
    ranked.counts.adapters |= {f"first_stage_{name}": adapter for name, adapter in counts.adapters.items()}
    return ranked._replace(facts=encoder.facts_with_first_stage())


def _ranked(task: TaskSpec, part: Part, encoder: Searcher, loaded: Loaded, problem: SearchProblem) -> Search:
    texts = KINDS[task.type].texts(loaded.gold, task.settings)
    rules = encoder.facts.prompts
    prompts = SidePrompts(
        encoding.prompt_for(rules, task, texts["queries"], part=part),
        encoding.prompt_for(rules, task, texts["documents"], part=part),
    )
    queries, documents = texts["queries"].items, texts["documents"].items
    ranked = encoder.search(
        queries,
        documents,
        document_ids=problem.document_ids,
        candidates=problem.candidates,
        k=problem.depth,
        languages=task.subsets.get(part.subset, ()),
        prompts=prompts,
    )
    count = len(queries) + len(documents)
    counts = Counts(
        texts=count,
        texts_encoded=count,
        texts_truncated=ranked.texts_truncated,
        tokens=ranked.tokens,
        tokens_encoded=ranked.tokens_encoded,
        tokens_padded=ranked.tokens_padded,
        texts_zero=None,
        pairs=ranked.pairs,
        pairs_truncated=ranked.pairs_truncated,
    )
    counts.prompts |= {"queries": prompts.query.text or None, "documents": prompts.document.text or None}
    return Search(ranked.hits, counts, encoder.facts)


class SearchedShard(NamedTuple):
    """The hits among the documents from `start` up to `stop`; indices count from `start`.

    Attributes:
        counts: what was encoded.
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
    task: TaskSpec,
    part: Part,
    encoder: Encoder,
    loaded: Loaded,
    *,
    number: int,
    of: int,
    options: EncodeOptions,
    namespaces: Namespaces | None = None,
) -> SearchedShard:
    """Search one of `of` shards of the corpus, `number` from 0.

    A shard that is at least as large as a block of the corpus ends where a block of the whole corpus would end, so that
    every document is encoded together with the same others and gets the same vector to the bit.

    Raises:
        EncodeError, DataError: as `measurement.encode`.
    """
    started = time.perf_counter()
    problem, texts = _problem(task, loaded.gold), KINDS[task.type].texts(loaded.gold, task.settings)
    n = len(problem.document_ids)
    start, stop = _bound(n, number, of), _bound(n, number + 1, of)
    fields = Fields(task, part, encoder, options=options, transform=PLAIN, namespaces=namespaces)
    queries = fields.encode("queries", texts["queries"])
    if number:  # each shard encodes the queries, but the part counts them once
        counts = fields.counts
        counts.texts = 0
        counts.tokens = None if counts.tokens is None else 0
        counts.texts_truncated = None if counts.texts_truncated is None else 0
    hits = _hits(fields, problem, queries, texts["documents"], first=start, end=stop)
    return SearchedShard(start, stop, hits, fields.counts, encoder.facts, time.perf_counter() - started)


def joined(task: TaskSpec, loaded: Loaded, shards: Sequence[SearchedShard]) -> Search:
    """The hits of the whole corpus from those of its shards, with exactly the same scores and ties.

    Raises:
        DataError: the shards are not those of this corpus.
    """
    from harness.evaluators import search

    document_ids, depth, _ = _problem(task, loaded.gold)
    shards = sorted(shards, key=lambda shard: shard.start)
    bounds = [0, *(shard.stop for shard in shards)]
    if [shard.start for shard in shards] != bounds[:-1] or bounds[-1] != len(document_ids):
        raise DataError(
            f"{task.name}: the shards end at documents {bounds[1:]}, but the corpus has "
            f"{counted(len(document_ids), 'document')}"
        )
    n_queries = len(shards[0].hits.indices)
    top = search.TopK(n_queries, k=depth, document_ids=document_ids)
    counts = Counts(batching=shards[0].counts.batching)
    for shard in shards:
        for row in range(n_queries):
            positions = search.positions(shard.hits, row)
            top.fold(shard.hits.scores[row : row + 1, : len(positions)], at=positions + shard.start, first_query=row)
        counts.add(**{name: getattr(shard.counts, name) for name in NUMBERS})
        counts.prompts |= shard.counts.prompts
        counts.adapters |= shard.counts.adapters
    return Search(top.hits(), counts, shards[0].facts)


def _bound(n: int, number: int, of: int) -> int:
    """Where shard `number` of `of` begins in a corpus of n."""
    place = n * number // of
    if n // of < CORPUS_BLOCK or number == of:
        return place
    return round(place / CORPUS_BLOCK) * CORPUS_BLOCK


def _problem(task: TaskSpec, gold: Gold) -> SearchProblem:
    search = KINDS[task.type].search
    assert search is not None, f"{task.type} is scored without a search"
    return search(gold, task.settings)


def _blocks(encode: Callable[[str, Texts], Float32], documents: Texts, *, first: int, end: int) -> Iterator[Float32]:
    """The vectors of the documents from `first` up to `end`."""
    for start in range(first, end, CORPUS_BLOCK):
        yield encode("documents", replace(documents, items=documents.items[start : min(start + CORPUS_BLOCK, end)]))


def _hits(fields: Fields, problem: SearchProblem, queries: Float32, documents: Texts, *, first: int, end: int) -> Hits:
    """The hits among the documents from `first` up to `end`, whose indices count from `first`.

    Where the model runs on a GPU, so does the search.
    """
    from harness.evaluators import device_search, search

    blocks = _blocks(fields.encode, documents, first=first, end=end)
    facts, ids = fields.encoder.facts, problem.document_ids[first:end]
    candidates = problem.candidates
    if candidates is not None:
        candidates = [places[(places >= first) & (places < end)] - first for places in candidates]
    k, similarity, device = problem.depth, facts.similarity, facts.device.split(",")[0]
    if device.startswith("cuda"):
        return device_search.search(
            queries, blocks, document_ids=ids, k=k, similarity=similarity, device=device, candidates=candidates
        )
    if candidates is None:
        return search.search(queries, blocks, document_ids=ids, k=k, similarity=similarity)
    vectors = np.concatenate(list(blocks))
    return search.rerank(queries, vectors, candidates, document_ids=ids, k=k, similarity=similarity)
