"""What to run for a claim: its task, part, metric and data, or the reason why it cannot be run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.cards.claims import Claim
from harness.cards.task_lookup import TaskLookup
from harness.tasks.settings import metrics_of
from harness.types import Part, Source, TaskSpec

_ALSO = re.compile(r"main_score|dot_(pearson|spearman)|(v_measure|ami)_std|nauc_.*")
"""Metrics that are computed but cannot be a main one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a claim is about.

    Attributes:
        task: its spec, with the data that the claim names.
        metric: name since mteb 2.
        elsewhere: whether that is other data than the spec's own, or a split that it leaves out.
        note: what a reader of the comparison should know.
    """

    task: TaskSpec
    part: Part
    metric: str
    elsewhere: bool = False
    note: str = ""


def target_of(claim: Claim, specs: TaskLookup, *, pinned_data: bool = False, mirror: bool = False) -> Target | str:
    """What to run for a claim, or why it cannot be run.

    Args:
        claim: of a card.
        specs: the tasks; for one that has no spec here, the installed mteb is asked.
        pinned_data: run on the data that the spec pins, whatever the claim names.
        mirror: run on the mirror of the spec's data, where it has one.
    """
    from harness.runner import selection

    if not claim.key.task:
        return "it names no task (`dataset.name`)"
    if claim.score is None:
        return f"its value {claim.text!r} is no number"
    task = specs.find(claim.key.task)
    if isinstance(task, str):
        return task
    metric = claim.key.metric
    if not computed(metric, task):
        return f"the metric {claim.metric} is not computed here"
    part = _part(claim, task)
    if isinstance(part, str):
        return part
    placed = _on_data_of(claim, task, pinned_data=pinned_data)
    if isinstance(placed, str):
        return placed
    spec, note = placed
    if mirror and spec.source == task.source and spec.mirror is not None:
        note = f"run on the mirror {spec.mirror.path} of {spec.source.path}"
        spec = selection.mirrored(spec)
    extra = part.split not in task.splits
    if extra:
        note = "; ".join([*([note] if note else []), f"{task.name} is not usually scored on the split {part.split!r}"])
    elsewhere = extra or spec.source != task.source
    return Target(task=spec, part=part, metric=metric, elsewhere=elsewhere, note=note)


def computed(metric: str, task: TaskSpec) -> bool:
    """Whether a record of the task has this metric (name since mteb 2)."""
    return metric in metrics_of(task.type, task.settings) or bool(_ALSO.fullmatch(metric))


def _part(claim: Claim, task: TaskSpec) -> Part | str:
    configs: Mapping[str, str] = {config: subset for subset, config in task.configs.items()}
    if task.mirror is not None:
        configs = {**{config: subset for subset, config in task.mirror.subsets.items()}, **configs}
    named = [configs.get(name, name) for name in (claim.key.config, claim.subset) if name is not None]
    subset = next((name for name in named if name in task.subsets), None)
    if subset is None and claim.key.config is None and len(task.subsets) == 1:
        subset = next(iter(task.subsets))
    if subset is None:
        return f"{task.name} has no subset {claim.key.config or claim.subset!r} here; it has {_some(task.subsets)}"
    split = claim.key.split or ("test" if "test" in task.splits else task.splits[0])
    if split not in task.splits and task.source.kind != "hub":
        return f"{task.name} is not scored on the split {split!r} here; only on {_some(task.splits)}"
    return Part(split, subset)


def _on_data_of(claim: Claim, task: TaskSpec, *, pinned_data: bool) -> tuple[TaskSpec, str] | str:
    """The task on the data that the claim names, and a note where that is not plain."""
    from harness.runner import selection

    path, revision = claim.key.dataset, claim.key.revision
    own = task.source
    named = (path or own.path, revision or own.revision)
    if own.kind == "local" and named[0] in (own.path, task.name):  # which data it is, the record's digest says
        return task, ""
    if named == (own.path, own.revision):
        return task, "" if revision else "the card names no revision of the data"
    if task.mirror is not None and named == (task.mirror.path, task.mirror.revision):
        return selection.mirrored(task), ""
    shown = f"{named[0]} at {str(named[1])[:12]}"
    if pinned_data:
        return task, f"run on {own.path} at {str(own.revision)[:12]}; the card names {shown}"
    if own.kind == "hub" and path in (None, own.path):
        source = Source(kind="hub", path=own.path, revision=revision, layout=own.layout, qrels=own.qrels)
        return replace(task, source=source), f"on the card's revision {str(revision)[:12]}, not the spec's"
    mirror = f" or {task.mirror.path}" if task.mirror is not None else ""
    return (
        f"the card's data set, {shown}, is not the one that {task.name} has here ({own.path}{mirror}); "
        "--pinned-data runs it on that"
    )


def _some(names: Mapping[str, object] | tuple[str, ...]) -> str:
    return ", ".join(list(names)[:8]) + (", ..." if len(names) > 8 else "")
