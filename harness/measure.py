"""One part measured: gold -> texts -> embeddings or hits -> scores, with counts and times.

Retrieval differs from the other types in one place: its corpus is encoded block by block and folded into the search.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.types import Encoder, Hits, Loaded, Part, Ranked, RetrievalSettings, Scores, Searcher, TaskSpec, Texts

if TYPE_CHECKING:
    from harness.types import Float32, Int64

_CORPUS_BLOCK = 50_000
"""Documents encoded at once: as in mteb, so that the batches hold the same texts."""


class Measured(NamedTuple):
    """Scores of a part and what it took.

    Attributes:
        scores: metric -> value.
        texts: how many were encoded.
        tokens: how many were fed to the model; None where it cannot tell.
        truncated: texts cut at the maximum length; None where the model cannot tell.
        prompts: field -> the prompt put before its texts.
        seconds: phase -> wall time.
    """

    scores: Scores
    texts: int
    tokens: int | None
    truncated: int | None
    prompts: dict[str, str | None]
    seconds: dict[str, float]


def measure(task: TaskSpec, part: Part, encoder: Encoder | Searcher, loaded: Loaded) -> Measured:
    """Encode what `part` needs and score it.

    Raises:
        EncodeError: the model's answer cannot be scored.
        DataError: the data cannot be scored.
    """
    if isinstance(encoder, Searcher):
        return _ranked_by_model(task, part, encoder, loaded)
    if isinstance(loaded.gold, Ranked):
        return _searched(task, encoder, loaded.gold)
    return _embedded(task, encoder, loaded)


def _embedded(task: TaskSpec, encoder: Encoder, loaded: Loaded) -> Measured:
    """Encode every field of the gold value, then score the arrays."""
    from harness.evaluators import EVALUATORS

    evaluator, tally = EVALUATORS[task.type], _Tally(task)
    fields = evaluator.texts(loaded.gold, task.settings)
    embeddings = {name: tally.encode(encoder, name, texts) for name, texts in fields.items()}
    own: dict[str, Any] = {}
    if evaluator.takes == "pairs":
        own["similarity"] = encoder.similarity_pairwise(embeddings["left"], embeddings["right"])
    elif evaluator.takes == "sides":
        own["similarity"] = encoder.facts.similarity
    tally.lap("encode")
    return tally.measured(evaluator.score(loaded.gold, embeddings, settings=task.settings, **own))


def _searched(task: TaskSpec, encoder: Encoder, gold: Ranked) -> Measured:
    """Encode the queries, stream the corpus through the search block by block, then score the hits."""
    from harness import search
    from harness.evaluators import EVALUATORS

    assert isinstance(task.settings, RetrievalSettings)
    tally = _Tally(task)
    fields = EVALUATORS["Retrieval"].texts(gold, task.settings)
    documents = fields["documents"]

    def blocks() -> Iterator[Float32]:
        for start in range(0, len(documents.items), _CORPUS_BLOCK):
            block = replace(documents, items=documents.items[start : start + _CORPUS_BLOCK])
            yield tally.encode(encoder, "documents", block)

    queries = tally.encode(encoder, "queries", fields["queries"])
    depth, similarity = max(task.settings.k_values), encoder.facts.similarity
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
    return _scored(task, gold, hits, tally)


def _places(gold: Ranked, candidates: Mapping[str, Sequence[str]]) -> list[Int64]:
    place = {name: position for position, name in enumerate(gold.document_ids)}
    return [np.array([place[name] for name in candidates.get(query, ())], dtype=np.int64) for query in gold.query_ids]


def _ranked_by_model(task: TaskSpec, part: Part, encoder: Searcher, loaded: Loaded) -> Measured:
    """A model that ranks by itself."""
    assert isinstance(task.settings, RetrievalSettings)
    assert isinstance(loaded.gold, Ranked)
    tally = _Tally(task)
    tally.texts = len(loaded.gold.queries) + len(loaded.gold.documents)
    tally.tokens = tally.truncated = None
    hits = encoder.search(loaded.gold, k=max(task.settings.k_values), languages=task.subsets.get(part.subset, ()))
    return _scored(task, loaded.gold, hits, tally)


def _scored(task: TaskSpec, gold: Ranked, hits: Hits, tally: _Tally) -> Measured:
    from harness.evaluators import EVALUATORS

    tally.lap("encode")
    return tally.measured(EVALUATORS["Retrieval"].score(gold, hits, settings=task.settings))


class _Tally:
    """Counts and times over the fields of a part; a count is None once one field's is not known."""

    def __init__(self, task: TaskSpec) -> None:
        self.task = task
        self.texts = 0
        self.tokens: int | None = 0
        self.truncated: int | None = 0
        self.prompts: dict[str, str | None] = {}
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def encode(self, encoder: Encoder, name: str, texts: Texts) -> Float32:
        """Embeddings of `texts`, counted under the field `name`."""
        from harness import encoding

        prompt = encoding.prompt_for(encoder, self.task, texts)
        encoded = encoding.encode(encoder, texts, prompt=prompt)
        self.texts += len(texts.items)
        self.tokens = _sum(self.tokens, encoded.tokens)
        self.truncated = _sum(self.truncated, encoded.truncated)
        self.prompts[name] = prompt.text or None
        return encoded.embeddings

    def lap(self, phase: str) -> None:
        """The time since the last lap belongs to `phase`."""
        now = time.perf_counter()
        self.seconds[phase], self._since = now - self._since, now

    def measured(self, scores: Scores) -> Measured:
        """Everything counted, with `scores`."""
        self.lap("score")
        return Measured(scores, self.texts, self.tokens, self.truncated, self.prompts, self.seconds)


def _sum(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right
