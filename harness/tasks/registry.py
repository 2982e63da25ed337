"""Tasks and suites by name.

A task lives in `<folder>/**/<Name>.yaml`, a suite in `<folder>/**/suites/<name>.yaml`; folders called `data` and hidden
ones are not looked into. A file's name is the task's name, so looking up one task parses one file, and a broken file
elsewhere is nobody's problem but `Registry.check`'s. See `task_file` for the format of a task. A suite:

    name: german                        # the file's own name
    description: ...
    aliases: ["MTEB(deu, v1)"]          # optional: further names
    notes: ...                          # optional: what is left out, and why
    tasks:
      - GermanSTSBenchmark              # the whole task, or a part of it:
      - {task: SIB200Classification, splits: [test], subsets: [deu_Latn]}
    recorded_only:                      # optional: not run here, but counted on the suite's leaderboard where recorded
      - {task: SummEval, type: Summarization, splits: [test], subsets: {default: [eng-Latn]}}
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import SpecError, UnknownName
from harness.tasks import strict_yaml
from harness.tasks.languages import is_language, matches
from harness.tasks.settings import changed_settings
from harness.tasks.strict_yaml import Value
from harness.tasks.task_file import file_name, load_file, plain, render
from harness.types import Part, RecordedTask, Source, Suite, TaskSpec

__all__ = ["Registry", "fingerprint_of", "get_task", "get_tasks", "load_file", "render", "select_parts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Names and the files that declare them; nothing is parsed before it is asked for.

    Attributes:
        task_files: task name -> its files; more than one is an error as soon as the name is used.
        suite_files: the same for suites.
    """

    task_files: Mapping[str, tuple[Path, ...]]
    suite_files: Mapping[str, tuple[Path, ...]]

    def names(self) -> tuple[str, ...]:
        """The names of all tasks, sorted."""
        return tuple(sorted(self.task_files))

    def get(self, name: str) -> TaskSpec:
        """The task of this name.

        Raises:
            UnknownName: with the nearest names.
            SpecError: if its file is defective, or two files declare it.
        """
        return load_file(_one_file("task", name, self.task_files))

    def __iter__(self) -> Iterator[TaskSpec]:
        """All tasks, sorted by name; stops at a defective one."""
        return map(self.get, self.names())

    def suite_names(self) -> tuple[str, ...]:
        """The names of all suites, sorted."""
        return tuple(sorted(self.suite_files))

    def suite(self, name: str) -> Suite:
        """The suite of this name, every task of which exists.

        Raises:
            UnknownName, SpecError: as for `get`.
        """
        if name not in self.suite_files:
            name = self._aliases().get(name, name)
        return _load_suite(_one_file("suite", name, self.suite_files), self)

    def _aliases(self) -> dict[str, str]:
        """Alias -> the suite's name; a broken file has none, and of two suites the first in order has it."""
        found: dict[str, str] = {}
        for name in self.suite_names():
            with contextlib.suppress(SpecError):
                for alias in strict_yaml.read(self.suite_files[name][0]).key("aliases").items("names"):
                    found.setdefault(alias.label(), name)
        return found

    def suites(self) -> tuple[Suite, ...]:
        """All suites, sorted by name."""
        return tuple(map(self.suite, self.suite_names()))

    def check(self) -> tuple[SpecError, ...]:
        """What is wrong with any task or suite: one error for each file that cannot be used."""
        found: dict[str, SpecError] = {}
        for read, names in ((self.get, self.names()), (self.suite, self.suite_names())):
            for name in names:
                try:
                    read(name)
                except SpecError as err:
                    found.setdefault(str(err), err)  # a suite meets its tasks' defects again
        return tuple(found.values())


def get_tasks(extra_dirs: Iterable[str | Path] = ()) -> Registry:
    """The bundled tasks and those of further folders.

    Raises:
        SpecError: if a folder does not exist.
    """
    task_files: dict[str, tuple[Path, ...]] = {}
    suite_files: dict[str, tuple[Path, ...]] = {}
    folders, seen = (_bundled(), *map(Path, extra_dirs)), set[Path]()
    for folder in folders:
        for file in _spec_files(folder):
            if len(folders) > 1:  # a file may lie in both of two folders
                if (real := file.resolve()) in seen:
                    continue
                seen.add(real)
            files = suite_files if file.parent.name == "suites" else task_files
            files[file.stem] = (*files.get(file.stem, ()), file)
    return Registry(task_files=task_files, suite_files=suite_files)


def get_task(name: str) -> TaskSpec:
    """The bundled task of this name; tasks of folders of your own come from `get_tasks([folder]).get(name)`.

    Raises:
        UnknownName, SpecError: as for `Registry.get`.
    """
    return get_tasks().get(name)


def select_parts(
    task: TaskSpec, *, splits: Iterable[str] | None = None, languages: Iterable[str] | None = None
) -> tuple[Part, ...]:
    """The task's parts in these splits and languages; None or nothing means all.

    A name in `languages` that is one of the task's subsets means that subset alone; any other means every subset with
    that language: `de`, `deu`, `deu-Latn`. A language that the task lacks is passed over as long as another one is
    found, so that one choice can narrow many tasks; a split or subset that does not exist is an error.

    Raises:
        UnknownName: if a split or subset does not exist, or nothing is left.
    """
    splits, languages = list(splits or task.splits), list(languages or task.subsets)
    for split in splits:
        if split not in task.splits:
            raise UnknownName.of(f"split of {task.name}", split, task.splits)
    for name in languages:
        if name not in task.subsets and not is_language(name):
            raise UnknownName.of(f"language or subset of {task.name}", name, task.subsets)
    chosen = {subset for name in languages for subset in _subsets_called(name, task)}
    parts = tuple(part for part in task.parts if part.split in splits and part.subset in chosen)
    if not parts:
        known = ", ".join([*task.languages[:8], *["..."] * (len(task.languages) > 8)])
        raise UnknownName(f"{task.name} has no part in {', '.join(languages)}; its languages: {known}")
    return parts


def fingerprint_of(task: TaskSpec) -> dict[str, Any]:
    """What of a task decides its scores, as JSON has it: if this changed, a record of the task is out of date.

    Splits and subsets are left out because a record says which parts it holds; so is all that only describes. Of the
    settings only those that differ from the defaults count, so that a new kind of setting leaves old records valid.
    """
    return {
        "type": task.type,
        "source": _source(task.source),
        "columns": plain(task.columns),
        "merge_splits": plain(task.merge_splits),
        **({"configs": plain(task.configs)} if task.configs else {}),
        "main_metric": task.main_metric,
        "settings": plain(changed_settings(task.settings)),
        "prompt": plain(task.prompt),
    }


def _source(source: Source) -> dict[str, Any]:
    """A source without what few sources have, unless it has it."""
    return {key: value for key, value in asdict(source).items() if value is not None or key == "revision"}


def _subsets_called(name: str, task: TaskSpec) -> list[str]:
    if name in task.subsets:
        return [name]
    return [subset for subset, spoken in task.subsets.items() if any(matches(name, language) for language in spoken)]


def _bundled() -> Path:
    here = Path(__file__).resolve().parents[1]
    for folder in (here / "_tasks", here.parent / "tasks"):  # an installed package, a checkout
        if folder.is_dir():
            return folder
    raise SpecError(str(here / "_tasks"), ["the bundled tasks are missing; install embedding-harness again"])


def _spec_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise SpecError(str(folder), ["expected a folder of task files, and there is none"])
    found: list[Path] = []
    for place, below, files in os.walk(folder):
        below[:] = [name for name in below if name != "data" and not name.startswith(".")]
        found += [Path(place, name) for name in files if name.endswith((".yaml", ".yml")) and not name.startswith(".")]
    return sorted(found)


def _one_file(kind: str, name: str, known: Mapping[str, tuple[Path, ...]]) -> Path:
    if name not in known:
        raise UnknownName.of(kind, name, sorted(known))
    first, *others = known[name]
    if others:
        places = " and ".join(map(str, others))
        raise SpecError(str(first), [f"the {kind} {name!r} is also declared by {places}; rename one of them"])
    return first


def _load_suite(path: Path, registry: Registry) -> Suite:
    root = strict_yaml.read(path)
    value = root.fields(("name", "description", "tasks"), ("aliases", "notes", "recorded_only"))
    name, description, notes = file_name(value["name"], path), value["description"].text(), value["notes"].text()
    aliases = value["aliases"].labels("names") if value["aliases"].present else ()
    members: dict[str, tuple[Part, ...]] = {}
    for item in value["tasks"].items("tasks"):
        task, parts = _member(item, registry)
        if task and task in members:
            item.wrong(f"{task!r} is listed twice")
        members.setdefault(task, parts)
    others = tuple(_recorded(item, members) for item in value["recorded_only"].items("tasks"))
    root.finish(str(path))
    narrowed = {task: parts for task, parts in members.items() if parts}
    return Suite(
        name=name,
        description=description,
        tasks=tuple(members),
        parts=narrowed,
        notes=notes,
        aliases=aliases,
        recorded_only=others,
    )


def _recorded(item: Value, members: Mapping[str, tuple[Part, ...]]) -> RecordedTask:
    """A task that is only counted; the file says of it what a spec would."""
    value = item.fields(("task", "type", "splits", "subsets"))
    name, type_ = value["task"].label(), value["type"].label()
    if name in members:
        item.wrong(f"{name!r} is listed among the tasks too")
    subsets = {name: spoken.labels("languages") for name, spoken in value["subsets"].entries("languages").items()}
    parts = tuple(Part(split, subset) for split in value["splits"].labels("splits") for subset in subsets)
    return RecordedTask(name=name, type=type_, parts=parts, subsets=subsets)


def _member(item: Value, registry: Registry) -> tuple[str, tuple[Part, ...]]:
    """A task's name, and its parts where the suite holds only some."""
    if not isinstance(item.content, dict):
        return item.one_of(registry.task_files, "task"), ()
    value = item.fields(("task",), ("splits", "subsets"))
    name = value["task"].one_of(registry.task_files, "task")
    if not name or not (value["splits"].present or value["subsets"].present):
        return name, ()
    task = registry.get(name)
    splits, subsets = _some(value["splits"], task.splits), _some(value["subsets"], tuple(task.subsets))
    return name, tuple(part for part in task.parts if part.split in splits and part.subset in subsets)


def _some(value: Value, known: tuple[str, ...]) -> tuple[str, ...]:
    if not value.present:
        return known
    kind = value.name.rpartition(".")[2]
    return tuple(item.one_of(known, kind.removesuffix("s")) for item in value.items(kind))
