"""Tasks and suites by name.

A task is declared by `<folder>/**/<Name>.yaml`, a suite by `<folder>/**/suites/<name>.yaml`; hidden folders and those
called `data` are skipped. The file's name is the task's name, so a look-up parses one file and never fails because of
another one; `Registry.check` reads them all. See `task_file` for the format of a task. A suite:

    name: german                        # the file's own name
    description: ...
    aliases: ["MTEB(deu, v1)"]          # optional: further names
    notes: ...                          # optional: what is left out, and why
    tasks:
      - GermanSTSBenchmark              # the whole task, or a part of it:
      - {task: SIB200Classification, splits: [test], subsets: [deu_Latn]}
    recorded_only:                      # optional: cannot be run, but counts on the suite's leaderboard where recorded
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
from harness.tasks.task_file import file_name, load_file, plain, render
from harness.tasks.yaml_values import Value
from harness.types import Part, RecordedTask, Source, Suite, TaskSpec

__all__ = ["Registry", "fingerprint_of", "get_task", "get_tasks", "load_file", "render", "select_parts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Names and the files that declare them. A file is parsed when its task or suite is asked for.

    Attributes:
        task_files: task name -> its files. A name with more than one raises an error when it is used.
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
            UnknownName: there is none; the message has the nearest names.
            SpecError: its file is defective, or two files declare it.
        """
        return load_file(_one_file("task", name, self.task_files))

    def __iter__(self) -> Iterator[TaskSpec]:
        """All tasks, sorted by name; raises SpecError at a defective one."""
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
        """Alias -> the suite's name. Broken files are skipped; if two suites share an alias, the first has it."""
        aliases: dict[str, str] = {}
        for name in self.suite_names():
            with contextlib.suppress(SpecError):
                for alias in strict_yaml.read(self.suite_files[name][0]).key("aliases").items("names"):
                    aliases.setdefault(alias.label(), name)
        return aliases

    def suites(self) -> tuple[Suite, ...]:
        """All suites, sorted by name."""
        return tuple(map(self.suite, self.suite_names()))

    def check(self) -> tuple[SpecError, ...]:
        """Every defect of the tasks and suites: one error for each file that cannot be used."""
        errors: dict[str, SpecError] = {}
        for read, names in ((self.get, self.names()), (self.suite, self.suite_names())):
            for name in names:
                try:
                    read(name)
                except SpecError as err:
                    errors.setdefault(str(err), err)  # a suite raises the errors of its tasks again
        return tuple(errors.values())


def get_tasks(extra_dirs: Iterable[str | Path] = ()) -> Registry:
    """The bundled tasks and those of further folders.

    Raises:
        SpecError: a folder does not exist.
    """
    task_files: dict[str, tuple[Path, ...]] = {}
    suite_files: dict[str, tuple[Path, ...]] = {}
    folders, seen = (_bundled(), *map(Path, extra_dirs)), set[Path]()
    for folder in folders:
        for file in _spec_files(folder):
            if len(folders) > 1:  # one folder may lie within another
                if (real := file.resolve()) in seen:
                    continue
                seen.add(real)
            files = suite_files if file.parent.name == "suites" else task_files
            files[file.stem] = (*files.get(file.stem, ()), file)
    return Registry(task_files=task_files, suite_files=suite_files)


def get_task(name: str) -> TaskSpec:
    """The bundled task of this name. `get_tasks([folder]).get(name)` finds those of further folders too.

    Raises:
        UnknownName, SpecError: as for `Registry.get`.
    """
    return get_tasks().get(name)


def select_parts(
    task: TaskSpec, *, splits: Iterable[str] | None = None, languages: Iterable[str] | None = None
) -> tuple[Part, ...]:
    """The task's parts in these splits and languages; None or nothing means all.

    Args:
        task: the task.
        splits: names of its splits.
        languages: names of its subsets, each for that subset alone, and languages (`de`, `deu`, `deu-Latn`), each for
            every subset in it. A language that the task lacks is ignored as long as another one selects a part, so
            that one choice can narrow many tasks.

    Raises:
        UnknownName: a split or subset does not exist, or no part is left.
    """
    splits, languages = list(splits or task.splits), list(languages or task.subsets)
    for split in splits:
        if split not in task.splits:
            raise UnknownName.of(f"split of {task.name}", split, task.splits)
    for name in languages:
        if name not in task.subsets and not is_language(name):
            raise UnknownName.of(f"language or subset of {task.name}", name, task.subsets)
    chosen = {subset for name in languages for subset in _subsets_of(name, task)}
    parts = tuple(part for part in task.parts if part.split in splits and part.subset in chosen)
    if not parts:
        shown = ", ".join([*task.languages[:8], *["..."] * (len(task.languages) > 8)])
        raise UnknownName(f"{task.name} has no part in {', '.join(languages)}; its languages: {shown}")
    return parts


def fingerprint_of(task: TaskSpec) -> dict[str, Any]:
    """Everything in a spec that its scores depend on, as JSON values: a record made under another one is out of date.

    Splits and subsets are left out, because a record says which parts it holds, and so is what only describes. Of the
    settings only those that differ from the defaults count, so that a new setting leaves old records valid.
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
    """The fields of a source that are set, and its revision."""
    return {key: value for key, value in asdict(source).items() if value is not None or key == "revision"}


def _subsets_of(name: str, task: TaskSpec) -> list[str]:
    """The subset of this name, else the subsets in the language of this name."""
    if name in task.subsets:
        return [name]
    return [subset for subset, spoken in task.subsets.items() if any(matches(name, language) for language in spoken)]


def _bundled() -> Path:
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_tasks", package.parent / "tasks"):  # in an installed package, in a checkout
        if folder.is_dir():
            return folder
    raise SpecError(str(package / "_tasks"), ["the bundled tasks are missing; install embedding-harness again"])


def _spec_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise SpecError(str(folder), ["expected a folder of task files, and there is none"])
    specs: list[Path] = []
    for place, subfolders, files in os.walk(folder):
        subfolders[:] = [name for name in subfolders if name != "data" and not name.startswith(".")]
        specs += [Path(place, name) for name in files if name.endswith((".yaml", ".yml")) and not name.startswith(".")]
    return sorted(specs)


def _one_file(kind: str, name: str, files: Mapping[str, tuple[Path, ...]]) -> Path:
    if name not in files:
        raise UnknownName.of(kind, name, sorted(files))
    first, *others = files[name]
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
    """A task that counts where it is recorded. The suite's file gives its type, splits and subsets."""
    value = item.fields(("task", "type", "splits", "subsets"))
    name, type_ = value["task"].label(), value["type"].label()
    if name in members:
        item.wrong(f"{name!r} is listed among the tasks too")
    subsets = {name: spoken.labels("languages") for name, spoken in value["subsets"].entries("languages").items()}
    parts = tuple(Part(split, subset) for split in value["splits"].labels("splits") for subset in subsets)
    return RecordedTask(name=name, type=type_, parts=parts, subsets=subsets)


def _member(item: Value, registry: Registry) -> tuple[str, tuple[Part, ...]]:
    """A task's name, and its parts where the suite has only some of them."""
    if not isinstance(item.content, dict):
        return item.one_of(registry.task_files, "task"), ()
    value = item.fields(("task",), ("splits", "subsets"))
    name = value["task"].one_of(registry.task_files, "task")
    if not name or not (value["splits"].present or value["subsets"].present):
        return name, ()
    task = registry.get(name)
    splits, subsets = _some(value["splits"], task.splits), _some(value["subsets"], tuple(task.subsets))
    return name, tuple(part for part in task.parts if part.split in splits and part.subset in subsets)


def _some(value: Value, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the splits or subsets `names` that the file lists; all of them where it lists none."""
    if not value.present:
        return names
    kind = value.name.rpartition(".")[2]
    return tuple(item.one_of(names, kind.removesuffix("s")) for item in value.items(kind))
