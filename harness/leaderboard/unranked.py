"""What gets no score or row in results folders, with the reasons: tasks, models, and files that are no records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TypeAlias

from harness.leaderboard.counted_tasks import ScopedTask
from harness.leaderboard.file_index import Index
from harness.leaderboard.record_choice import IndexRow
from harness.leaderboard.score_matrix import NOT_RECORDED
from harness.types.counted import counted

_NAMED = 10

Unranked: TypeAlias = Mapping[str, Mapping[str, str]]
"""Label of a model -> task with a record -> why it has no score."""


def reasons(
    scope: Sequence[ScopedTask], gaps: Mapping[tuple[int, int], str], who: int, files: Mapping[str, IndexRow]
) -> dict[str, str]:
    """Task -> why its record gives no score, of the tasks that a model has files of.

    Args:
        scope: the tasks of the board.
        gaps: see `score_matrix.Matrix`.
        who: the model's number in `gaps`.
        files: task -> the model's file.
    """
    by_task = {task.name: gaps[who, number] for number, task in enumerate(scope) if (who, number) in gaps}
    return {name: "no main score" if why == NOT_RECORDED else why for name, why in by_task.items() if name in files}


def missing(
    tasks: Sequence[ScopedTask],
    numbers: Sequence[int],
    gaps: Mapping[tuple[int, int], str],
    who: int,
    refused: Mapping[str, str],
) -> dict[str, str]:
    """Task of the board -> why a model with a row has no score for it.

    Args:
        tasks: of the board.
        numbers: theirs in `gaps`.
        gaps: see `score_matrix.Matrix`.
        who: the model's number in `gaps`.
        refused: task -> why the model's file was refused.
    """
    reasons = {}
    for task, number in zip(tasks, numbers, strict=True):
        why = gaps.get((who, number))
        if why == NOT_RECORDED and task.name in refused:
            why = refused[task.name]
        if why == NOT_RECORDED and task.recorded_only:
            why = f"{NOT_RECORDED}, and cannot be run here"
        if why:
            reasons[task.name] = why
    return reasons


def lines(unranked: Unranked) -> list[str]:
    """One line for each model, with its tasks and the reasons; after the first models, how many more."""
    shown = [
        f"{label} ({'; '.join(f'{task}: {why}' for task, why in by_task.items())})"
        for label, by_task in [*unranked.items()][:_NAMED]
    ]
    return shown + ([f"and {counted(len(unranked) - _NAMED, 'more model')}"] if len(unranked) > _NAMED else [])


def left_out(indices: Sequence[Index]) -> list[str]:
    """One line for each file that is not a record, with the reason; after the first ones, how many more."""
    refused = [*chain.from_iterable(index.refused() for index in indices)]
    shown = [f"left out {refusal.path}: {refusal.reason}" for refusal in refused[:_NAMED]]
    return shown + ([f"left out {counted(len(refused) - _NAMED, 'more file')}"] if len(refused) > _NAMED else [])
