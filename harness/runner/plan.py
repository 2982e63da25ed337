"""What is to be done: names into models and tasks, minus what is already recorded. Opens no model, loads no data."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness import models, results
from harness.errors import HarnessError, UnknownName
from harness.files import digests
from harness.files.environment import results_folder as results_folder
from harness.models import prompt_catalog
from harness.tasks import registry
from harness.types import (
    PLAIN,
    TASK_TYPES,
    EncodeOptions,
    ModelSpec,
    Part,
    Record,
    Source,
    TaskSpec,
    VectorTransform,
    model_label,
)

PROTOCOL = 1
"""Part of every fingerprint; raised when a scorer's numbers change on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One task for one model.

    Attributes:
        todo: parts to compute, in order.
        done: parts found recorded under the same fingerprint.
        why: why `todo` is not empty.
        record: the record found, when all or some of it is still valid.
        transform: what is made of the model's vectors.
    """

    model: ModelSpec
    task: TaskSpec
    todo: tuple[Part, ...]
    done: tuple[Part, ...]
    fingerprint: str
    variant: str
    why: str
    record: Record | None
    transform: VectorTransform = PLAIN

    @property
    def label(self) -> str:
        """The model as people are told of it, with what sets its record apart."""
        return model_label(self.model.name, self.variant)

    @property
    def applies(self) -> bool:
        """Whether the model can do the task: one that only ranks documents has no vectors for the other types."""
        return self.task.type == "Retrieval" or not models.only_searches(self.model)


class Environment(NamedTuple):
    """Where results go and how models are opened.

    Attributes:
        max_texts: quick mode: at most this many texts of each side of a part; its records are variants.
        transforms: what is made of the vectors; each transform but the plain one is a variant with records of its own.
    """

    results: Path
    options: EncodeOptions
    overwrite: bool = False
    max_texts: int | None = None
    transforms: tuple[VectorTransform, ...] = (PLAIN,)


class Filters(NamedTuple):
    """What to keep of the tasks that were named; None keeps all.

    Attributes:
        languages: `de`, `deu`, `deu-Latn`, or names of subsets.
    """

    splits: Sequence[str] | None = None
    languages: Sequence[str] | None = None
    types: Sequence[str] | None = None
    domains: Sequence[str] | None = None


EVERYTHING = Filters()


def transforms(dims: Sequence[int], quantize: Sequence[Literal["int8", "binary"]]) -> tuple[VectorTransform, ...]:
    """Every pair of a `dims` (or all dimensions) and a `quantize` (or floats); the first leaves vectors as they are."""
    return tuple(
        VectorTransform(some, how) for some in (None, *dict.fromkeys(dims)) for how in (None, *dict.fromkeys(quantize))
    )


def chosen(
    tasks: str | Sequence[str | TaskSpec] | None,
    *,
    suite: str | None = None,
    filters: Filters = EVERYTHING,
    tasks_dirs: Sequence[str | os.PathLike[str]] = (),
    mirror: bool = False,
) -> list[tuple[TaskSpec, tuple[Part, ...]]]:
    """The tasks that a request names, each with its parts after filtering.

    A task without a spec of ours is looked up in the installed mteb.

    Raises:
        UnknownName: a task, suite or filter that does not exist, or filters that leave nothing.
        SpecError: one of the tasks' files is broken.
        DataError: mteb's task of that name is not one that can be scored here.
    """
    known = registry.get_tasks([Path(folder) for folder in tasks_dirs])
    named: list[tuple[TaskSpec, tuple[Part, ...] | None]] = []
    if tasks is not None:
        wanted_tasks = [tasks] if isinstance(tasks, str) else tasks
        named += [(find(known, task) if isinstance(task, str) else task, None) for task in wanted_tasks]
    if suite is not None or tasks is None:
        members = known.suite(suite or "mini")
        named += [(known.get(name), members.parts.get(name)) for name in members.tasks]
    named = [(mirrored(task) if mirror else task, parts) for task, parts in named]
    _check_filters([task for task, _ in named], filters)
    selection: dict[str, tuple[TaskSpec, tuple[Part, ...]]] = {}
    for task, parts in named:
        wanted = _fitting(task, filters)
        if parts is not None:
            wanted = tuple(part for part in wanted if part in parts)
        if wanted:
            selection[task.name] = (task, wanted)
    if not selection:
        raise UnknownName("no part of the tasks fits all the filters together; see `harness tasks show NAME`")
    return list(selection.values())


def find(known: registry.Registry, name: str) -> TaskSpec:
    """The task `name`: a spec of ours, else mteb's task.

    Raises:
        UnknownName: neither has it.
    """
    if name in known.names():
        return known.get(name)
    from harness.data import mteb_bridge

    theirs = mteb_bridge.listed()
    if name in theirs:
        return mteb_bridge.spec(name)
    raise UnknownName.of("task", name, [*known.names(), *theirs])


def mirrored(task: TaskSpec) -> TaskSpec:
    """The task with its mirror as the source; unchanged where there is none."""
    if task.mirror is None:
        return task
    return replace(
        task,
        source=Source(kind="hub", path=task.mirror.path, revision=task.mirror.revision),
        columns={**task.columns, **task.mirror.columns},
        configs={**task.configs, **task.mirror.subsets},
        mirror=None,
    )


def _check_filters(tasks: Sequence[TaskSpec], filters: Filters) -> None:
    """Every name in a filter must mean something to at least one of the tasks."""
    for kind in filters.types or ():
        if kind not in TASK_TYPES:
            raise UnknownName.of("task type", kind, TASK_TYPES)
    for domain in filters.domains or ():
        if not any(domain in task.domains for task in tasks):
            raise UnknownName.of("domain", domain, dict.fromkeys(name for task in tasks for name in task.domains))
    for split in filters.splits or ():
        if not any(split in task.splits for task in tasks):
            raise UnknownName.of("split", split, dict.fromkeys(name for task in tasks for name in task.splits))
    for language in filters.languages or ():
        if not any(_speaks(task, language) for task in tasks):
            if len(tasks) == 1:
                registry.select_parts(tasks[0], languages=[language])
            known = dict.fromkeys(name for task in tasks for name in (*task.languages, *task.subsets))
            raise UnknownName.of("language or subset", language, known)


def _fitting(task: TaskSpec, filters: Filters) -> tuple[Part, ...]:
    if filters.types is not None and task.type not in filters.types:
        return ()
    if filters.domains is not None and not set(filters.domains) & set(task.domains):
        return ()
    own_splits = None if filters.splits is None else [split for split in filters.splits if split in task.splits]
    own_languages = None if filters.languages is None else [name for name in filters.languages if _speaks(task, name)]
    if own_splits == [] or own_languages == []:
        return ()
    return registry.select_parts(task, splits=own_splits, languages=own_languages)


def _speaks(task: TaskSpec, language: str) -> bool:
    try:
        return bool(registry.select_parts(task, languages=[language]))
    except UnknownName:
        return False


def plan(
    names: Iterable[str | Callable[[list[str]], Any]],
    tasks: Sequence[tuple[TaskSpec, tuple[Part, ...]]],
    environment: Environment,
    *,
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
) -> list[Job]:
    """One job per model and task, with what of it is still to do.

    Raises:
        HarnessError: a model does not exist.
    """
    specs = [
        models.resolve(name, trust_remote_code=trust_remote_code, allow_pickle=allow_pickle)
        for name in dict.fromkeys(names)
    ]
    return [
        _job(spec, task, parts, environment, transform)
        for spec in specs
        for task, parts in tasks
        for transform in (environment.transforms if not models.only_searches(spec) else (PLAIN,))
    ]


def _job(
    model: ModelSpec, task: TaskSpec, parts: tuple[Part, ...], environment: Environment, transform: VectorTransform
) -> Job:
    options = environment.options
    variant = models.variant(model, options, max_texts=environment.max_texts, transform=transform)
    own = fingerprint(
        model, task, precision=models.precision(model, options), max_length=options.max_length, transform=transform
    )
    record: Record | None = None
    why = "not recorded yet"
    if model.origin == "python":
        why = "a Python callable has no revision to compare"
    elif environment.overwrite:
        why = "--overwrite"
    else:
        try:
            record = results.get(
                environment.results, model=model.name, revision=model.revision, task=task.name, variant=variant
            )
        except HarnessError as err:
            why = f"the record is broken ({err})"
    if record is not None and record.fingerprint != own:
        why = "the recorded settings differ" if record.fingerprint else "the record is another program's"
        record = None
    recorded = record.parts if record else {}
    return Job(
        model=model,
        task=task,
        todo=tuple(part for part in parts if part not in recorded),
        done=tuple(part for part in parts if part in recorded),
        fingerprint=own,
        variant=variant,
        why=why if not recorded else "some parts are not recorded yet",
        record=record,
        transform=transform,
    )


def task_content(task: TaskSpec) -> dict[str, Any]:
    """What of a task goes into fingerprints: its settings and, of a local one, digests of its files."""
    content = {"task": registry.fingerprint_of(task)}
    if task.source.kind == "local":
        content["files"] = digests.digests(task)
    return content


def fingerprint(
    model: ModelSpec,
    task: TaskSpec,
    *,
    precision: str,
    max_length: int | None,
    transform: VectorTransform = PLAIN,
    of_task: Mapping[str, Any] | None = None,
) -> str:
    """What decides whether a record is still valid: model, task content, precision, length, transform, protocol.

    `of_task` is the task's `task_content`, for callers that have it already.
    """
    content: dict[str, Any] = {
        "protocol": PROTOCOL,
        "model": [model.name, model.revision, model.trust_remote_code],
        "prompts": prompt_catalog.prompts(model.name) if model.origin == "hub" else None,
        "precision": precision,
        "max_length": max_length,
        **(task_content(task) if of_task is None else of_task),
    }
    if transform != PLAIN:
        content["shape"] = transform._asdict()
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
