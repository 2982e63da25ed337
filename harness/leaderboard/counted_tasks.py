"""What a leaderboard is about: the tasks that count, and which of their parts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from harness.errors import UnknownName
from harness.tasks import mteb_metadata
from harness.tasks.languages import is_language, matches
from harness.tasks.registry import Registry
from harness.types import Part, Suite, TaskSpec

UNKNOWN_TYPE = "Unknown"


class ScopedTask(NamedTuple):
    """One column of a leaderboard.

    Attributes:
        type: mteb's name of the type, also of types that are not scored here; `Unknown` if nothing names it.
        parts: those that count; None for all recorded parts.
        splits: only these, where the user chose some.
        spoken: subset -> its languages (`deu-Latn`), where the task is declared here.
        recorded_only: whether it counts but cannot be run here.
        dataset, revision: of the data on the hub; None where the data is local or the task has no spec here.
    """

    name: str
    type: str
    parts: tuple[Part, ...] | None
    splits: tuple[str, ...] | None = None
    spoken: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    recorded_only: bool = False
    description: str = ""
    reference: str | None = None
    main_metric: str | None = None
    dataset: str | None = None
    revision: str | None = None

    @property
    def languages(self) -> tuple[str, ...]:
        """Of the parts that count, in order of first mention."""
        subsets = self.spoken if self.parts is None else dict.fromkeys(part.subset for part in self.parts)
        return tuple(dict.fromkeys(name for subset in subsets for name in self.spoken.get(subset, ())))

    def admits(self, part: Part) -> bool:
        """Whether the part is in the splits that the user chose."""
        return self.splits is None or part.split in self.splits


class Filters(NamedTuple):
    """What to keep of the tasks; None keeps all."""

    types: Collection[str] | None = None
    languages: Collection[str] | None = None
    splits: Collection[str] | None = None
    exclude: Collection[str] | None = None


def of_suite(registry: Registry, suite: Suite) -> tuple[ScopedTask, ...]:
    """The tasks of a suite, including those whose records can only come from elsewhere.

    Raises:
        SpecError: the file of a task is broken.
    """
    declared = [scoped(member.task, member.parts) for member in registry.members(suite)]
    others = [
        ScopedTask(task.name, task.type, task.parts, spoken=task.subsets, recorded_only=True)
        for task in suite.recorded_only
    ]
    return (*declared, *others)


def of_names(registry: Registry, names: Iterable[str], *, recorded: Mapping[str, str | None]) -> tuple[ScopedTask, ...]:
    """Tasks by name, as declared here; of a task without a spec, everything that is recorded.

    Args:
        registry: The tasks with specs.
        names: As the user gave them.
        recorded: The recorded tasks, each with its type where a record names it; where none does, the type is mteb's.

    Raises:
        UnknownName: neither declared nor recorded.
    """
    tasks = []
    for name in dict.fromkeys(names):
        if name in registry.task_files:
            tasks.append(scoped(registry.get(name), None))
        elif name in recorded:
            type_ = recorded[name] or mteb_metadata.type_of(name) or UNKNOWN_TYPE
            tasks.append(ScopedTask(name, type_, None, main_metric=mteb_metadata.main_metric(name)))
        else:
            raise UnknownName.of("task, declared or recorded,", name, sorted({*registry.task_files, *recorded}))
    return tuple(tasks)


def filtered(tasks: Iterable[ScopedTask], filters: Filters) -> tuple[ScopedTask, ...]:
    """The tasks that the filters keep.

    Raises:
        UnknownName: a filter names nothing, or no task is left.
    """
    tasks = tuple(tasks)
    UnknownName.refuse("task type", filters.types, {task.type for task in tasks})
    UnknownName.refuse("task to exclude", filters.exclude, {task.name for task in tasks})
    for name in filters.languages or ():
        subsets = {part.subset for task in tasks for part in task.parts or ()}
        if not is_language(name) and name not in subsets:
            raise UnknownName.of("language or subset", name, sorted(subsets))
    kept = []
    for task in tasks:
        if (filters.types and task.type not in filters.types) or task.name in (filters.exclude or ()):
            continue
        narrowed = _in_languages(task, filters.languages) if filters.languages else task
        if narrowed is not None:
            kept.append(narrowed._replace(splits=tuple(filters.splits) if filters.splits else None))
    if not kept:
        raise UnknownName("no task fits all the filters together; see `harness suites NAME` for what a suite holds")
    return tuple(kept)


def scoped(task: TaskSpec, parts: tuple[Part, ...] | None) -> ScopedTask:
    """A task as it counts on a leaderboard, with `parts` of it or all."""
    return ScopedTask(
        task.name,
        task.type,
        parts or task.parts,
        spoken=task.subsets,
        description=task.description,
        reference=task.reference,
        main_metric=task.main_metric,
        dataset=None if task.source.kind == "local" or task.members else task.source.path,
        revision=task.source.revision,
    )


def _in_languages(task: ScopedTask, names: Collection[str]) -> ScopedTask | None:
    """The task narrowed to the subsets of some languages, or of these names; None if it has none of them."""
    subsets = {
        subset
        for subset, spoken in task.spoken.items()
        if subset in names or any(matches(name, language) for name in names for language in spoken)
    }
    parts = tuple(part for part in task.parts or () if part.subset in subsets)
    return task._replace(parts=parts) if parts else None
