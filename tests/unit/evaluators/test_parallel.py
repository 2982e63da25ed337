"""Many small problems side by side: in order, and the same on one core and on many."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import threadpoolctl

from harness.evaluators import classification, clustering, parallel, search
from harness.evaluators.classification import ClassificationSettings, Labelled
from harness.evaluators.clustering import Clustered, ClusteredSets, ClusteringSettings

CORES = (1, 2, 7)
RNG = np.random.default_rng(11)
CENTRES = RNG.normal(size=(5, 16))
LABELS = RNG.integers(0, 5, 240)
ROWS = (CENTRES[LABELS] + 2 * RNG.normal(size=(240, 16))).astype(np.float32)


@pytest.fixture(params=CORES)
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """A machine with so many cores."""
    monkeypatch.setattr(parallel, "cores", lambda: request.param)
    return int(request.param)


@pytest.mark.usefixtures("cores")
def test_results_come_in_order() -> None:
    """One result for each item, in the order of the items."""
    assert parallel.each(lambda item: item * item, range(50)) == [item * item for item in range(50)]
    assert parallel.each(str, []) == []


@pytest.mark.usefixtures("cores")
def test_an_error_comes_out() -> None:
    """The first error, in the order of the items."""
    with pytest.raises(ZeroDivisionError):
        parallel.each(lambda item: 1 // item, [1, 0, 2])


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}


def test_one_thread_for_each_problem() -> None:
    """The linear algebra library is held to one thread while problems run, and has its own again afterwards."""
    before = blas_threads()
    assert before
    assert parallel.each(lambda item: blas_threads(), range(3)) == [{1}] * 3
    assert blas_threads() == before


def test_stages_that_overlap_give_the_threads_back() -> None:
    """Two threads that enter and leave one after the other leave the library as it was, whoever leaves first."""
    before = blas_threads()
    entered, left = threading.Event(), threading.Event()

    def first() -> None:
        parallel.each(lambda item: (entered.set(), second_in.wait(10)), [0])
        left.set()

    second_in = threading.Event()
    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(10)
    inside = parallel.each(lambda item: (second_in.set(), left.wait(10), blas_threads())[-1], [0])
    thread.join()
    assert inside == [{1}]
    assert blas_threads() == before


@pytest.mark.parametrize("first_in_main", [False, True])
def test_any_thread_may_hold_it(first_in_main: bool) -> None:
    """The limit holds in a thread after another thread, which is still there, has set one: as in a run, where the main
    thread searches and another one scores."""
    before = blas_threads()
    if first_in_main:
        with threadpoolctl.threadpool_limits(limits=1, user_api="blas"):
            assert blas_threads() == {1}
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.extend(parallel.each(lambda item: blas_threads(), [0])))
    thread.start()
    thread.join()
    assert found == [{1}]
    assert parallel.each(lambda item: blas_threads(), [0]) == [{1}]
    assert blas_threads() == before


def classified() -> Any:
    gold = Labelled(
        train=["x"] * 120,
        train_labels=LABELS[:120],
        test=["x"] * 120,
        test_labels=LABELS[120:],
        label_names=tuple(range(5)),
    )
    kind = ClassificationSettings()
    drawn = np.unique(np.concatenate(classification.draws(gold, kind)))
    return classification.score(gold, {"train": ROWS[:120][drawn], "test": ROWS[120:]}, settings=kind).scores


def clustered() -> Any:
    gold = Clustered(texts=["x"] * 240, labels=[(int(label),) for label in LABELS])
    kind = ClusteringSettings(max_fraction_of_documents_to_embed=None, max_documents_per_cluster=200)
    return clustering.score(gold, {"texts": ROWS}, settings=kind).scores


def clustered_in_sets() -> Any:
    sets = [
        Clustered(texts=["x"] * 80, labels=[(int(label),) for label in LABELS[start : start + 80]])
        for start in (0, 80, 160)
    ]
    kind = ClusteringSettings(method="legacy")
    return clustering.score(ClusteredSets(sets=sets), {"texts": ROWS}, settings=kind).scores


def searched() -> Any:
    hits = search.search(
        ROWS[:90],
        iter([ROWS[90:150], ROWS[150:]]),
        document_ids=[f"d{i}" for i in range(150)],
        k=20,
        similarity="cosine",
    )
    return hits.indices.tolist(), hits.scores.tolist()


@pytest.mark.parametrize("problem", [classified, clustered, clustered_in_sets, searched])
def test_the_number_of_cores_changes_no_score(problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every score, and every hit with its similarity, is the same bits on 1, 2 and 7 cores."""
    monkeypatch.setattr(search, "SCORES_AT_ONCE", 3000)  # so that there are several groups of queries
    found = []
    for count in CORES:
        monkeypatch.setattr(parallel, "cores", lambda count=count: count)
        found.append(problem())
    assert found[0] == found[1] == found[2]
