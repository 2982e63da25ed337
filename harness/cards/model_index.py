"""Turning records into the results of a `model-index` (pure, apart from reading task files)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from harness.cards.edit.yaml_layout import Result
from harness.cards.metric_names import to_v2
from harness.cards.model_records import usual_order
from harness.cards.task_lookup import facts_of
from harness.errors import CardError, UnknownName
from harness.results.json_format import NO_REVISION
from harness.tasks.mteb_metadata import MtebTask
from harness.tasks.registry import Registry
from harness.types import Part, Record, Source, TaskSpec

Metrics = Literal["main", "all"]

_NOT_METRICS = ("main_score",)
_SPREAD = re.compile(r"(.*nauc_.*|.*_std|.*_stderr|.*_thresholds?)", flags=re.IGNORECASE)


class LeftOut(NamedTuple):
    """A task that is not written on a card, and the reason."""

    task: str
    reason: str


class Collected(NamedTuple):
    """The results of a model in the order to write, and the tasks that were left out."""

    results: list[Result]
    left_out: list[LeftOut]


def collect(
    records: Iterable[Record],
    registry: Registry,
    *,
    parts: Mapping[str, tuple[Part, ...] | None] | None = None,
    metrics: Metrics | Sequence[str] = "main",
) -> Collected:
    """Turn the records of one model into results of a card.

    Args:
        records: of one model, one per task.
        registry: the tasks; their specs tell the data set of records that other programs wrote.
        parts: the requested tasks in order, each with its requested parts (None for all parts). None takes every
            record, in the order of the suite that consists of just these tasks, else by name.
        metrics: each task's main metric (`main`), all except spreads and `nauc_*` (`all`), or these, under mteb 1's or
            mteb 2's names.

    Raises:
        UnknownName: no record has one of the metrics.
    """
    by_task = {record.task: record for record in records}
    order = list(parts) if parts is not None else usual_order(by_task, registry)
    results: list[Result] = []
    left_out: list[LeftOut] = []
    for task in order:
        if task not in by_task:
            left_out.append(LeftOut(task, "not recorded for this model"))
            continue
        requested = parts.get(task) if parts else None
        try:
            task_results = list(_results(by_task[task], registry, parts=requested, metrics=metrics))
        except CardError as err:
            left_out.append(LeftOut(task, str(err)))
            continue
        results += task_results
        if missing := [str(part) for part in requested or () if part not in by_task[task].parts]:
            left_out.append(LeftOut(task, f"not recorded: {', '.join(missing)}"))
        elif not task_results:
            left_out.append(LeftOut(task, "the record has none of the requested parts and metrics"))
    if not isinstance(metrics, str):
        _check_metrics(metrics, by_task.values(), registry)
    return Collected(results, left_out)


def main_metric(record: Record, facts: TaskSpec | MtebTask | None) -> str | None:
    """The main metric of a record: the task's, else the one in the record; None if neither tells."""
    if facts is not None:
        return facts.main_metric
    recorded = record.harness.get("main_metric")
    return recorded if isinstance(recorded, str) else None


def subset_metrics(entry: Mapping[str, Any], task_type: str) -> dict[str, float]:
    """The numbers of a part's scores under mteb 2's names, without `main_score` and lists."""
    return {
        to_v2(name, task_type): float(value)
        for name, value in entry.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and name not in _NOT_METRICS
    }


def _results(
    record: Record, registry: Registry, *, parts: tuple[Part, ...] | None, metrics: Metrics | Sequence[str]
) -> Iterable[Result]:
    facts = facts_of(record.task, registry)
    task_type = facts.type if facts else record.harness.get("task_type")
    if not isinstance(task_type, str):
        raise CardError("its task type is unknown: neither mteb nor a spec has this name (see `harness tasks new`)")
    dataset = dataset_of(record, facts)
    configs = _configs(record, facts)
    revision = None if record.dataset_revision in (NO_REVISION, "None") else record.dataset_revision
    entries = record.parts
    recorded = [part for part in (parts or entries) if part in entries]
    for part in sorted(recorded, key=lambda part: (part.subset.casefold(), part.split.casefold(), part)):
        scores = _chosen(entries[part], metrics, task_type=task_type, main=main_metric(record, facts))
        if scores:
            yield Result(
                task=record.task,
                type=task_type,
                dataset=dataset,
                config=configs.get(part.subset, part.subset),
                split=part.split,
                revision=revision,
                metrics=scores,
            )


def _chosen(
    entry: Mapping[str, Any], metrics: Metrics | Sequence[str], *, task_type: str, main: str | None
) -> dict[str, float]:
    scores = subset_metrics(entry, task_type)
    if main is not None and main not in scores and isinstance(entry.get("main_score"), int | float):
        scores[main] = float(entry["main_score"])
    if metrics == "main":
        if main is None:
            raise CardError("its main metric is unknown; name it with --metrics")
        return {main: scores[main]} if main in scores else {}
    if metrics == "all":
        return {name: scores[name] for name in sorted(scores) if not _SPREAD.fullmatch(name)}
    requested = dict.fromkeys(to_v2(name, task_type) for name in metrics)
    return {name: scores[name] for name in requested if name in scores}


def _check_metrics(metrics: Sequence[str], records: Iterable[Record], registry: Registry) -> None:
    recorded: set[str] = set()
    for record in records:
        facts = facts_of(record.task, registry)
        for entry in record.parts.values():
            recorded.update(entry)
            recorded.update(subset_metrics(entry, facts.type if facts else str(record.harness.get("task_type"))))
    UnknownName.refuse("recorded metric", metrics, recorded)


def dataset_of(record: Record, facts: TaskSpec | MtebTask | None) -> str:
    """The hub's path of a record's data: as recorded, else of the spec's source or mirror at the record's revision.

    Of a task that only mteb has it is the path of mteb's data set, if the record is of the revision that mteb names. A
    mean of other tasks has no data set, and its name stands in for one.

    Raises:
        CardError: neither the record nor the task tells.
    """
    if facts is not None and facts.members:
        return record.task
    source = record.harness.get("source")
    if isinstance(source, Mapping) and isinstance(source.get("path"), str):
        # A path on one machine's disk means nothing to the readers of a card.
        return str(source["path"]) if source.get("kind") != "local" else record.task
    if isinstance(facts, TaskSpec):
        return at_revision(facts, record.dataset_revision).path
    if facts is None or facts.dataset is None:
        raise CardError("its data set is unknown: the record does not name it, and no spec has this name")
    if record.dataset_revision not in (facts.revision, NO_REVISION):
        raise CardError(
            f"its data set is unknown: the record is of revision {record.dataset_revision}, "
            f"and mteb's {facts.dataset} of {facts.revision}"
        )
    return facts.dataset


def at_revision(task: TaskSpec, revision: str | None) -> Source:
    """The source of a task, or its mirror if the revision is the mirror's."""
    if task.mirror is not None and task.mirror.revision == revision != task.source.revision:
        return Source(kind="hub", path=task.mirror.path, revision=task.mirror.revision)
    return task.source


def _configs(record: Record, facts: TaskSpec | MtebTask | None) -> Mapping[str, str]:
    if not isinstance(facts, TaskSpec):
        return {}
    mirrored = facts.mirror is not None and facts.mirror.revision == record.dataset_revision
    return {**facts.configs, **(facts.mirror.subsets if facts.mirror and mirrored else {})}
