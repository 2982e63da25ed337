"""The tasks and parts of a request: names, suites and filters -> specs. Loads no data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.data import mteb_bridge
from harness.errors import UnknownName
from harness.evaluators import KINDS
from harness.tasks import mteb_metadata, registry
from harness.tasks.registry import ChosenTask, mirrored
from harness.types import Part, TaskSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The tasks that a request names, and filters that narrow them; a filter that is None keeps everything.

    Attributes:
        tasks: names, specs, or specs with some of their parts; by default, without suites too, the suite `mini`.
        suites: names of suites, whose tasks are added.
        task_folders: folders with more task and suite files.
        languages: `de`, `deu`, `deu-Latn`, or names of subsets.
        mirror: take data from a task's mirror where it names one.
    """

    tasks: tuple[str | TaskSpec | ChosenTask, ...] | None = None
    suites: tuple[str, ...] = ()
    task_folders: tuple[Path, ...] = ()
    splits: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    domains: tuple[str, ...] | None = None
    mirror: bool = False

    def names(self) -> list[str]:
        """Every task that the request could name: of this package, of its folders, and the specs that it holds."""
        specs = [task.task if isinstance(task, ChosenTask) else task for task in self.tasks or ()]
        held = [task for spec in specs if isinstance(spec, TaskSpec) for task in (spec, *spec.members)]
        return [*registry.get_tasks(self.task_folders).names(), *(task.name for task in held)]


def chosen(selection: Selection) -> list[ChosenTask]:
    """The tasks that a request names, each with its parts after filtering; a task that is named twice counts once.

    A task that is the mean of others stands behind those, whose parts no filter narrows. A name without a task file is
    looked up among mteb's tasks.

    Raises:
        UnknownName: a task, suite or filter that does not exist, or filters that leave nothing.
        SpecError: one of the tasks' files is broken.
        DataError: mteb's task of that name cannot be scored here.
    """
    known_tasks = registry.get_tasks(selection.task_folders)
    named: list[tuple[TaskSpec, tuple[Part, ...] | None]] = []
    for task in selection.tasks or ():
        if isinstance(task, ChosenTask):
            named.append(task)
        else:
            named.append((find(known_tasks, task) if isinstance(task, str) else task, None))
    suites = ("mini",) if selection.tasks is None and not selection.suites else selection.suites
    for suite in map(known_tasks.suite, suites):
        members = known_tasks.members(suite)
        if not members:
            raise UnknownName(f"suite {suite.name}: none of its tasks can be run here. {suite.notes}")
        named += members
    if selection.mirror:
        named = [(mirrored(task), parts) for task, parts in named]
    _check_filters([task for task, _ in named], selection)
    tasks: dict[str, ChosenTask] = {}
    for task, parts in named:
        allowed = None if parts is None else set(parts)
        wanted = [part for part in _fitting(task, selection) if allowed is None or part in allowed]
        splits = {part.split for part in wanted}
        for member in task.members:
            _add(tasks, member, [part for part in member.parts if part.split in splits])
        _add(tasks, task, wanted)
    if not tasks:
        raise UnknownName("no part of the tasks fits all the filters together; see `harness tasks show NAME`")
    return list(tasks.values())


def _add(tasks: dict[str, ChosenTask], task: TaskSpec, parts: Sequence[Part]) -> None:
    """Choose parts of a task beside those that are chosen already."""
    if parts:
        before = tasks[task.name].parts if task.name in tasks else ()
        tasks[task.name] = ChosenTask(task, tuple(dict.fromkeys((*before, *parts))))


def find(known_tasks: registry.Registry, name: str) -> TaskSpec:
    """The task `name`, from its task file, else from mteb.

    Raises:
        UnknownName: there is no such task.
        DataError: mteb's task cannot be scored here; the message says why.
    """
    if name in known_tasks.task_files or mteb_metadata.get(name) or (task := mteb_bridge.find(name)) is None:
        return known_tasks.find(name)
    return mteb_metadata.spec_of(task)


def _check_filters(tasks: Sequence[TaskSpec], selection: Selection) -> None:
    """Refuse a filter with a name that none of the tasks has."""
    UnknownName.refuse("task type", selection.types, KINDS)
    UnknownName.refuse("domain", selection.domains, dict.fromkeys(name for task in tasks for name in task.domains))
    UnknownName.refuse("split", selection.splits, dict.fromkeys(name for task in tasks for name in task.splits))
    for language in selection.languages or ():
        if not any(_speaks(task, language) for task in tasks):
            if len(tasks) == 1:
                registry.select_parts(tasks[0], languages=[language])
            names = dict.fromkeys(name for task in tasks for name in (*task.languages, *task.subsets))
            raise UnknownName.of("language or subset", language, names)


def _fitting(task: TaskSpec, selection: Selection) -> tuple[Part, ...]:
    if selection.types is not None and task.type not in selection.types:
        return ()
    if selection.domains is not None and not set(selection.domains) & set(task.domains):
        return ()
    splits = None if selection.splits is None else [split for split in selection.splits if split in task.splits]
    languages = None if selection.languages is None else [name for name in selection.languages if _speaks(task, name)]
    if splits == [] or languages == []:
        return ()
    return registry.select_parts(task, splits=splits, languages=languages)


def _speaks(task: TaskSpec, language: str) -> bool:
    try:
        return bool(registry.select_parts(task, languages=[language]))
    except UnknownName:
        return False
