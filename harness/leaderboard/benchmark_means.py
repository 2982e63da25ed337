"""The further means of mteb's tables: over subsets, and over the groups of tasks that a benchmark names.

Definitions as in mteb 2.26 (`benchmarks/_create_table.py`). Mean (Subset): over the subsets of the tasks that a model
has, each the mean over its splits; none if one is missing. The mean of a group: over its tasks, of which one may stand
for some of its parts only; none if one is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.leaderboard.counted_tasks import ScopedTask
from harness.leaderboard.file_index import Index
from harness.leaderboard.record_choice import IndexRow, Who
from harness.leaderboard.score_matrix import matrix
from harness.tasks.mteb_benchmarks import Benchmark, Member
from harness.types import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float64

MEAN_SUBSET = "Mean (Subset)"


class BenchmarkMeans(NamedTuple):
    """Further columns of a benchmark's table.

    Attributes:
        columns: name of the column -> (models,) float64, NaN where there is none.
        subsets: (models, subsets) float64, the score of every subset as far as it is recorded, from which the Borda
            points are counted in place of those of tasks; None where the table has no mean over subsets.
    """

    columns: Mapping[str, Float64]
    subsets: Float64 | None = None


def benchmark_means(
    indices: Sequence[Index],
    selected: Mapping[Who, Mapping[str, IndexRow]],
    tasks: Sequence[ScopedTask],
    benchmark: Benchmark,
) -> BenchmarkMeans:
    """The further means of the models `selected`, in their order, over the tasks that count."""
    columns: dict[str, Float64] = {}
    subsets = None
    if "mean_subset" in benchmark.means:
        by_subset = [
            task._replace(parts=tuple(part for part in task.parts or () if part.subset == subset))
            for task in tasks
            for subset in dict.fromkeys(part.subset for part in task.parts or ())
        ]
        scored = matrix(indices, selected, by_subset)
        subsets = scored.partial
        observed = [bool(parts) for parts in scored.parts]
        recorded = np.array([[task.name in files for task in by_subset] for files in selected.values()])
        columns[MEAN_SUBSET] = _mean_of_recorded(scored.scores, recorded & observed)
    named = {task.name: task for task in tasks}
    for dimension, groups in benchmark.groupings.items():
        for label, members in groups.items():
            narrowed = [_narrowed(named[member.task], member) for member in members if member.task in named]
            scored = matrix(indices, selected, narrowed)
            counted = [number for number, parts in enumerate(scored.parts) if parts]
            if counted:
                columns[f"{dimension}: {label}"] = scored.scores[:, counted].mean(axis=1)
    return BenchmarkMeans(columns, subsets)


def _mean_of_recorded(scores: Float64, recorded: NDArray[np.bool_]) -> Float64:
    """The mean of each row over the subsets of its recorded tasks; NaN where one is missing, or nothing is recorded."""
    means = np.full(len(scores), np.nan)
    for row, (whole, chosen) in enumerate(zip(scores, recorded, strict=True)):
        if chosen.any():
            means[row] = whole[chosen].mean()
    return means


def _narrowed(task: ScopedTask, member: Member) -> ScopedTask:
    parts: tuple[Part, ...] = tuple(
        part
        for part in task.parts or ()
        if (member.splits is None or part.split in member.splits)
        and (member.subsets is None or part.subset in member.subsets)
    )
    return task._replace(parts=parts)
