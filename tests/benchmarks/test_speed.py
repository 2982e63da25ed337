"""How much faster than mteb, side by side in one run. `make bench` prints the ratios; machines differ, ratios less."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from harness.evaluators import KINDS
from harness.evaluators.retrieval import Ranked, RetrievalSettings
from harness.types import Hits

pytest.importorskip("mteb", reason="the peer is mteb")


def report(what: str, ours: float, theirs: float) -> float:
    print(f"\n{what}: harness {ours:.3f} s, mteb {theirs:.3f} s, {theirs / ours:.1f} times")
    return theirs / ours


def cpu_seconds(command: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def wall_seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def test_start() -> None:
    """`harness --help` takes less than a tenth of the processor time of `mteb --help`."""
    ours = min(cpu_seconds([sys.executable, "-m", "harness", "--help"]) for _ in range(3))
    theirs = cpu_seconds([sys.executable, "-m", "mteb", "--help"])
    assert report("start", ours, theirs) > 10


def test_retrieval_metrics() -> None:
    """All metrics of 10,000 queries with 1,000 hits each: a tenth of the time of pytrec_eval and mteb's loops."""
    from mteb._evaluators.retrieval_metrics import calculate_retrieval_scores

    rng = np.random.default_rng(0)
    n_queries, n_documents, depth = 10_000, 20_000, 1000
    ids = [f"d{i:06d}" for i in range(n_documents)]
    step = rng.integers(1, n_documents // depth, size=(n_queries, 1))
    indices = (rng.integers(0, n_documents, size=(n_queries, 1)) + step * np.arange(depth)) % n_documents
    scores = -np.sort(-rng.random((n_queries, depth), dtype=np.float32), axis=1)
    qrels = {f"q{row}": {ids[i]: 1 for i in indices[row, rng.integers(0, 200, 3)]} for row in range(n_queries)}
    gold = Ranked(
        query_ids=list(qrels), queries=[""] * n_queries, document_ids=ids, documents=[""] * n_documents, qrels=qrels
    )
    run = {
        f"q{row}": dict(zip([ids[i] for i in indices[row]], scores[row].tolist(), strict=True))
        for row in range(n_queries)
    }
    settings = RetrievalSettings()
    hits = Hits(indices=indices, scores=scores)
    found = {}

    def ours() -> None:
        found["ours"] = KINDS["Retrieval"].score(gold, hits, settings=settings).scores["ndcg_at_10"]

    def theirs() -> None:
        found["theirs"] = calculate_retrieval_scores(run, qrels, list(settings.k_values)).ndcg["NDCG@10"]

    ratio = report("retrieval metrics, 10,000 x 1,000", wall_seconds(ours), wall_seconds(theirs))
    assert found["ours"] == pytest.approx(found["theirs"], abs=1e-6)
    assert ratio > 10
