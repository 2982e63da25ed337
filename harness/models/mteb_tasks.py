"""What mteb's loaders are told of a task: mteb's own metadata where it has the task, else the same made of ours."""

from __future__ import annotations

import functools
from typing import Any

from harness.errors import ModelError
from harness.evaluators import KINDS
from harness.types import TaskSpec


def metadata_of(task: TaskSpec) -> Any:
    """The `TaskMetadata` of a task.

    Raises:
        ModelError: mteb has no tasks of this type.
    """
    return _metadata(_Hashed(task))


class _Hashed:
    """A task as a key, by its name and file: its settings need not be hashable."""

    def __init__(self, task: TaskSpec) -> None:
        self.task = task

    def __hash__(self) -> int:
        return hash((self.task.name, self.task.file))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and self.task == other.task


@functools.lru_cache(maxsize=32)
def _metadata(hashed: _Hashed) -> Any:
    from mteb.get_tasks import get_task

    task = hashed.task
    if task.source.kind != "local":
        try:
            return get_task(task.name).metadata
        except KeyError:
            pass
    return _made_of_ours(task)


def _made_of_ours(task: TaskSpec) -> Any:
    from mteb.abstasks.task_metadata import TaskMetadata

    content: dict[str, Any] = {
        "name": task.name,
        "description": task.description or task.name,
        "type": task.type,
        "category": "t2t",
        "dataset": {"path": task.source.path, "revision": task.source.revision or "no_revision_available"},
        "eval_splits": list(task.splits),
        "eval_langs": {subset: list(languages) for subset, languages in task.subsets.items()},
        "main_score": task.main_metric,
        "prompt": task.prompt or KINDS[task.type].instruction or None,
    }
    try:
        return TaskMetadata(**content)
    except ValueError as err:
        raise ModelError(
            f"task {task.name}: mteb's loader of this model takes no such task ({err}); its type is {task.type}"
        ) from err
