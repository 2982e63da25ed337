"""Whether the values of a card are from 0 to 1 or from 0 to 100: decided by who wrote them, not value by value (pure).

mteb 1 and this program write results named `MTEB <Task>`, from 0 to 100. mteb 2.0 to 2.12 wrote `<Task> (<subset>)`,
from 0 to 1. A score of 0.3 is common in both, so a value alone tells nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from harness.evaluators import KINDS
from harness.tasks import mteb_metadata

Scale = Literal["percent", "fraction"]
Writer = Literal["mteb 1", "mteb 2", "other"]

_MANY_LABELS = 20
_CHANCE_AT_LEAST = 0.1
_TASKS_FOR_A_PROOF = 3


class ScaledResult(NamedTuple):
    """What tells the scale of a result.

    Attributes:
        writer: the program whose results look like this one.
        task, type: of the result; for results of other tools, the name of the data set and the hub's type.
        peak: the largest absolute value of the metrics that are bounded; None without such a value.
    """

    writer: Writer
    task: str
    type: str
    peak: float | None


def scales(results: Sequence[ScaledResult]) -> list[Scale]:
    """The scale of each result of one model's entry.

    All results of a task have one scale. Results named `MTEB ...` are percentages, except a task that cannot be: a
    classification with few labels whose best accuracy would be below one percent; or all of them, if none is above 1
    and such a classification or several tasks of types on which no model scores near zero are among them. Other results
    of mteb's types have the scale of most of their tasks, and a task with a value above 1 holds percentages. A task of
    another tool holds percentages if it has a value above 1.
    """
    by_writer: dict[Writer, dict[str, list[ScaledResult]]] = {}
    for result in results:
        by_writer.setdefault(result.writer, {}).setdefault(result.task, []).append(result)
    decided: dict[tuple[Writer, str], Scale] = {}
    for writer, tasks in by_writer.items():
        peaks = {task: _peak(listed) for task, listed in tasks.items()}
        if writer == "mteb 1":
            chosen = _of_percent_writer(tasks, peaks)
        elif writer == "mteb 2":
            chosen = _of_most(peaks)
        else:
            chosen = {task: "percent" if peak is None or peak > 1 else "fraction" for task, peak in peaks.items()}
        decided.update({(writer, task): scale for task, scale in chosen.items()})
    return [decided[result.writer, result.task] for result in results]


def ambiguous(results: Sequence[ScaledResult]) -> list[bool]:
    """Whether each result is of a task without a value above 1, so that its values do not tell their scale."""
    peaks: dict[tuple[Writer, str], float] = {}
    for result in results:
        key = (result.writer, result.task)
        peaks[key] = max(peaks.get(key, 0.0), result.peak or 0.0)
    return [0 < peaks[result.writer, result.task] <= 1 for result in results]


def _peak(results: Sequence[ScaledResult]) -> float | None:
    return max((result.peak for result in results if result.peak is not None), default=None)


def _of_most(peaks: Mapping[str, float | None]) -> dict[str, Scale]:
    above = sum(peak is not None and peak > 1 for peak in peaks.values())
    below = sum(peak is not None and peak <= 1 for peak in peaks.values())
    most: Scale = "percent" if above >= max(below, 1) else "fraction"
    return {task: "percent" if peak is not None and peak > 1 else most for task, peak in peaks.items()}


def _of_percent_writer(
    tasks: Mapping[str, Sequence[ScaledResult]], peaks: Mapping[str, float | None]
) -> dict[str, Scale]:
    types = {task: listed[0].type for task, listed in tasks.items()}
    proven = {task for task, peak in peaks.items() if _cannot_be_percent(task, types[task], peak)}
    high = [
        task
        for task, peak in peaks.items()
        if types[task] and _near_zero(types[task]) != "often" and _CHANCE_AT_LEAST <= (peak or 0) <= 1
    ]
    none_above = all(peak is None or peak <= 1 for peak in peaks.values())
    if none_above and (proven or len(high) >= _TASKS_FOR_A_PROOF):
        proven = set(tasks)
    return {task: "fraction" if task in proven else "percent" for task in tasks}


def _cannot_be_percent(task: str, task_type: str, peak: float | None) -> bool:
    """Whether the values would be accuracies far below those of guessing, if they were percentages."""
    facts = mteb_metadata.get(task) if _near_zero(task_type) == "never" else None
    if facts is None or peak is None or not _CHANCE_AT_LEAST <= peak <= 1:
        return False
    labels = [size.labels for size in facts.sizes.values() if size.labels is not None]
    return bool(labels) and max(labels) <= _MANY_LABELS


def _near_zero(task_type: str) -> str:
    return KINDS[task_type].near_zero if task_type in KINDS else ""
