"""Ranks and means equal those of mteb's own table code on the same files."""

from __future__ import annotations

import json
import math
import os
import shutil
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from harness.errors import UnknownName
from harness.leaderboard import api, board, file_index, record_choice
from harness.tasks import mteb_benchmarks
from tests import boards

pytest.importorskip("mteb")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def what_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """mteb takes seconds to find out on which tasks a model was trained, and names like those it does not know."""
    monkeypatch.setattr("mteb.benchmarks._create_table._zero_shot_pct_cached", lambda name, tasks: None)
    monkeypatch.setattr("mteb.models.get_model_meta.difflib.get_close_matches", lambda *_: [])


@pytest.fixture(scope="module")
def results(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public slice without the one file that holds a subset twice, which mteb averages and we refuse.

    HARNESS_PUBLIC_RESULTS names the `results` folder of a clone of the public repository to compare instead.
    """
    root = tmp_path_factory.mktemp("mteb") / "results"
    twice = Path("aari1995__German_Semantic_STS_V2") / "external" / "GermanSTSBenchmark.json"
    clone = Path(os.environ.get("HARNESS_PUBLIC_RESULTS", shared / "public-results"))
    for path in clone.rglob("*.json"):
        name = path.relative_to(clone)
        if name != twice:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(path.read_bytes())
    return root


WHOLE = ("MTEB(eng, v2)", "MTEB(deu, v1)")
"""Benchmarks of which the slice has more than 30 models whole."""

IN_PART = "MTEB(Indic, v1)"
"""A benchmark of which the slice has most models in part only, which gives ranks with gaps."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in (*WHOLE, IN_PART) else pytest.mark.slow)
        for name in mteb_benchmarks.names()
    ],
)
def test_the_table(name: str, results: Path) -> None:
    """Rank (Borda), Mean (Task), Mean (TaskType) and every type of every model that mteb shows, for each benchmark."""
    import mteb

    loaded = mteb.ResultCache(results.parent).load_results(
        tasks=mteb.get_benchmark(name), require_model_meta=False, include_remote=False
    )
    table = loaded.get_benchmark_result()
    tasks, index = boards.of_suite(name), file_index.read(results)
    if "Model" not in table.columns:
        with pytest.raises(UnknownName, match="no record fits"):
            board.build([index], tasks, title=name)
        pytest.skip(f"no model has results for {name}")
    theirs = {row["Model"]: row for row in table.to_dict("records")}
    ours = {row.label: row for row in board.build([index], tasks, title=name).rows}
    assert set(theirs) <= set(ours)  # mteb leaves out models that its registry does not know
    for model, expected in theirs.items():
        row = ours[model]
        assert row.rank == expected["Rank (Borda)"], model
        means = {"Mean (Task)": row.mean_task, "Mean (TaskType)": row.mean_type, **row.by_type}
        for column, value in means.items():
            if column not in expected:  # RTEB and a few others have no columns of types
                continue
            if math.isnan(expected[column]):
                assert value is None, (model, column)
            else:
                assert value == pytest.approx(expected[column], abs=1e-12), (model, column)
        assert (row.mean_task is None) == bool(row.missing)
    assert sum(row.mean_task is not None for row in ours.values()) > (30 if name in WHOLE else -1)
    assert {row.rank for row in ours.values()} != set(range(1, len(ours) + 1)) or name != IN_PART


FURTHER = ("HUME(v1)", "LongEmbed", "LMEB")
"""Benchmarks whose tables have further means: over subsets, and over groups of tasks."""


def invented(folder: Path, name: str) -> None:
    """Results of five models of mteb's registry: random, some parts and some tasks missing."""
    from mteb.models.model_implementations import MODEL_REGISTRY

    random = np.random.default_rng(0)
    models = [name for name, meta in MODEL_REGISTRY.items() if meta.revision and "/" in name][:5]
    for number, model in enumerate(models):
        for task in boards.of_suite(name):
            scores = {part: float(random.uniform()) for part in task.parts or ()}
            if number > 2 and random.uniform() < 0.2:
                continue
            if number > 1 and len(scores) > 1 and random.uniform() < 0.5:
                scores.popitem()
            boards.put(
                folder, model, task.name, scores, revision=str(MODEL_REGISTRY[model].revision), evaluation_time=1.0
            )


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in FURTHER else pytest.mark.slow)
        for name in mteb_benchmarks.names()
        if name not in ("MTEB(Multilingual, v1)", "MTEB(Multilingual, v2)", "MTEB(Europe, v1)", "RTEB(jpn, beta)")
    ],
)
def test_the_table_of_invented_results(name: str, tmp_path: Path) -> None:
    """Every column of mteb's table, the further means among them, of results with gaps."""
    import mteb

    invented(tmp_path / "results", name)
    loaded = mteb.ResultCache(tmp_path).load_results(
        tasks=mteb.get_benchmark(name), require_model_meta=False, include_remote=False
    )
    theirs = {row["Model"]: row for row in loaded.get_benchmark_result().to_dict("records")}
    found = api.rank(suite=name, results=tmp_path / "results")
    assert {row.label for row in found.rows} == set(theirs)
    benchmark = mteb_benchmarks.get(name)
    assert benchmark is not None
    assert bool(found.groups) == bool(benchmark.groupings or "mean_subset" in benchmark.means)
    for row in found.rows:
        expected = theirs[row.label]
        assert row.rank == expected["Rank (Borda)"]
        means = {"Mean (Task)": row.mean_task, "Mean (TaskType)": row.mean_type, **row.by_type}
        means |= {_theirs(column): value for column, value in row.by_group.items()}
        shown = {column: value for column, value in means.items() if column in expected}
        assert len(shown) > (name in FURTHER)
        assert {column for column in expected if column.startswith("__cg__")} <= set(shown)
        for column, value in shown.items():
            missing = expected[column] is None or math.isnan(expected[column])
            assert (value is None) == missing, (row.label, column)
            assert value is None or value == pytest.approx(expected[column], abs=1e-12), (row.label, column)
    if "Mean (Subset)" in found.groups:
        by_mean = [row.label for row in found.rows if row.by_group["Mean (Subset)"] is not None]
        assert by_mean == list(theirs)[: len(by_mean)]


def _theirs(column: str) -> str:
    """mteb's name of the column of a group."""
    dimension, _, label = column.partition(": ")
    return f"__cg__{dimension}::{label}" if label else column


@pytest.mark.parametrize("name", WHOLE)
def test_a_copy_under_a_private_name_has_the_rank_of_the_original(name: str, results: Path, tmp_path: Path) -> None:
    """The results of a public model in a folder of one's own, under another name: the same rank, means and columns."""
    original = "intfloat/multilingual-e5-small"
    [folder] = [folder for folder in results.glob("intfloat__multilingual-e5-small/*") if any(folder.glob("STS*.json"))]
    revision = tmp_path / "lab__private" / folder.name
    shutil.copytree(folder, revision)
    meta = json.loads((folder / "model_meta.json").read_text(encoding="utf-8"))
    boards.write(revision / "model_meta.json", json.dumps({**meta, "name": "lab/private"}))
    found = api.rank(suite=name, results=[tmp_path, results])
    copy, source = (next(row for row in found.rows if row.who.model == model) for model in ("lab/private", original))
    assert (copy.rank, copy.mean_task, copy.mean_type, copy.by_type) == (
        *(source.rank, source.mean_task, source.mean_type),
        source.by_type,
    )
    assert copy.scores == source.scores


def test_main_revisions() -> None:
    """`main_revisions.json` is mteb's registry of models."""
    from mteb.models.get_model_meta import get_model_metas

    theirs = {meta.name: meta.revision for meta in get_model_metas() if meta.name and meta.revision}
    file = resources.files("harness.leaderboard") / record_choice.MAIN_REVISIONS
    ours = json.loads(file.read_text(encoding="utf-8"))
    differing = sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name))
    assert not differing, "write {name: revision} of mteb.models.get_model_meta.get_model_metas() to the file again"


@pytest.mark.parametrize("name", WHOLE)
def test_the_suites_are_the_benchmarks(name: str) -> None:
    """The tasks that count on a suite's leaderboard are those of mteb's benchmark, with their types and parts."""
    import mteb

    theirs = {
        task.metadata.name: (
            task.metadata.type,
            {(split, sub) for split in task.eval_splits for sub in task.hf_subsets},
        )
        for task in mteb.get_benchmark(name).tasks
    }
    ours = {task.name: (task.type, set(task.parts or ())) for task in boards.of_suite(name)}
    assert ours == theirs
