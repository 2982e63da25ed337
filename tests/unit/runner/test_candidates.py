"""Candidates that the data name are ranked, and nothing else, however a corpus is searched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness import data, models
from harness.evaluators import device_search
from harness.evaluators.ranked import Ranked
from harness.runner import corpus_search, measurement
from harness.tasks import registry
from harness.types import EncodeOptions, Hits, Loaded, Part, TaskSpec

TEST = Part("test", "default")
OPTIONS = EncodeOptions(store="off")


@pytest.fixture(scope="module")
def narrowed() -> tuple[TaskSpec, Loaded]:
    """A retrieval task with the candidates of each query, the first of whom are relevant."""
    task = registry.get_tasks().get("MiniAnswersEnglish")
    gold = data.load(task, TEST).gold
    assert isinstance(gold, Ranked)
    others = {query: gold.document_ids[7 * place : 7 * place + 9] for place, query in enumerate(gold.query_ids)}
    candidates = {query: [*dict.fromkeys([*gold.qrels[query], *others[query]])] for query in gold.query_ids}
    return task, Loaded(gold=replace(gold, candidates=candidates), rows={}, digest="")


@pytest.mark.parametrize("count", [2, 5])
def test_shards_rank_the_candidates_too(narrowed: tuple[TaskSpec, Loaded], count: int) -> None:
    """Where a retrieval task names candidates, shards of its corpus give the scores of the whole to the bit."""
    task, loaded = narrowed
    encoder = models.open_model(models.resolve("baseline/hashing"), OPTIONS)
    shards = [
        corpus_search.search_shard(task, TEST, encoder, loaded, number=number, of=count, options=OPTIONS)  # type: ignore[arg-type]
        for number in range(count)
    ]
    joined = measurement.score(measurement.join(task, TEST, loaded, shards))
    whole = measurement.score(measurement.encode(task, TEST, encoder, loaded, options=OPTIONS))
    corpus = measurement.score(measurement.encode(task, TEST, encoder, data.load(task, TEST), options=OPTIONS))
    assert joined.scores == whole.scores
    assert whole.scores["ndcg_at_10"] > corpus.scores["ndcg_at_10"]


def test_bm25_ranks_the_candidates(narrowed: tuple[TaskSpec, Loaded]) -> None:
    """Every candidate has a place, those without a shared term behind; scores are those of a search in the corpus."""
    task, loaded = narrowed
    gold = loaded.gold
    assert isinstance(gold, Ranked)
    model = models.open_model(models.resolve("baseline/bm25"), OPTIONS)
    hits = measurement.encode(task, TEST, model, loaded).given
    whole = measurement.encode(task, TEST, model, data.load(task, TEST)).given
    assert gold.candidates is not None
    for row, query in enumerate(gold.query_ids):
        places = hits.indices[row][hits.indices[row] >= 0]
        assert sorted(gold.document_ids[place] for place in places) == sorted(gold.candidates[query])
        in_corpus = dict(zip(whole.indices[row].tolist(), whole.scores[row].tolist(), strict=True))
        scores = hits.scores[row][: len(places)]
        assert scores.tolist() == [in_corpus.get(place, 0.0) for place in places.tolist()]
        assert (np.diff(scores) <= 0).all()


@pytest.mark.parametrize("with_candidates", [False, True])
def test_a_model_on_a_gpu_searches_there(
    with_candidates: bool, narrowed: tuple[TaskSpec, Loaded], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device of the model is asked for, and the hits are those of the search on the CPU."""
    task, loaded = narrowed
    loaded = loaded if with_candidates else data.load(task, TEST)
    encoder = models.open_model(models.resolve("baseline/hashing"), OPTIONS)
    expected = measurement.encode(task, TEST, encoder, loaded, options=OPTIONS).given
    asked: list[str] = []
    original = device_search.search

    def on_the_cpu(*arguments: Any, device: str, **options: Any) -> Hits:
        asked.append(device)
        return original(*arguments, device="cpu", **options)

    monkeypatch.setattr(device_search, "search", on_the_cpu)
    encoder.facts = replace(encoder.facts, device="cuda:1,cuda:2")
    hits = measurement.encode(task, TEST, encoder, loaded, options=OPTIONS).given
    assert asked == ["cuda:1"]
    assert hits.indices.shape == expected.indices.shape
    is_hit = expected.indices >= 0
    np.testing.assert_allclose(hits.scores[is_hit], expected.scores[is_hit], rtol=1e-5, atol=1e-6)
    assert (hits.indices == expected.indices).mean() > 0.99  # near ties may change places
