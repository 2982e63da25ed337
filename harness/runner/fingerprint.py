"""The fingerprint of a cell: a digest of all that decides its score, so that a changed cell is computed again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from harness.evaluators import KINDS
from harness.files import digests
from harness.models import model_prompts
from harness.tasks import registry
from harness.types import PLAIN, ModelSpec, TaskSpec, VectorTransform

PROTOCOL = 1
"""Part of every fingerprint; increased when a scorer's numbers change on purpose."""
HALF_PRECISION = 2
"""Part of the fingerprints of half precision; raised when the numbers of that change on purpose."""


def task_content(task: TaskSpec) -> dict[str, Any]:
    """The part of a fingerprint that comes from the task: its spec and, for local data, digests of its files."""
    content = {"task": registry.fingerprint_of(task)}
    if task.source.kind == "local":
        content["files"] = digests.digests(task)
    return content


def _is_in_batches_of_mteb(model: ModelSpec, task: TaskSpec) -> bool:
    """Whether mteb's batches came to count for a cell: see `text_fields.batching_for`."""
    normalized = model.normalized is not False or "normalize" in model_prompts.opening(model).after[-1:]
    return KINDS[task.type].uses_lengths and not normalized


def fingerprint(
    model: ModelSpec,
    task: TaskSpec,
    *,
    precision: str,
    max_length: int | None,
    transform: VectorTransform = PLAIN,
    of_task: Mapping[str, Any] | None = None,
    of_first_stage: str | None = None,
) -> str:
    """What decides whether a record is still valid: model, task content, precision, length, transform, protocol.

    Args:
        model: the model, without a first stage for a task that does not need one.
        task: the task.
        precision: of the forward pass, as used.
        max_length: that was asked for.
        transform: of the vectors.
        of_task: the task's `task_content`, for callers that have it already.
        of_first_stage: the fingerprint of the model's first stage on this task.
    """
    content: dict[str, Any] = {
        "protocol": PROTOCOL,
        "model": [model.name, model.revision, model.trust_remote_code],
        "prompts": model_prompts.fingerprint_content(model),
        "precision": precision,
        "max_length": max_length,
        **(task_content(task) if of_task is None else of_task),
    }
    if precision in ("fp16", "bf16"):
        content["half_precision"] = HALF_PRECISION
    if precision == "fp32" and _is_in_batches_of_mteb(model, task):
        content["batches"] = "mteb"
    if model.dependencies:
        content["dependencies"] = sorted(model.dependencies)
    if model.truncate_dim is not None:
        content["truncate_dim"] = model.truncate_dim
    if model.backend_file is not None:
        content["backend"] = list(model.backend_file)
    if model.first_stage is not None:
        content["first_stage"] = [of_first_stage, model.first_stage.top]
    if transform != PLAIN:
        content["shape"] = {"dims": transform.dims, "quantize": transform.quantize, **transform.settings()}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
