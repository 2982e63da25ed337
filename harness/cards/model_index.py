"""Records -> the results of a `model-index` (pure but for the task files)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from harness.cards.edit.yaml_layout import Result
from harness.cards.metric_names import to_v2
from harness.cards.model_records import usual_order
from harness.errors import CardError, SpecError, UnknownName
from harness.tasks.registry import Registry
from harness.types import Part, Record, Source, TaskSpec

Metrics = Literal["main", "all"]
NO_REVISION = "no_revision_available"

_NOT_METRICS = ("main_score",)
_SPREAD = re.compile(r"(nauc_.*|.*_std|.*_thresholds?)")


class LeftOut(NamedTuple):
    """A recorded task that cannot stand on a card, and why."""

    task: str
    reason: str


class Collected(NamedTuple):
    """The results of a model, in the order to be written, and what was left out of them."""

    results: list[Result]
    left_out: list[LeftOut]


def collect(
    records: Iterable[Record],
    known: Registry,
    *,
    parts: Mapping[str, tuple[Part, ...] | None] | None = None,
    metrics: Metrics | Sequence[str] = "main",
) -> Collected:
    """What the records of one model say, as results of a card.

    Args:
        records: of one model, one a task.
        known: the tasks, which know where the data of another program's record lies.
        parts: the tasks that are wanted, in order, each with the parts that are (None: all); None takes every record,
            in the order of the suite that consists of these tasks, else by name.
        metrics: the main one of each task, all (but the spreads and `nauc_*`), or these, under either name.

    Raises:
        UnknownName: a metric that no record has.
    """
    by_task = {record.task: record for record in records}
    order = list(parts) if parts is not None else usual_order(by_task, known)
    results: list[Result] = []
    left_out: list[LeftOut] = []
    for task in order:
        if task not in by_task:
            left_out.append(LeftOut(task, "not recorded for this model"))
            continue
        try:
            found = list(_results(by_task[task], known, parts=parts.get(task) if parts else None, metrics=metrics))
        except CardError as err:
            left_out.append(LeftOut(task, str(err)))
            continue
        results += found
        wanted = (parts.get(task) if parts else None) or ()
        if missing := [str(part) for part in wanted if part not in by_task[task].parts]:
            left_out.append(LeftOut(task, f"not recorded: {', '.join(missing)}"))
        elif not found:
            left_out.append(LeftOut(task, "the record holds none of the parts and metrics that were asked for"))
    if not isinstance(metrics, str):
        _check_metrics(metrics, by_task.values(), known)
    return Collected(results, left_out)


def main_metric(record: Record, task: TaskSpec | None) -> str | None:
    """The name of a record's main metric: as the task says, or the record; else None."""
    if task is not None:
        return task.main_metric
    recorded = record.harness.get("main_metric")
    return recorded if isinstance(recorded, str) else None


def spec_of(task: str, known: Registry) -> TaskSpec | None:
    """The task's spec, where it has a sound one here."""
    try:
        return known.get(task)
    except (UnknownName, SpecError):
        return None


def subset_metrics(entry: Mapping[str, Any], task_type: str) -> dict[str, float]:
    """The numbers of a record's entry under today's names; `main_score` and lists are left out."""
    return {
        to_v2(name, task_type): float(value)
        for name, value in entry.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and name not in _NOT_METRICS
    }


def _results(
    record: Record, known: Registry, *, parts: tuple[Part, ...] | None, metrics: Metrics | Sequence[str]
) -> Iterable[Result]:
    task = spec_of(record.task, known)
    task_type = task.type if task else record.harness.get("task_type")
    if not isinstance(task_type, str):
        raise CardError("its type is unknown: no spec here has this name (see `harness tasks import`)")
    dataset = dataset_of(record, task)
    configs = _configs(record, task)
    revision = None if record.dataset_revision == NO_REVISION else record.dataset_revision
    entries = record.parts
    wanted = [part for part in (parts or entries) if part in entries]
    for part in sorted(wanted, key=lambda part: (part.subset.casefold(), part.split.casefold(), part)):
        found = _chosen(entries[part], metrics, task_type=task_type, main=main_metric(record, task))
        if found:
            yield Result(
                task=record.task,
                type=task_type,
                dataset=dataset,
                config=configs.get(part.subset, part.subset),
                split=part.split,
                revision=revision,
                metrics=found,
            )


def _chosen(
    entry: Mapping[str, Any], metrics: Metrics | Sequence[str], *, task_type: str, main: str | None
) -> dict[str, float]:
    found = subset_metrics(entry, task_type)
    if main is not None and main not in found and isinstance(entry.get("main_score"), int | float):
        found[main] = float(entry["main_score"])
    if metrics == "main":
        if main is None:
            raise CardError("its main metric is unknown; name it with --metrics")
        return {main: found[main]} if main in found else {}
    if metrics == "all":
        return {name: found[name] for name in sorted(found) if not _SPREAD.fullmatch(name)}
    wanted = dict.fromkeys(to_v2(name, task_type) for name in metrics)
    return {name: found[name] for name in wanted if name in found}


def _check_metrics(metrics: Sequence[str], records: Iterable[Record], known: Registry) -> None:
    found: set[str] = set()
    for record in records:
        task = spec_of(record.task, known)
        for entry in record.parts.values():
            found.update(entry)
            found.update(subset_metrics(entry, task.type if task else str(record.harness.get("task_type"))))
    for metric in metrics:
        if metric not in found:
            raise UnknownName.of("recorded metric", metric, sorted(found))


def dataset_of(record: Record, task: TaskSpec | None) -> str:
    """The hub's path: as recorded, else that of the spec's source or mirror with the record's revision.

    Raises:
        CardError: neither the record nor a spec knows it.
    """
    source = record.harness.get("source")
    if isinstance(source, Mapping) and isinstance(source.get("path"), str):
        # A path on somebody's disk says nothing to the readers of a card.
        return str(source["path"]) if source.get("kind") != "local" else record.task
    if task is None:
        raise CardError("its data set is unknown: no spec here has this name (see `harness tasks import`)")
    return at_revision(task, record.dataset_revision).path


def at_revision(task: TaskSpec, revision: str | None) -> Source:
    """The source of a task, or its mirror where that is the one at this revision."""
    if task.mirror is not None and task.mirror.revision == revision != task.source.revision:
        return Source(kind="hub", path=task.mirror.path, revision=task.mirror.revision)
    return task.source


def _configs(record: Record, task: TaskSpec | None) -> Mapping[str, str]:
    if task is None:
        return {}
    mirrored = task.mirror is not None and task.mirror.revision == record.dataset_revision
    return {**task.configs, **(task.mirror.subsets if task.mirror and mirrored else {})}
