"""One part measured: gold -> texts -> vectors or hits -> scores and items, with counts and times.

Encoding and scoring are two steps, so that the next part can be encoded while this one is scored.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.runner import corpus_search
from harness.runner.corpus_search import ShardHits
from harness.runner.text_fields import Counts, Fields
from harness.types import (
    PLAIN,
    EncodeOptions,
    Encoder,
    Gold,
    Loaded,
    Part,
    Ranked,
    Scores,
    Searcher,
    TaskSpec,
    VectorTransform,
)

if TYPE_CHECKING:
    from harness.evaluators.items import Items


class Unscored(NamedTuple):
    """A part whose texts are encoded (or searched): `scored` does the rest, and needs no model.

    Attributes:
        given: what the scorer of the task's type takes; see `harness.evaluators`.
        counts: what was encoded.
        seconds: wall time so far.
    """

    task: TaskSpec
    gold: Gold
    given: Any
    counts: Counts
    seconds: float


class Measured(NamedTuple):
    """Scores of a part and what it took.

    Attributes:
        scores: metric -> value.
        items: those whose score is the main score; None where the main metric is not made of single items.
        counts: what was encoded.
        seconds: phase -> wall time.
    """

    scores: Scores
    items: Items | None
    counts: Counts
    seconds: dict[str, float]


def measure(
    task: TaskSpec,
    part: Part,
    encoder: Encoder | Searcher,
    loaded: Loaded,
    *,
    options: EncodeOptions | None = None,
    transform: VectorTransform = PLAIN,
) -> Measured:
    """Encode what `part` needs and score it; see `embed` and `scored`."""
    return scored(embed(task, part, encoder, loaded, options=options, transform=transform))


def embed(
    task: TaskSpec,
    part: Part,
    encoder: Encoder | Searcher,
    loaded: Loaded,
    *,
    options: EncodeOptions | None = None,
    transform: VectorTransform = PLAIN,
) -> Unscored:
    """Encode what `part` needs, and search where it is about searching.

    Without `options` nothing is kept in the store.

    Raises:
        EncodeError: the model's answer cannot be scored.
        DataError: the data cannot be scored.
    """
    started = time.perf_counter()
    if isinstance(encoder, Searcher):
        given, counts = corpus_search.ranked_by_model(task, part, encoder, loaded)
    else:
        fields = Fields(task, encoder, options or EncodeOptions(store="off"), transform)
        given, counts = _given(fields, loaded.gold), fields.counts
    return Unscored(task, loaded.gold, given, counts, time.perf_counter() - started)


def put_together(task: TaskSpec, loaded: Loaded, shards: Sequence[ShardHits]) -> Unscored:
    """The part whose corpus was searched in shards, exactly as if it had been searched whole.

    Raises:
        DataError: the shards are not those of this corpus.
    """
    hits, counts = corpus_search.joined(task, loaded, shards)
    return Unscored(task, loaded.gold, hits, counts, sum(shard.seconds for shard in shards))


def scored(unscored: Unscored) -> Measured:
    """The scores and items of a part that is encoded.

    Raises:
        DataError: the data cannot be scored.
    """
    from harness.evaluators import EVALUATORS

    started = time.perf_counter()
    task, gold, given, counts, encoding = unscored
    scores, items = EVALUATORS[task.type].score(gold, given, settings=task.settings)
    seconds = {"encode": encoding, "score": time.perf_counter() - started}
    return Measured(scores, items.get(task.main_metric), counts, seconds)


def _given(fields: Fields, gold: Gold) -> Any:
    """What the scorer takes: vectors of every field of the gold, or the hits of a search."""
    from harness.evaluators import EVALUATORS
    from harness.evaluators.task_kind import Sides

    task, encoder = fields.task, fields.encoder
    if isinstance(gold, Ranked):
        return corpus_search.search_corpus(fields, gold)
    evaluator = EVALUATORS[task.type]
    vectors = {name: fields.encode(name, texts) for name, texts in evaluator.texts(gold, task.settings).items()}
    if evaluator.takes == "pairs":
        return {**vectors, "similarity": encoder.similarity_pairwise(vectors["left"], vectors["right"])}
    if evaluator.takes == "sides":
        return Sides(vectors["left"], vectors["right"], encoder.facts.similarity)
    return vectors
