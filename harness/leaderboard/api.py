"""`harness.rank` and `harness.compare`: results folders, by name, to a leaderboard or to a comparison of two models."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from harness.errors import HarnessError, UnknownName
from harness.files.folders import existing_results
from harness.leaderboard import board, counted_tasks, file_index, unranked
from harness.leaderboard.board_values import Leaderboard, Row
from harness.leaderboard.counted_tasks import Filters, ScopedTask
from harness.leaderboard.file_index import Index
from harness.leaderboard.uncertainty import with_uncertainty
from harness.results.asked_names import recorded_name
from harness.results.folder_walk import results_root
from harness.tasks import mteb_benchmarks, registry
from harness.tasks.registry import Registry
from harness.types import Suite

if TYPE_CHECKING:
    from harness.leaderboard.comparison import Comparison
    from harness.leaderboard.pairwise import PairwiseComparison
    from harness.leaderboard.record_choice import Who

Folder: TypeAlias = str | os.PathLike[str]
ALL_TASKS = Filters()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which recorded tasks count; all of them, unless tasks or a suite are named.

    Attributes:
        results: results folders; where two hold the same record, the first one counts.
        tasks: names of tasks, declared or recorded.
        suite: name of a suite, whose tasks come first.
        filters: what to keep of these tasks.
        tasks_dirs: folders with more task and suite files.
    """

    results: Sequence[Folder | None] = (None,)
    tasks: Sequence[str] = ()
    suite: str | None = None
    filters: Filters = ALL_TASKS
    tasks_dirs: Sequence[Folder] = ()


def rank(
    models: str | Sequence[str] | None = None,
    tasks: str | Sequence[str] | None = None,
    *,
    suite: str | None = None,
    types: Sequence[str] | None = None,
    languages: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
    variants: bool = False,
    revisions: bool = False,
    common: bool = False,
    results: Folder | Sequence[Folder] | None = None,
    tasks_dirs: Sequence[Folder] = (),
) -> Leaderboard:
    """Rank recorded models as mteb's leaderboard does, with 95% intervals and tie groups.

    Args:
        models: recorded models; all of them by default.
        tasks: names of tasks; every recorded task when neither `tasks` nor `suite` is given.
        suite: name of a suite.
        types: only tasks of these types.
        languages: only parts in these languages (`de`, `deu`, `deu-Latn`) or subsets.
        splits: only these splits.
        exclude: leave these tasks out.
        variants: rows for other precisions, lengths and dimensions too.
        revisions: a row for every revision of a model.
        common: only the tasks that every model with a row has.
        results: a results folder, or several: where two hold the same record, the first one counts. By default
            `$HARNESS_RESULTS`, else `results`.
        tasks_dirs: folders with more task and suite files.

    Returns:
        The leaderboard: `rows`, best first, and the files that were `refused`.

    Raises:
        HarnessError: a folder, model, task, suite or filter that names nothing, or no record fits.
    """
    scope = _scope_of(results, tasks, suite, Filters(types, languages, splits, exclude), tasks_dirs)
    names = _names(models) or None
    return with_uncertainty(ranked(scope, models=names, variants=variants, revisions=revisions, common=common))


def compare(
    a: str,
    b: str,
    *more: str,
    tasks: str | Sequence[str] | None = None,
    suite: str | None = None,
    types: Sequence[str] | None = None,
    languages: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
    results: Folder | Sequence[Folder] | None = None,
    tasks_dirs: Sequence[Folder] = (),
) -> Comparison | PairwiseComparison:
    """Compare recorded models on the tasks that all of them have: differences, intervals, p-values, verdicts.

    Tests need the items that `harness.run` writes beside its records; without them only the scores are compared.

    Args:
        a: a recorded model, by any name that `run` takes or a label of the leaderboard (`NAME [precision=fp16]`).
        b: another one.
        more: further ones; each pair is compared.
        tasks: as for `rank`, and so are `suite`, `types`, `languages`, `splits`, `exclude`, `results` and `tasks_dirs`.

    Returns:
        Of two models a `Comparison`: the difference of each task and of the means, `a` minus `b`. Of more a
        `PairwiseComparison`: the scores, and each pair, with Holm's correction over the pairs.

    Raises:
        HarnessError: as for `rank`, or the two models have no task in common.
    """
    return compared(
        (a, b, *more), _scope_of(results, tasks, suite, Filters(types, languages, splits, exclude), tasks_dirs)
    )


def ranked(
    scope: Scope,
    *,
    models: Sequence[str] | None = None,
    variants: bool = False,
    revisions: bool = False,
    common: bool = False,
) -> Leaderboard:
    """The leaderboard of a scope, without intervals; see `rank`."""
    indices = _indices(scope.results)
    declared = registry.get_tasks(map(Path, scope.tasks_dirs))
    suite = declared.suite(scope.suite) if scope.suite else None
    alone = suite if suite is not None and not scope.tasks else None
    title = scope.suite or "All recorded tasks"
    leaderboard = board.build(
        indices,
        _tasks(scope, indices, declared, suite),
        title=title,
        models=models,
        variants=variants,
        revisions=revisions,
        common=common,
        benchmark=mteb_benchmarks.get(alone.name) if alone is not None and alone.mirror else None,
    )
    chosen = f"--suite {shlex.quote(scope.suite)}" if scope.suite else "-t TASK,..."
    return replace(leaderboard, completed_by=f"harness run MODEL {chosen}")


def compared(names: Sequence[str], scope: Scope) -> Comparison | PairwiseComparison:
    """The comparison of two or more models by name; see `compare`."""
    from harness.leaderboard import comparison, pairwise  # items take time to import; a leaderboard needs none

    leaderboard = ranked(scope, variants=True, revisions=any("@" in name for name in names))
    rows: dict[Who, tuple[str, Row]] = {}
    for name in names:
        row = _row(leaderboard, name)
        if row.who in rows:
            same = rows[row.who][0]
            raise HarnessError(f"{same!r} and {name!r} are both {row.label}; name two models, or two revisions of one")
        rows[row.who] = name, row
    chosen = [row for _, row in rows.values()]
    if len(chosen) == 2:
        return comparison.compare(leaderboard, *chosen)
    return pairwise.compare_all(leaderboard, chosen)


def _scope_of(
    results: Folder | Sequence[Folder] | None,
    tasks: str | Sequence[str] | None,
    suite: str | None,
    filters: Filters,
    tasks_dirs: Sequence[Folder],
) -> Scope:
    folders = [results] if results is None or isinstance(results, str | os.PathLike) else results
    return Scope(results=folders, tasks=_names(tasks), suite=suite, filters=filters, tasks_dirs=tasks_dirs)


def _names(names: str | Sequence[str] | None) -> Sequence[str]:
    return [names] if isinstance(names, str) else names or ()


def _indices(folders: Sequence[Folder | None]) -> list[Index]:
    paths = list(map(existing_results, folders))
    return [file_index.read(results_root(path)) for path in paths]


def _tasks(scope: Scope, indices: Sequence[Index], declared: Registry, suite: Suite | None) -> tuple[ScopedTask, ...]:
    tasks = list(counted_tasks.of_suite(declared, suite)) if suite is not None else []
    if scope.tasks or suite is None:
        recorded = board.recorded_tasks(indices)
        names = scope.tasks or list(recorded)
        if not names:
            folders = ", ".join(str(index.root) for index in indices)
            raise HarnessError(
                "\n  ".join(
                    [
                        f"no record in {folders}; run `harness run` first, or name a folder with --results",
                        *unranked.left_out(indices),
                    ]
                )
            )
        of_suite = {task.name for task in tasks}
        tasks += [
            task for task in counted_tasks.of_names(declared, names, recorded=recorded) if task.name not in of_suite
        ]
    return counted_tasks.filtered(tasks, scope.filters)


def _row(leaderboard: Leaderboard, name: str) -> Row:
    """The row that a name means: a label as `harness leaderboard` shows it, or whatever name `harness run` takes."""
    rows = leaderboard.rows
    exact = [row for row in rows if row.label == name or (row.who.model == name and not row.who.variant)]
    if len(exact) == 1:
        return exact[0]
    base, bracket, variant = name.partition(" [")
    variant = variant.removesuffix("]") if bracket else ""
    recorded: dict[str, set[str]] = {}
    for row in rows:
        recorded.setdefault(row.who.model, set()).update([row.who.revision] if row.who.revision else row.revisions)
    asked = recorded_name(base, recorded, folders=[index.root for index in leaderboard.indices])
    fitting = [row for row in rows if asked.covers(row.who.model, row.who.revision) and row.who.variant == variant]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(f"{asked.name}@{row.who.revision[:12]}" for row in fitting)
        raise HarnessError(f"{name!r} fits {len(fitting)} recorded revisions; name one of {names}")
    raise UnknownName.of("recorded model", name, [row.label for row in rows])
