"""Nights on a Ray cluster of two simulated nodes: the same records, a node that dies, shards, scaling."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ray", reason="Ray (extra `ray`) is not installed")

from harness import models
from harness.data import load
from harness.errors import HarnessError
from harness.evaluators.retrieval import Ranked
from harness.nightly import cell_work, night
from harness.nightly.engines import corpus_shards
from harness.nightly.engines.protocol import Shard
from harness.nightly.engines.ray_cluster import RayEngine
from harness.nightly.history.snapshot_files import last
from harness.nightly.schedule.schedule_contents import EngineOptions
from harness.runner import corpus_search as corpus
from harness.runner import measurement
from harness.tasks import registry
from harness.types import EncodeOptions
from tests import nights
from tests.conftest import ROOT, environment

from .test_nightly import facts

SLEEPER = "tests.nights:Sleeper"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two nodes of four places each; the first holds the driver."""
    from ray.cluster_utils import Cluster

    kept = dict(os.environ)
    os.environ.update({"RAY_DEDUP_LOGS": "0", "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT)})
    folder = tmp_path_factory.mktemp("ray")
    (folder / "starts").mkdir()
    os.environ.update(environment(folder, NIGHTS_STARTS=str(folder / "starts")))
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 4, "include_dashboard": False})
    made.add_node(num_cpus=4)
    yield made
    made.shutdown()
    os.environ.clear()
    os.environ.update(kept)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def options(cluster: Any, **changes: Any) -> EngineOptions:
    return EngineOptions(kind="ray", address=cluster.address, device="cpu", backoff=0.05, **changes)


def test_no_cluster(home: Path) -> None:
    """Where no cluster answers, one clear message says so, and at once."""
    with pytest.raises(HarnessError, match=r"no cluster at '127.0.0.1:9' .*; start one with `ray start --head`"):
        RayEngine(EngineOptions(kind="ray", address="127.0.0.1:9"))


@pytest.mark.slow
def test_the_same_records_as_locally(cluster: Any, home: Path) -> None:
    """Scores, fingerprints, data and items on two nodes are those of the local engine, one corpus being in shards."""
    tasks = ["MiniAnswersEnglish", "MiniAnswersGerman", "MiniSTSEnglish"]
    for name in ("here", "there"):
        (home / name).mkdir()
    here = nights.schedule_of(home / "here", tasks=tasks)
    there = nights.schedule_of(home / "there", tasks=tasks)
    there = dataclasses.replace(there, engine=options(cluster, workers=2, shard_documents=60))
    assert night.run(here).status == 0
    report = night.run(there)
    assert report.status == 0, report
    assert without_effort(facts(there.results)) == without_effort(facts(here.results))
    assert [path.name for path in sorted(there.results.rglob("*.items.npz"))] == [
        path.name for path in sorted(here.results.rglob("*.items.npz"))
    ]
    assert not list((there.history / cell_work.SHARDS).glob("*"))
    mine, theirs = last(here.history), last(there.history)
    assert mine is not None
    assert theirs is not None
    assert {cell.key: cell.score for cell in mine.cells} == {cell.key: cell.score for cell in theirs.cells}


def without_effort(told: dict[str, Any]) -> dict[str, Any]:
    """Facts of records without what went through the model: queries do so once for each shard."""
    effort = {"texts_encoded", "tokens_encoded", "tokens_padded"}
    return {
        name: (
            scores,
            fingerprint,
            {part: {k: v for k, v in own.items() if k not in effort} for part, own in parts.items()},
        )
        for name, (scores, fingerprint, parts) in told.items()
    }


@pytest.mark.slow
def test_troubles(cluster: Any) -> None:
    """Crashes and errors cost their cells, after the retries that Ray makes; the others are done."""
    engine = RayEngine(options(cluster, retries=1), computer=SLEEPER)
    try:
        jobs = [nights.work(task=task, timeout=20) for task in ("0", "0 crash", "error", "0.01")]
        done = {one.work.cell.task.name: one.answer for one in engine.run(jobs, stop=lambda: False)}
    finally:
        engine.close()
    assert {task: answer.failure and answer.failure.kind for task, answer in done.items()} == {
        "0": None,
        "0 crash": "resource",
        "error": "defect",
        "0.01": None,
    }


@pytest.mark.slow
def test_a_node_dies(cluster: Any) -> None:
    """A node is killed in the middle: its cells are done elsewhere, and only those in flight were begun twice."""
    doomed = cluster.add_node(num_cpus=4, resources={"doomed": 4})
    jobs = [nights.work(task=f"0.3{number}") for number in range(24)]
    engine = RayEngine(options(cluster, workers=10), computer=SLEEPER)
    killer = threading.Timer(4.0, lambda: cluster.remove_node(doomed, allow_graceful=False))
    try:
        killer.start()
        done = [one.work.cell.task.name for one in engine.run(jobs, stop=lambda: False) if one.answer.failure is None]
    finally:
        killer.join()
        engine.close()
    assert sorted(done) == sorted(job.cell.task.name for job in jobs)
    begun = [line for log in Path(os.environ["NIGHTS_STARTS"]).iterdir() for line in log.read_text().splitlines()]
    assert len(jobs) <= len([line for line in begun if line.startswith("0.3")]) <= len(jobs) + 4


@pytest.mark.slow
def test_more_models_than_places(cluster: Any) -> None:
    """An actor whose cells are done makes room for the next model."""
    engine = RayEngine(options(cluster, cpus=4), computer=SLEEPER)
    try:
        jobs = [nights.work(f"org/{number}", task="0.1") for number in range(5)]
        done = [one.work.cell.label for one in engine.run(jobs, stop=lambda: False) if one.answer.failure is None]
    finally:
        engine.close()
    assert sorted(done) == [f"org/{number}" for number in range(5)]


@pytest.mark.slow
def test_stopping(cluster: Any) -> None:
    """When the budget ends, what is under way is told, and what Ray has not begun is cancelled."""
    engine = RayEngine(options(cluster, workers=2), computer=SLEEPER)
    jobs = [nights.work(task=f"0.5{number}") for number in range(60)]
    told: list[float] = []
    stopped: list[float] = []

    def stop() -> bool:
        if told and time.monotonic() - told[0] > 2 and not stopped:
            stopped.append(time.monotonic())
        return bool(stopped)

    try:
        for _ in engine.run(jobs, stop=stop):
            told.append(time.monotonic())  # noqa: PERF401 - stop() reads it meanwhile
        ended = time.monotonic()
    finally:
        engine.close()
    assert 2 <= len(told) < 30
    assert ended - stopped[0] < 3


@pytest.mark.slow
def test_scaling(cluster: Any) -> None:
    """Timed cells: eight workers do at least seven times the work of one; the overhead of a cell is printed.

    Counted from when every worker has answered once to when the first has none left: starting processes takes seconds
    where they share two cores, and a night takes hours.
    """
    seconds, share = 0.5, 16
    rates = {}
    for workers in (1, 8):
        jobs = [nights.work(task=f"{seconds}{number:03}") for number in range(share * workers)]
        engine = RayEngine(options(cluster, workers=workers), computer=SLEEPER)
        answered: Counter[Any] = Counter()
        times = []
        try:
            for outcome in engine.run(jobs, stop=lambda: False):
                answered[outcome.answer.result] += 1
                if len(answered) == workers and (not times or max(answered.values()) <= share):
                    times.append(time.monotonic())
                if max(answered.values()) == share:
                    break
        finally:
            engine.close()
        rates[workers] = (len(times) - 1) / (times[-1] - times[0])
    print(f"cells a second: {rates[1]:.2f} and {rates[8]:.2f}, {rates[8] / rates[1]:.2f} times as many with 8 workers")
    print(f"overhead per cell: {(1 / rates[1] - seconds) * 1000:.1f} ms")
    assert rates[8] / rates[1] >= 7


# --- shards, without a cluster ---------------------------------------------------------------------------------------


def merged(gold: Ranked, task: Any, encoder: Any, count: int, options: EncodeOptions) -> Any:
    from harness.types import Loaded

    loaded = Loaded(gold=gold, rows={}, digest="")
    parts = [
        corpus.search_shard(task, task.parts[0], encoder, loaded, number=number, of=count, options=options)
        for number in range(count)
    ]
    joined = measurement.join(task, task.parts[0], loaded, parts)
    whole = measurement.encode(task, task.parts[0], encoder, loaded, options=options)
    return measurement.score(joined), measurement.score(whole), parts


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shards_are_exact(home: Path, count: int) -> None:
    """Any number of shards gives the scores of the whole corpus to the bit, and counts its texts once."""
    task = registry.get_tasks().get("MiniAnswersEnglish")
    gold = load(task, task.parts[0]).gold
    assert isinstance(gold, Ranked)
    encoder = models.open_model(models.resolve("baseline/hashing"), EncodeOptions())
    pieces, whole, _ = merged(gold, task, encoder, count, EncodeOptions())
    assert pieces.scores == whole.scores
    assert (pieces.counts.texts, pieces.counts.tokens) == (whole.counts.texts, whole.counts.tokens)
    assert pieces.counts.prompts == whole.counts.prompts
    assert pieces.items is not None
    assert whole.items is not None
    np.testing.assert_array_equal(pieces.items.columns["value"], whole.items.columns["value"])


def test_shards_on_disk(home: Path) -> None:
    """A shard that was kept comes back as it was; one that is broken, or of another cell, does not."""
    task = registry.get_tasks().get("MiniAnswersEnglish")
    encoder = models.open_model(models.resolve("baseline/hashing"), EncodeOptions())
    loaded = load(task, task.parts[0])
    found = corpus.search_shard(task, task.parts[0], encoder, loaded, number=1, of=2, options=EncodeOptions())  # type: ignore[arg-type]
    cell = dataclasses.replace(nights.cell(), task=task)
    file = corpus_shards.path(home, cell, Shard(1, 2))
    corpus_shards.save(file, found)
    again = corpus_shards.load(file)
    assert again is not None
    np.testing.assert_array_equal(again.hits.indices, found.hits.indices)
    np.testing.assert_array_equal(again.hits.scores, found.hits.scores)
    assert (again.facts, again.counts) == (encoder.facts, found.counts)
    file.write_bytes(file.read_bytes()[:100])
    assert corpus_shards.load(file) is None
    assert corpus_shards.path(home, cell, Shard(0, 2)) != file
    with pytest.raises(HarnessError, match="the shards end at"):
        measurement.join(task, task.parts[0], loaded, [found])


@pytest.mark.slow
def test_scifact_in_shards(shared: Path, home: Path) -> None:
    """SciFact in four shards has the scores of the whole corpus, ties and all; BM25 is never cut."""
    folder = shared / "hub" / "datasets" / "mteb" / "scifact"
    gold = scifact(folder)
    task = registry.get_tasks().get("SciFact")
    encoder = models.open_model(models.resolve("baseline/hashing"), EncodeOptions())
    pieces, whole, parts = merged(gold, task, encoder, 4, EncodeOptions())
    assert [part.stop for part in parts] == [1295, 2591, 3887, 5183]
    assert pieces.scores == whole.scores
    bm25 = dataclasses.replace(nights.cell(), task=task, model=models.resolve("baseline/bm25"), part=task.parts[0])
    hashing = dataclasses.replace(bm25, model=models.resolve("baseline/hashing"))
    assert corpus_shards.cut(bm25, 1000) == ()
    assert [shard.number for shard in corpus_shards.cut(hashing, 2000)] == [0, 1, 2]


def scifact(folder: Path) -> Ranked:
    """The corpus and the queries of the test split, as mteb joins them."""
    import json

    def rows(name: str) -> list[dict[str, Any]]:
        file = next(path for path in folder.rglob(f"*{name}*.jsonl"))
        return [json.loads(line) for line in file.read_text().splitlines()]

    corpus, queries, judged = rows("corpus"), rows("queries"), rows("test")
    qrels: dict[str, dict[str, int]] = {}
    for row in judged:
        qrels.setdefault(str(row["query-id"]), {})[str(row["corpus-id"])] = int(row["score"])
    wanted = [row for row in queries if str(row["_id"]) in qrels]
    return Ranked(
        query_ids=[str(row["_id"]) for row in wanted],
        queries=[row["text"] for row in wanted],
        document_ids=[str(row["_id"]) for row in corpus],
        documents=[f"{row['title']} {row['text']}".strip() for row in corpus],
        qrels=qrels,
    )
