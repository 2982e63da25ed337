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

CLOSED = {
    *("Code1Retrieval", "JapaneseCode1Retrieval"),
    *(f"EnglishFinance{number}Retrieval" for number in (1, 2, 3, 4)),
    *("EnglishHealthcare1Retrieval", "GermanHealthcare1Retrieval"),
    *("French1Retrieval", "FrenchLegal1Retrieval", "German1Retrieval", "GermanLegal1Retrieval"),
    "JapaneseLegal1Retrieval",
}
"""The tasks of benchmarks that cannot be run: RTEB's closed sets, whose data is not public."""


@functools.cache
def _benchmarks() -> dict[str, Any]:
    return {str(benchmark.name): benchmark for benchmark in mteb.get_benchmarks()}


def _parts(task: Any) -> set[Part]:
    """The parts of a task of a benchmark, as mteb evaluates it."""
    subsets = getattr(task, "hf_subsets", None) or task.metadata.hf_subsets_to_langscripts
    return {Part(split, subset) for split in task.eval_splits for subset in subsets}


def test_the_file_is_what_the_generator_writes() -> None:
    """The committed file is, byte for byte, what the generator makes of the installed mteb."""
    from tests.generators import mteb_benchmarks_file

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
    """Each public task of the benchmark runs, in the benchmark's order and parts; the notes name the closed ones."""
    suite, runnable = REGISTRY.suite(name), REGISTRY.members(REGISTRY.suite(name))
    theirs = {str(task.metadata.name): task for task in _benchmarks()[name].tasks}
    closed = {task for task in theirs if not theirs[task].metadata.is_public}
    assert closed <= CLOSED
    assert suite.recorded_only == ()
    assert [member.task.name for member in runnable] == [task for task in theirs if task not in closed]
    for member in runnable:
        assert set(member.parts) == _parts(theirs[member.task.name]), member.task.name
    assert all(task in suite.notes for task in closed)


@pytest.mark.parametrize("name", mteb_benchmarks.names())
def test_a_task_of_a_benchmark_reads_the_data_that_mteb_reads(name: str) -> None:
    """The data set and its commit are mteb's, through the mirror where the task's file names an older source."""
    for member in REGISTRY.members(REGISTRY.suite(name)):
        theirs = mteb_metadata.get(member.task.name)
        assert theirs is not None
        if theirs.dataset is not None:
            assert (member.task.source.path, member.task.source.revision) == (theirs.dataset, theirs.revision)
