"""One part measured: gold -> texts -> embeddings or hits -> scores, with counts and times.

Retrieval differs from the other types in one place: its corpus is encoded block by block and folded into the search.
Encoding and scoring are two steps, so that the next part can be encoded while this one is scored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness import shaping
from harness.types import (
    PLAIN,
    Answers,
    Batching,
    EncodeOptions,
    Encoder,
    Hits,
    Loaded,
    Part,
    Ranked,
    RetrievalSettings,
    Scores,
    Searcher,
    Shape,
    TaskSpec,
    Texts,
)

if TYPE_CHECKING:
    from harness.types import Float32, Int64

_CORPUS_BLOCK = 50_000
"""Documents encoded at once: as in mteb, so that quantized corpora get the same ranges."""


class Measured(NamedTuple):
    """Scores of a part and what it took.

    Attributes:
        scores: metric -> value.
        answers: what the model answered to every item, as the task type's scorer names it.
        counts: what was encoded.
        seconds: phase -> wall time.
    """

    scores: Scores
    answers: Answers
    counts: Counts
    seconds: dict[str, float]


@dataclass(slots=True, kw_only=True)
class Counts:
    """What the texts of a part came to; a number is None once one field's is not known.

    Attributes:
        texts: texts that the part needs, repeated ones too.
        encoded: texts that went through the model; the others were repeated, or in the store.
        cached: distinct texts that the store had.
        tokens: tokens of all texts.
        truncated: texts cut at the maximum length.
        fed: tokens that went through the model.
        computed: the same with padding.
        batching: how batches were made; None where nothing was encoded in batches.
        prompts: field -> the prompt put before its texts.
    """

    texts: int = 0
    encoded: int = 0
    cached: int = 0
    tokens: int | None = 0
    truncated: int | None = 0
    fed: int | None = 0
    computed: int | None = 0
    batching: Batching | None = None
    prompts: dict[str, str | None] = field(default_factory=dict)


class Unscored(NamedTuple):
    """A part whose texts are encoded (or searched): `score()` does the rest, and needs no model."""

    score: Callable[[Answers], Scores]
    counts: Counts
    seconds: float


def measure(
    task: TaskSpec,
    part: Part,
    encoder: Encoder | Searcher,
    loaded: Loaded,
    *,
    options: EncodeOptions | None = None,
    shape: Shape = PLAIN,
) -> Measured:
    """Encode what `part` needs and score it; see `embed` and `scored`."""
    return scored(embed(task, part, encoder, loaded, options=options, shape=shape))


def embed(
    task: TaskSpec,
    part: Part,
    encoder: Encoder | Searcher,
    loaded: Loaded,
    *,
    options: EncodeOptions | None = None,
    shape: Shape = PLAIN,
) -> Unscored:
    """Encode what `part` needs, and search where it is about searching.

    Without `options` nothing is kept in the store.

    Raises:
        EncodeError: the model's answer cannot be scored.
        DataError: the data cannot be scored.
    """
    started = time.perf_counter()
    if isinstance(encoder, Searcher):
        score, counts = _ranked_by_model(task, part, encoder, loaded)
    else:
        fields = _Fields(task, encoder, options or EncodeOptions(store="off"), shape)
        score = _searched(fields, loaded.gold) if isinstance(loaded.gold, Ranked) else _embedded(fields, loaded)
        counts = fields.counts
    return Unscored(score, counts, time.perf_counter() - started)


def scored(unscored: Unscored) -> Measured:
    """The scores of a part that is encoded.

    Raises:
        DataError: the data cannot be scored.
    """
    started = time.perf_counter()
    answers: Answers = {}
    scores = unscored.score(answers)
    return Measured(
        scores, answers, unscored.counts, {"encode": unscored.seconds, "score": time.perf_counter() - started}
    )


def batching_for(task: TaskSpec, encoder: Encoder, options: EncodeOptions) -> Batching:
    """How the texts of `task` are put into batches.

    The average precision of pair classification ranks by similarity, and pairs that are the same to the tokenizer are
    told apart by the last bits of their vectors, which depend on what shares a batch with them. In float32 such tasks
    are fed in mteb's batches, so that their scores are mteb's.
    """
    if options.batch_tokens is not None:
        return "tokens"
    exact = task.type == "PairClassification" and encoder.facts.precision == "fp32"
    return "mteb" if options.batching == "mteb" or exact else "tokens"


class _Fields:
    """The fields of a part through one encoder."""

    def __init__(self, task: TaskSpec, encoder: Encoder, options: EncodeOptions, shape: Shape) -> None:
        self.task, self.encoder, self._options, self._shape = task, encoder, options, shape
        self.counts = Counts(batching=batching_for(task, encoder, options))

    def encode(self, name: str, texts: Texts) -> Float32:
        """Vectors of `texts` in the shape asked for, counted under the field `name`."""
        from harness import encoding

        counts = self.counts
        prompt = encoding.prompt_for(self.encoder, self.task, texts)
        assert counts.batching is not None
        embedded = encoding.encode(
            self.encoder, texts, prompt=prompt, batching=counts.batching, keep=self._options.store
        )
        counts.texts += len(texts.items)
        counts.encoded += embedded.encoded
        counts.cached += embedded.cached
        counts.tokens = _sum(counts.tokens, embedded.tokens)
        counts.truncated = _sum(counts.truncated, embedded.truncated)
        counts.fed = _sum(counts.fed, embedded.fed)
        counts.computed = _sum(counts.computed, embedded.computed)
        counts.prompts[name] = prompt.text or None
        return shaping.shaped(embedded.embeddings, self._shape)


def _embedded(fields: _Fields, loaded: Loaded) -> Callable[[Answers], Scores]:
    """Encode every field of the gold value; the arrays are what is scored."""
    from harness.evaluators import EVALUATORS

    task, encoder = fields.task, fields.encoder
    evaluator = EVALUATORS[task.type]
    embeddings = {
        name: fields.encode(name, texts) for name, texts in evaluator.texts(loaded.gold, task.settings).items()
    }
    own: dict[str, Any] = {}
    if evaluator.takes == "pairs":
        own["similarity"] = encoder.similarity_pairwise(embeddings["left"], embeddings["right"])
    elif evaluator.takes == "sides":
        own["similarity"] = encoder.facts.similarity
    return lambda answers: evaluator.score(loaded.gold, embeddings, settings=task.settings, answers=answers, **own)


def _searched(fields: _Fields, gold: Ranked) -> Callable[[Answers], Scores]:
    """Encode the queries and stream the corpus through the search block by block; the hits are what is scored."""
    from harness import search
    from harness.evaluators import EVALUATORS

    task = fields.task
    assert isinstance(task.settings, RetrievalSettings)
    texts = EVALUATORS["Retrieval"].texts(gold, task.settings)
    documents = texts["documents"]

    def blocks() -> Iterator[Float32]:
        for start in range(0, len(documents.items), _CORPUS_BLOCK):
            block = replace(documents, items=documents.items[start : start + _CORPUS_BLOCK])
            yield fields.encode("documents", block)

    queries = fields.encode("queries", texts["queries"])
    depth, similarity = max(task.settings.k_values), fields.encoder.facts.similarity
    if gold.candidates is None:
        hits = search.search(queries, blocks(), document_ids=gold.document_ids, k=depth, similarity=similarity)
    else:
        hits = search.rerank(
            queries,
            np.concatenate(list(blocks())),
            _places(gold, gold.candidates),
            document_ids=gold.document_ids,
            k=depth,
            similarity=similarity,
        )
    return _of_hits(task, gold, hits)


def _places(gold: Ranked, candidates: Mapping[str, Sequence[str]]) -> list[Int64]:
    place = {name: position for position, name in enumerate(gold.document_ids)}
    return [np.array([place[name] for name in candidates.get(query, ())], dtype=np.int64) for query in gold.query_ids]


def _ranked_by_model(
    task: TaskSpec, part: Part, encoder: Searcher, loaded: Loaded
) -> tuple[Callable[[Answers], Scores], Counts]:
    """A model that ranks by itself."""
    assert isinstance(task.settings, RetrievalSettings)
    assert isinstance(loaded.gold, Ranked)
    count = len(loaded.gold.queries) + len(loaded.gold.documents)
    hits = encoder.search(loaded.gold, k=max(task.settings.k_values), languages=task.subsets.get(part.subset, ()))
    counts = Counts(texts=count, encoded=count, tokens=None, truncated=None, fed=None, computed=None)
    return _of_hits(task, loaded.gold, hits), counts


def _of_hits(task: TaskSpec, gold: Ranked, hits: Hits) -> Callable[[Answers], Scores]:
    from harness.evaluators import EVALUATORS

    return lambda answers: EVALUATORS["Retrieval"].score(gold, hits, settings=task.settings, answers=answers)


def _sum(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right
