"""The generator of `tasks/mteb_benchmarks.json`; its fields are those of `tasks.mteb_benchmarks.Benchmark`.

It is made after `mteb_tasks.json`. Splits and subsets of a task are written only where the benchmark has some of them.
"""

from __future__ import annotations

from importlib import metadata
from typing import Any

from tests.generators.json_line import line


def text() -> str:
    """The file's text: JSON with one line a benchmark, sorted by name."""
    import mteb

    benchmarks = sorted(filter(_is_of_text_alone, mteb.get_benchmarks()), key=lambda benchmark: str(benchmark.name))
    head = {"mteb": metadata.version("mteb")}
    return line(head)[:-1] + ',"benchmarks":[\n' + ",\n".join(line(row(each)) for each in benchmarks) + "\n]}\n"


def row(benchmark: Any) -> dict[str, Any]:
    """The line of one of mteb's benchmarks."""
    content: dict[str, Any] = {
        "name": str(benchmark.name),
        "aliases": list(benchmark.aliases),
        "title": benchmark.display_name,
        "reference": str(benchmark.reference) if benchmark.reference else None,
        "superseded_by": list(benchmark.superseded_by or ()),
        "means": [str(each.value) for each in benchmark.aggregations if not hasattr(each, "groups")],
        "tasks": [_task(task) for task in benchmark.tasks],
    }
    groupings = {
        each.name: {group.label: [_task(task) for task in group.tasks] for group in each.groups}
        for each in benchmark.aggregations
        if hasattr(each, "groups")
    }
    return {name: value for name, value in {**content, "groupings": groupings}.items() if value or name == "tasks"}


def _task(task: Any) -> str | dict[str, Any]:
    """A task's name, and those of its splits and subsets that the benchmark has, where it lacks some."""
    facts = task.metadata
    content: dict[str, Any] = {"task": str(facts.name)}
    if list(task.eval_splits) != list(facts.eval_splits):
        content["splits"] = list(task.eval_splits)
    subsets = list(getattr(task, "hf_subsets", None) or facts.hf_subsets_to_langscripts)
    if set(subsets) != set(facts.hf_subsets_to_langscripts):
        content["subsets"] = subsets
    return content if len(content) > 1 else content["task"]


def _is_of_text_alone(benchmark: Any) -> bool:
    return all(list(task.metadata.modalities) == ["text"] for task in benchmark.tasks)
