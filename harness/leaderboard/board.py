"""Results folders to ranked rows: the leaderboard as data, which every output renders."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UnknownName
from harness.evaluators import KINDS
from harness.leaderboard import model_facts, unranked
from harness.leaderboard.benchmark_means import MEAN_SUBSET, BenchmarkMeans, benchmark_means
from harness.leaderboard.board_values import Leaderboard, Row
from harness.leaderboard.counted_tasks import ScopedTask
from harness.leaderboard.file_index import Index
from harness.leaderboard.index_columns import NONE
from harness.leaderboard.ranking import rank
from harness.leaderboard.record_choice import Who, select
from harness.leaderboard.score_matrix import matrix, refusals
from harness.results.asked_names import RecordedName, recorded_name
from harness.tasks import mteb_metadata
from harness.tasks.mteb_benchmarks import Benchmark
from harness.types import model_label

if TYPE_CHECKING:
    from harness.types.arrays import Float64


def build(
    indices: Sequence[Index],
    scope: Sequence[ScopedTask],
    *,
    title: str,
    models: Collection[str] | None = None,
    variants: bool = False,
    revisions: bool = False,
    common: bool = False,
    benchmark: Benchmark | None = None,
) -> Leaderboard:
    """The leaderboard of these results folders.

    Args:
        indices: Of the folders, in the order of preference where two hold the same.
        scope: The tasks that count.
        title: What it is called.
        models: Only these models, by any name that `recorded_name` takes; None for all.
        variants, revisions: See `record_choice.select`.

    Raises:
        UnknownName: a model without records, or no record fits.
        HarnessError: a name that fits several models or revisions.
    """
    asked = None if models is None else _recorded_names(models, indices)
    revisions = revisions or any(name.revision for name in asked or ())
    selected = select(indices, tasks={task.name for task in scope}, variants=variants, revisions=revisions)
    if asked is not None:
        selected = {
            who: files for who, files in selected.items() if any(name.covers(who.model, who.revision) for name in asked)
        }
    scored = matrix(indices, selected, scope)
    recorded = [number for number, parts in enumerate(scored.parts) if parts]
    whole = [not np.isnan(row).all() for row in scored.scores]
    everyone = list(selected)
    labels = _labels(everyone)
    without_row = {
        labels[who]: unranked.reasons(scope, scored.gaps, number, selected[who])
        for number, who in enumerate(everyone)
        if not whole[number]
    }
    if not any(whole):
        first = "no record fits the request; see `harness run --plan` for what is recorded"
        raise UnknownName("\n  ".join([first, *unranked.lines(without_row), *unranked.left_out(indices)]))
    not_common: list[int] = []
    if common:
        lacking = [bool(np.isnan(column).any()) for column in scored.scores[whole].T]
        not_common = [number for number in recorded if lacking[number]]
        recorded = [number for number in recorded if not lacking[number]]
        if not recorded:
            counts = {labels[who]: int((~np.isnan(scored.scores[at])).sum()) for at, who in enumerate(everyone)}
            fewest = sorted((count, label) for label, count in counts.items() if count)[:3]
            shown = ", ".join(f"{label} {count}" for count, label in fewest)
            raise UnknownName(
                f"no task has results of all {sum(whole)} models, of which the fewest tasks have: {shown}; name fewer "
                "models, or rank without --common"
            )
    tasks = tuple(scope[number] for number in recorded)
    types = _ordered({task.type for task in tasks})
    counted = {scope[number].name for number in recorded}
    present = np.array([number for number, files in enumerate(selected.values()) if counted.intersection(files)])
    scores = scored.scores[present][:, recorded]
    further = BenchmarkMeans({}) if benchmark is None else benchmark_means(indices, selected, tasks, benchmark)
    partial = scored.partial[:, recorded] if further.subsets is None else further.subsets
    ranking = rank(scores, [task.type for task in tasks], partial=partial[present])
    type_order = list(dict.fromkeys(task.type for task in tasks))
    refused = refusals(indices, revisions=revisions)
    sources = [model_facts.IndexLists.of(index) for index in indices]
    rows = []
    for at, number in enumerate(present.tolist()):
        if not whole[number]:  # as mteb: no whole task, no row
            continue
        who = everyone[number]
        files = selected[who]
        means = dict(zip(type_order, map(_number, ranking.by_type[at].tolist()), strict=True))
        facts = model_facts.facts(sources, files)
        rows.append(
            Row(
                who=who,
                label=labels[who],
                revisions=model_facts.revisions(sources, files),
                rank=int(ranking.rank[at]),
                points=float(ranking.points[at]),
                mean_task=_number(float(ranking.mean_task[at])),
                mean_type=_number(float(ranking.mean_type[at])),
                by_type={name: means[name] for name in types},
                by_group={name: _number(float(values[number])) for name, values in further.columns.items()},
                scores={task.name: x for task, x in zip(tasks, scores[at].tolist(), strict=True) if x == x},
                partial=_partial(tasks, scores[at], scored.partial[number, recorded]),
                missing=unranked.missing(tasks, recorded, scored.gaps, number, refused.get(who, {})),
                files=files,
                facts=facts,
                throughput=model_facts.throughput(sources, files),
                zero_shot=model_facts.zero_shot(facts, tasks),
            )
        )
    rows.sort(key=functools.partial(_place, by_subset=further.subsets is not None))
    return Leaderboard(
        title=title,
        tasks=tasks,
        parts=tuple(scored.parts[number] for number in recorded),
        types=types,
        rows=tuple(rows),
        groups=tuple(further.columns),
        unrecorded=tuple(task for number, task in enumerate(scope) if number not in (*recorded, *not_common)),
        not_common=tuple(scope[number] for number in not_common),
        without_row=dict(sorted(without_row.items())),
        refused=tuple(refusal for index in indices for refusal in index.refused()),
        remarks=tuple(remark for index in indices for remark in index.remarks()),
        indices=tuple(indices),
        variants_left_out=0 if variants else _variants(indices),
    )


def _partial(tasks: Sequence[ScopedTask], scores: Float64, partial: Float64) -> dict[str, float]:
    """The means over recorded parts, of the tasks that have no score because parts are missing."""
    values = zip(tasks, scores.tolist(), partial.tolist(), strict=True)
    return {task.name: mean for task, score, mean in values if math.isnan(score) and not math.isnan(mean)}


def _place(row: Row, *, by_subset: bool) -> tuple[float, float, float, str]:
    """What the rows are sorted by: the Borda rank, but first the mean over subsets where a table has it, as in mteb."""
    mean_subset = row.by_group.get(MEAN_SUBSET) if by_subset else None
    first = 0.0 if not by_subset else math.inf if mean_subset is None else -mean_subset
    return first, row.rank, -(row.mean_task if row.mean_task is not None else -1.0), row.label


def recorded_tasks(indices: Sequence[Index]) -> dict[str, str | None]:
    """Every recorded task by today's name, with its type where a record names it."""
    types: dict[str, str | None] = {}
    for index in indices:
        columns = index.columns
        others = columns.files["task"][columns.files["facts"] == NONE]
        for task in np.unique(others).tolist():
            if task != NONE:
                types.setdefault(mteb_metadata.current_name(columns.strings[task]), None)
        with_facts = columns.files[columns.files["facts"] != NONE]
        for task, fact in zip(with_facts["task"].tolist(), with_facts["facts"].tolist(), strict=True):
            name = columns.strings[task]
            types[name] = columns.facts[fact].task_type or types.get(name)
    return dict(sorted(types.items()))


def _recorded_names(models: Collection[str], indices: Sequence[Index]) -> list[RecordedName]:
    recorded: dict[str, set[str]] = {}
    for owner in (folder.owner.identity for index in indices for folder in index.folders):
        recorded.setdefault(owner.model, set()).add(owner.revision)
    return [recorded_name(name, recorded, folders=[index.root for index in indices]) for name in models]


def _ordered(types: set[str]) -> tuple[str, ...]:
    return (*(name for name in KINDS if name in types), *sorted(types.difference(KINDS)))


def _labels(whos: Sequence[Who]) -> dict[Who, str]:
    return {
        who: model_label(who.model + (f"@{who.revision[:10]}" if who.revision else ""), who.variant) for who in whos
    }


def _number(value: float) -> float | None:
    return float(value) if value == value else None


def _variants(indices: Sequence[Index]) -> int:
    owners = {folder.owner.identity for index in indices for folder in index.folders}
    return len({(owner.model, owner.variant) for owner in owners if owner.variant})
