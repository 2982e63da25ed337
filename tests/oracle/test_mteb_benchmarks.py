"""The committed benchmarks against the installed mteb."""

from __future__ import annotations

import functools
from importlib import metadata
from typing import Any

import pytest

from harness.tasks import mteb_benchmarks, mteb_metadata, registry
from harness.types import Part

mteb = pytest.importorskip("mteb")

REGISTRY = registry.get_tasks()

pytestmark = pytest.mark.skipif(
    metadata.version("mteb") != mteb_benchmarks.version(),
    reason=f"the committed benchmarks are those of mteb {mteb_benchmarks.version()}",
)

NOT_RUN = ("mteb's type ", "an aggregate of other tasks")
"""How the reasons begin why a task of a benchmark cannot be run here, though its data is public."""


@functools.cache
def _benchmarks() -> dict[str, Any]:
    return {str(benchmark.name): benchmark for benchmark in mteb.get_benchmarks()}


def _parts(task: Any) -> set[Part]:
    """The parts of a task of a benchmark, as mteb evaluates it."""
    subsets = getattr(task, "hf_subsets", None) or task.metadata.hf_subsets_to_langscripts
    return {Part(split, subset) for split in task.eval_splits for subset in subsets}


def test_the_file_is_what_the_generator_writes() -> None:
    """The committed file is, byte for byte, what the generator makes of the installed mteb."""
    from harness.data import mteb_benchmarks_file

    assert mteb_benchmarks.FILE.read_text(encoding="utf-8") == mteb_benchmarks_file.text()


def test_every_benchmark_of_text_alone_is_a_suite() -> None:
    """All of mteb's benchmarks whose tasks are of text alone are there, under mteb's names and aliases."""
    texts = {
        name: benchmark
        for name, benchmark in _benchmarks().items()
        if all(list(task.metadata.modalities) == ["text"] for task in benchmark.tasks)
    }
    assert set(mteb_benchmarks.names()) == set(texts)
    assert len(texts) == 61
    for name, benchmark in texts.items():
        for alias in (name, *benchmark.aliases):
            assert REGISTRY.suite(alias).name == name


@pytest.mark.parametrize("name", mteb_benchmarks.names())
def test_a_suite_has_the_tasks_splits_and_subsets_of_the_benchmark(name: str) -> None:
    """Each task of the benchmark runs in its order and parts, or is not public, or `NOT_RUN` says why not."""
    suite, runnable = REGISTRY.suite(name), REGISTRY.members(name)
    theirs = {str(task.metadata.name): task for task in _benchmarks()[name].tasks}
    closed = [task for task in theirs if not theirs[task].metadata.is_public]
    recorded_only = [task.name for task in suite.recorded_only]
    assert [member.task.name for member in runnable] == [
        task for task in theirs if task not in (*closed, *recorded_only)
    ]
    for member in runnable:
        assert set(member.parts) == _parts(theirs[member.task.name]), member.task.name
    assert all(task.reason.startswith(NOT_RUN) for task in suite.recorded_only)
    assert all(task in suite.notes for task in (*closed, *recorded_only))


@pytest.mark.parametrize("name", mteb_benchmarks.names())
def test_a_task_of_a_benchmark_reads_the_data_that_mteb_reads(name: str) -> None:
    """The data set and its commit are mteb's, through the mirror where the task's file names an older source."""
    for member in REGISTRY.members(name):
        theirs = mteb_metadata.get(member.task.name)
        assert theirs is not None
        if theirs.dataset is not None:
            assert (member.task.source.path, member.task.source.revision) == (theirs.dataset, theirs.revision)
