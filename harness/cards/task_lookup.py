"""Tasks by name; a card names the same few tasks hundreds of times, so each spec is read once."""

from __future__ import annotations

from harness.errors import HarnessError, SpecError, UnknownName
from harness.tasks import mteb_metadata
from harness.tasks.mteb_metadata import MtebTask
from harness.tasks.registry import Registry
from harness.types import TaskSpec


def spec_of(task: str, registry: Registry) -> TaskSpec | None:
    """The task's spec in the registry; None if it has none, or an invalid one."""
    try:
        return registry.get(task)
    except (UnknownName, SpecError):
        return None


def facts_of(task: str, registry: Registry) -> TaskSpec | MtebTask | None:
    """What is known about a task: its spec in the registry, else what mteb says of it; None if neither has the name."""
    return spec_of(task, registry) or mteb_metadata.get(task)


class TaskLookup:
    """The specs of a registry, and mteb's tasks."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._specs: dict[str, TaskSpec | None] = {}
        self._runnable: dict[str, TaskSpec | str] = {}
        self._names: frozenset[str] | None = None

    def get(self, task: str) -> TaskSpec | None:
        """The task's spec in the registry; None if it has none, or an invalid one."""
        if task not in self._specs:
            self._specs[task] = spec_of(task, self.registry)
        return self._specs[task]

    def facts(self, task: str) -> TaskSpec | MtebTask | None:
        """What is known about the task: its spec in the registry, else what mteb says of it."""
        return self.get(task) or mteb_metadata.get(task)

    def find(self, task: str) -> TaskSpec | str:
        """The task's spec, from the registry or of mteb's task, or the reason why there is none."""
        from harness.runner import selection

        if task not in self._runnable:
            try:
                self._runnable[task] = selection.find(self.registry, task)
            except HarnessError as err:
                self._runnable[task] = str(err)
        return self._runnable[task]

    def __contains__(self, task: str) -> bool:
        return task in self.registry.task_files or task in self.names()

    def names(self) -> frozenset[str]:
        """Every task name of the registry and of mteb."""
        if self._names is None:
            self._names = frozenset((*self.registry.names(), *mteb_metadata.names()))
        return self._names
