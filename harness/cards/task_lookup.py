"""Tasks by name for cards, which name the same few tasks hundreds of times: each spec is read once."""

from __future__ import annotations

from harness.errors import HarnessError, SpecError, UnknownName
from harness.tasks import mteb_metadata
from harness.tasks.registry import Registry
from harness.types import TaskSpec


class Specs:
    """The specs of a registry, and the names of mteb's tasks, which are listed without importing it."""

    def __init__(self, known: Registry) -> None:
        self.known = known
        self._own: dict[str, TaskSpec | None] = {}
        self._found: dict[str, TaskSpec | str] = {}
        self._names: frozenset[str] | None = None

    def get(self, task: str) -> TaskSpec | None:
        """The task's spec, where it has a sound one here."""
        if task not in self._own:
            try:
                self._own[task] = self.known.get(task)
            except (UnknownName, SpecError):
                self._own[task] = None
        return self._own[task]

    def find(self, task: str) -> TaskSpec | str:
        """The task's spec, here or from the installed mteb, or why there is none. May import mteb."""
        from harness.runner import selection

        if task not in self._found:
            try:
                self._found[task] = selection.find(self.known, task)
            except HarnessError as err:
                self._found[task] = str(err)
        return self._found[task]

    def __contains__(self, task: str) -> bool:
        return task in self.known.task_files or task in self.names()

    def names(self) -> frozenset[str]:
        """Every name that a task has here or in mteb."""
        if self._names is None:
            self._names = frozenset((*self.known.names(), *mteb_metadata.names()))
        return self._names
