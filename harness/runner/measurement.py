"""One part measured: gold -> texts -> embeddings or hits -> scores, with counts and times.

Encoding and scoring are two steps, so that the next part can be encoded while this one is scored.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from harness.runner import corpus_search
from harness.runner.text_fields import Counts, Fields, Unscored
from harness.types import (
    PLAIN,
    Answers,
    EncodeOptions,
    Encoder,
    Loaded,
    Part,
    Ranked,
    Scores,
    Searcher,
    TaskSpec,
    VectorTransform,
)


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
        score, counts = corpus_search.ranked_by_model(task, part, encoder, loaded)
    else:
        fields = Fields(task, encoder, options or EncodeOptions(store="off"), transform)
        score = (
            corpus_search.searched(fields, loaded.gold)
            if isinstance(loaded.gold, Ranked)
            else _embedded(fields, loaded)
        )
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


def _embedded(fields: Fields, loaded: Loaded) -> Callable[[Answers], Scores]:
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
