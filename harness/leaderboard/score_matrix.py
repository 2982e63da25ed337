"""The selected files as one matrix of task scores, with the reason for every gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.leaderboard.counted_tasks import ScopedTask
from harness.leaderboard.file_index import Index
from harness.leaderboard.index_columns import NONE, score_positions
from harness.leaderboard.record_choice import IndexRow, Who
from harness.types import Part
from harness.types.counted import listed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float64, Int64

NOT_RECORDED = "not recorded"


class Matrix(NamedTuple):
    """Task scores.

    Attributes:
        scores: (models, tasks) float64, the mean of the main scores over a task's parts; NaN where one is missing.
        partial: the same, over the parts that are there; NaN where none is.
        parts: of each task, the parts that count: those of its scope that are in any record.
        gaps: (model, task) -> why there is no score, for the NaN.
    """

    scores: Float64
    partial: Float64
    parts: Sequence[tuple[Part, ...]]
    gaps: Mapping[tuple[int, int], str]


def matrix(
    indices: Sequence[Index], selected: Mapping[Who, Mapping[str, IndexRow]], tasks: Sequence[ScopedTask]
) -> Matrix:
    """The scores of all selected models on `tasks`, in their orders. Two of them may be different parts of one task."""
    numbers_of: dict[str, list[int]] = {}
    for number, scoped in enumerate(tasks):
        numbers_of.setdefault(scoped.name, []).append(number)
    files = [
        (file.source, file.row, who, number)
        for who, by_task in enumerate(selected.values())
        for task, file in by_task.items()
        for number in numbers_of.get(task, ())
    ]
    index_of, row_of, who_of, task_of = np.array(files, np.int64).reshape(-1, 4).T
    parts: dict[Part, int] = {}
    nothing = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    pieces = [nothing]
    pieces += [
        _scores(index, np.flatnonzero(index_of == number), row_of, parts) for number, index in enumerate(indices)
    ]
    file_of, part_of, values = (np.concatenate(column) for column in zip(*pieces, strict=True))
    count = len(parts)
    codes = task_of[file_of] * count + part_of
    counts_here = np.isin(codes, _wanted(tasks, parts)) & ~np.isnan(values)
    recorded_files, recorded_codes = file_of, codes
    file_of, codes, values = file_of[counts_here], codes[counts_here], values[counts_here]
    observed = np.unique(codes)
    required = np.bincount(observed // max(count, 1), minlength=len(tasks))
    have = np.bincount(file_of, minlength=len(files))
    total = np.bincount(file_of, weights=values, minlength=len(files))
    complete = (have == required[task_of]) & (have > 0)
    some = have > 0
    partial = np.full((len(selected), len(tasks)), np.nan)
    partial[who_of[some], task_of[some]] = total[some] / have[some]
    scores = np.full_like(partial, np.nan)
    scores[who_of[complete], task_of[complete]] = total[complete] / have[complete]
    names = list(parts)
    required_parts = [
        tuple(names[code % count] for code in observed[observed // max(count, 1) == task].tolist())
        for task in range(len(tasks))
    ]
    gaps: dict[tuple[int, int], str] = {}
    for who, task in np.argwhere(np.isnan(scores)).tolist():
        gaps[who, task] = NOT_RECORDED
    incomplete = np.flatnonzero(~complete)
    recorded, valued = (
        _codes_by_file(owners[mask], those[mask])
        for owners, those in ((recorded_files, recorded_codes), (file_of, codes))
        for mask in (np.isin(owners, incomplete),)
    )
    for file in incomplete.tolist():
        task = int(task_of[file])
        first = task * count
        missing = [part for part in required_parts[task] if first + parts[part] not in valued.get(file, ())]
        empty = [part for part in missing if first + parts[part] in recorded.get(file, ())]
        gaps[int(who_of[file]), task] = _lacking(missing, empty)
    return Matrix(scores, partial, required_parts, gaps)


def _scores(
    index: Index, files: Int64, row_of: Int64, parts: dict[Part, int]
) -> tuple[Int64, Int64, NDArray[np.float64]]:
    """The part scores of some files: number of the file, number of the part (shared by all indices), value."""
    strings, rows = index.columns.strings, index.columns.files[row_of[files]]
    scores = index.columns.scores[score_positions(rows)]
    pairs, which = np.unique(
        scores["split"].astype(np.int64) * (len(strings) + 1) + scores["subset"], return_inverse=True
    )
    splits, subsets = np.divmod(pairs, len(strings) + 1)
    numbers = [
        parts.setdefault(Part(strings[split], strings[subset]), len(parts))
        for split, subset in zip(splits.tolist(), subsets.tolist(), strict=True)
    ]
    return np.repeat(files, rows["count"]), np.array(numbers, np.int64)[which], scores["value"]


def _wanted(tasks: Sequence[ScopedTask], parts: Mapping[Part, int]) -> Int64:
    """The codes of the parts that count: all recorded parts for a task without declared parts."""
    return np.array(
        [
            task * len(parts) + parts[part]
            for task, scoped in enumerate(tasks)
            for part in (parts if scoped.parts is None else scoped.parts)
            if part in parts and scoped.admits(part)
        ],
        np.int64,
    )


def _codes_by_file(file_of: Int64, codes: Int64) -> dict[int, set[int]]:
    by_file: dict[int, set[int]] = {}
    for file, code in zip(file_of.tolist(), codes.tolist(), strict=True):
        by_file.setdefault(file, set()).add(code)
    return by_file


def _lacking(missing: Sequence[Part], empty: Sequence[Part]) -> str:
    if not missing:
        return NOT_RECORDED
    if len(empty) == len(missing):
        return f"no main score for {listed(empty)}"
    return f"lacks {listed(missing)}"


def refusals(indices: Sequence[Index], *, revisions: bool) -> dict[Who, dict[str, str]]:
    """Model -> task -> why its file of that task was refused; `revisions` as for `record_choice.select`."""
    reasons: dict[Who, dict[str, str]] = {}
    for index in indices:
        files, strings = index.columns.files, index.columns.strings
        for file in files[files["problem"] != NONE]:
            who = Who.of(index.folders[file["folder"]].owner.identity, revisions=revisions)
            task = strings[file["name"]].removesuffix(".json")
            reasons.setdefault(who, {}).setdefault(task, f"refused: {strings[file['problem']]}")
    return reasons
