"""What is to be done: names into models and tasks, minus what is already recorded. Opens no model, loads no data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness import models, results
from harness.errors import HarnessError
from harness.files import digests
from harness.models import prompt_catalog
from harness.runner.request import Request
from harness.runner.selection import chosen
from harness.tasks import registry
from harness.types import PLAIN, ModelSpec, Part, Record, TaskSpec, VectorTransform, model_label

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


def plan(request: Request) -> list[Job]:
    """One job per model, task and transform, with what of it is still to do.

    Raises:
        HarnessError: a model, a task or a filter does not exist.
    """
    tasks = chosen(request.selection)
    specs = request.resolved()
    return [
        _job(spec, task, parts, request, transform)
        for spec in specs
        for task, parts in tasks
        for transform in (request.transforms if not models.only_searches(spec) else (PLAIN,))
    ]


def _job(
    model: ModelSpec, task: TaskSpec, parts: tuple[Part, ...], request: Request, transform: VectorTransform
) -> Job:
    options = request.options
    variant = models.variant(model, options, max_texts=request.max_texts, transform=transform)
    own = fingerprint(
        model, task, precision=models.precision(model, options), max_length=options.max_length, transform=transform
    )
    record: Record | None = None
    why = "not recorded yet"
    if model.origin == "python":
        why = "a Python callable has no revision to compare"
    elif request.overwrite:
        why = "--overwrite"
    else:
        try:
            record = results.get(
                request.results, model=model.name, revision=model.revision, task=task.name, variant=variant
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
