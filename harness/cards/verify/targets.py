"""What to run for a claim: task, part, metric and data, or the reason why it cannot be run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.cards.claims import Claim
from harness.cards.task_lookup import TaskLookup
from harness.evaluators import KINDS
from harness.tasks import registry
from harness.types import Part, TaskSpec

_EXTRA_METRICS = re.compile(r"main_score|dot_(pearson|spearman)|(v_measure|ami)_std|nauc_.*")
"""Metrics that are computed but cannot be a main metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What to run for a claim.

    Attributes:
        task: the task's spec, with the data that the claim names.
        part: the part of the task.
        metric: mteb 2's name.
        off_spec: whether the data differ from the spec's, or the spec leaves the split out.
        note: a note for readers of the comparison.
    """

    task: TaskSpec
    part: Part
    metric: str
    off_spec: bool = False
    note: str = ""


def target_of(claim: Claim, lookup: TaskLookup, *, pinned_data: bool = False, mirror: bool = False) -> Target | str:
    """What to run for a claim, or the reason why it cannot be run.

    Args:
        claim: of a card.
        lookup: the tasks; a task without a spec is looked up in the installed mteb.
        pinned_data: run on the data that the spec pins, even if the claim names other data.
        mirror: run on the mirror of the spec's data, if it has one.
    """

    if not claim.key.task:
        return "it names no task (`dataset.name`)"
    if claim.score is None:
        return f"its value {claim.text!r} is not a number"
    task = lookup.find(claim.key.task)
    if isinstance(task, str):
        return task
    metric = claim.key.metric
    if not computed(metric, task):
        return f"the harness does not compute the metric {claim.metric}"
    part = _part(claim, task)
    if isinstance(part, str):
        return part
    task_and_note = _on_data_of(claim, task, pinned_data=pinned_data)
    if isinstance(task_and_note, str):
        return task_and_note
    spec, note = task_and_note
    if mirror and spec.source == task.source and spec.mirror is not None:
        note = f"run on the mirror {spec.mirror.path} of {spec.source.path}"
        spec = registry.mirrored(spec)
    extra_split = part.split not in task.splits
    if extra_split:
        note = "; ".join([*([note] if note else []), f"{task.name} is not usually scored on the split {part.split!r}"])
    off_spec = extra_split or spec.source != task.source
    return Target(task=spec, part=part, metric=metric, off_spec=off_spec, note=note)


def computed(metric: str, task: TaskSpec) -> bool:
    """Whether a record of the task has this metric (mteb 2's name)."""
    if task.members:
        return metric == task.main_metric
    return metric in KINDS[task.type].metrics(task.settings) or bool(_EXTRA_METRICS.fullmatch(metric))


def _part(claim: Claim, task: TaskSpec) -> Part | str:
    configs: Mapping[str, str] = {config: subset for subset, config in task.configs.items()}
    if task.mirror is not None:
        configs = {**{config: subset for subset, config in task.mirror.subsets.items()}, **configs}
    named = [configs.get(name, name) for name in (claim.key.config, claim.subset) if name is not None]
    subset = next((name for name in named if name in task.subsets), None)
    if subset is None and claim.key.config is None and len(task.subsets) == 1:
        subset = next(iter(task.subsets))
    if subset is None:
        return f"{task.name} has no subset {claim.key.config or claim.subset!r}; it has {_some(task.subsets)}"
    split = claim.key.split or ("test" if "test" in task.splits else task.splits[0])
    if split not in task.splits and task.source.kind != "hub":
        return f"{task.name} is not scored on the split {split!r}, only on {_some(task.splits)}"
    return Part(split, subset)


def _on_data_of(claim: Claim, task: TaskSpec, *, pinned_data: bool) -> tuple[TaskSpec, str] | str:
    """The task on the data that the claim names, and a note about the data; or why it cannot be run."""

    path, revision = claim.key.dataset, claim.key.revision
    if task.members:
        if pinned_data or path is None:
            return task, "run on the data of the tasks that it is the mean of"
        return (
            f"the card's data set, {path}, is not that of {task.name}, which is the mean of tasks with data of their "
            "own; --pinned-data runs those"
        )
    pinned = task.source
    named = (path or pinned.path, revision or pinned.revision)
    if pinned.kind == "local" and named[0] in (pinned.path, task.name):  # the record's digest identifies the files
        return task, ""
    if named == (pinned.path, pinned.revision):
        return task, "" if revision else "the card names no revision of the data"
    if task.mirror is not None and named == (task.mirror.path, task.mirror.revision):
        return registry.mirrored(task), ""
    shown = f"{named[0]} at {str(named[1])[:12]}"
    if pinned_data:
        return task, f"run on {pinned.path} at {str(pinned.revision)[:12]}; the card names {shown}"
    if pinned.kind == "hub" and path in (None, pinned.path):
        source = replace(pinned, revision=revision)
        return replace(task, source=source), f"on the card's revision {str(revision)[:12]}, not the spec's"
    mirror = f" or {task.mirror.path}" if task.mirror is not None else ""
    return (
        f"the card's data set, {shown}, is not that of {task.name} ({pinned.path}{mirror}); "
        "--pinned-data runs the task on its own data"
    )


def _some(names: Mapping[str, object] | tuple[str, ...]) -> str:
    return ", ".join(list(names)[:8]) + (", ..." if len(names) > 8 else "")
