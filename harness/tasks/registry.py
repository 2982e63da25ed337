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

Where no file declares a name, it is looked up among mteb's tasks and benchmarks: see `mteb_metadata` and
`mteb_benchmarks`.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import SpecError, UnknownName
from harness.evaluators import KINDS
from harness.tasks import mteb_benchmarks, mteb_metadata, strict_yaml, suite_file
from harness.tasks.languages import is_language, matches
from harness.tasks.settings import changed_settings
from harness.tasks.task_file import load_file, plain, render
from harness.types import Part, Source, Suite, TaskSpec

__all__ = [
    "ChosenTask",
    "Registry",
    "fingerprint_of",
    "get_task",
    "get_tasks",
    "load_file",
    "mirrored",
    "render",
    "select_parts",
]


class ChosenTask(NamedTuple):
    """A task and the parts of it to measure."""

    task: TaskSpec
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True)
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

    def find(self, name: str) -> TaskSpec:
        """The task of this name, from its file, else as mteb has it.

        Raises:
            UnknownName, SpecError: as for `get`.
            DataError: mteb's task of this name cannot be scored here; the message says why.
        """
        if name in self.task_files:
            return self.get(name)
        task = mteb_metadata.get(name)
        if task is None:
            raise UnknownName.of("task", name, [*self.names(), *mteb_metadata.names()])
        spec = mteb_metadata.spec_of(task)
        return replace(spec, members=tuple(self.find(member.name) for member in spec.members))

    def __iter__(self) -> Iterator[TaskSpec]:
        """All tasks, sorted by name; raises SpecError at a defective one."""
        return map(self.get, self.names())

    def suite_names(self) -> tuple[str, ...]:
        """The names of all suites: those of files, sorted, then mteb's benchmarks, sorted."""
        benchmarks = (name for name in mteb_benchmarks.names() if name not in self.suite_files)
        return (*sorted(self.suite_files), *benchmarks)

    def suite(self, name: str) -> Suite:
        """The suite of this name or alias, every task of which exists; one of a file before a benchmark of mteb.

        Raises:
            UnknownName, SpecError: as for `get`.
        """
        file_name = name if name in self.suite_files else self._aliases.get(name)
        if file_name is not None:
            return suite_file.load(
                _one_file("suite", file_name, self.suite_files), names=self.task_files, find=self.find
            )
        benchmark = mteb_benchmarks.get(name)
        if benchmark is None:
            raise UnknownName.of("suite", name, self.suite_names(), hint="`harness suites` lists them")
        return mteb_benchmarks.suite_of(benchmark)

    def members(self, suite: Suite) -> tuple[ChosenTask, ...]:
        """The tasks of a suite that can be run here, each with the parts that the suite has.

        Raises:
            UnknownName, SpecError: as for `get`.
        """
        specs = [mirrored(self.find(task)) if suite.mirror else self.find(task) for task in suite.tasks]
        return tuple(ChosenTask(task, suite.parts.get(task.name) or task.parts) for task in specs)

    @functools.cached_property
    def _aliases(self) -> dict[str, str]:
        """Alias -> the suite's name. Broken files are skipped; if two suites share an alias, the first has it."""
        aliases: dict[str, str] = {}
        for name in sorted(self.suite_files):
            with contextlib.suppress(SpecError):
                for alias in strict_yaml.read(self.suite_files[name][0]).key("aliases").items("names"):
                    aliases.setdefault(alias.label(), name)
        return aliases

    def suites(self) -> tuple[Suite, ...]:
        """All suites, in the order of `suite_names`."""
        return tuple(map(self.suite, self.suite_names()))

    def check(self) -> tuple[SpecError, ...]:
        """Every defect of the tasks and suites: one error for each file that cannot be used."""
        errors: dict[str, SpecError] = {}
        for read, names in ((self.get, self.names()), (self.suite, sorted(self.suite_files))):
            for name in names:
                try:
                    read(name)
                except SpecError as err:
                    errors.setdefault(str(err), err)  # a suite raises the errors of its tasks again
        return tuple(errors.values())


def get_tasks(extra_dirs: Iterable[str | Path] = ()) -> Registry:
    """The bundled tasks and those of further folders, or of single files.

    Raises:
        SpecError: a folder or file does not exist.
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
    """The task of this name, bundled or as mteb has it. `get_tasks([folder]).find(name)` finds those of a folder too.

    Raises:
        UnknownName, SpecError, DataError: as for `Registry.find`.
    """
    return get_tasks().find(name)


def mirrored(task: TaskSpec) -> TaskSpec:
    """The task with its mirror as the source; unchanged where there is none."""
    if task.members:
        return replace(task, members=tuple(map(mirrored, task.members)))
    if task.mirror is None:
        return task
    return replace(
        task,
        source=Source(kind="hub", path=task.mirror.path, revision=task.mirror.revision),
        columns={**task.columns, **task.mirror.columns},
        configs={**task.configs, **task.mirror.subsets},
        mirror=None,
    )


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
    UnknownName.refuse(f"split of {task.name}", splits, task.splits)
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
    # The data of these decide what is ranked, and records from before that was seen are out of date.
    ranks = mteb_metadata.ranks(task.name) if task.source.kind != "local" and KINDS[task.type].ranks else None
    of_members = {member.name: fingerprint_of(member) for member in task.members}
    return {
        **({"members": of_members} if of_members else {}),
        "type": task.type,
        **({"ranks": ranks} if ranks else {}),
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
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise SpecError(str(folder), ["expected a folder of task files, and there is none"])
    specs: list[Path] = []
    for place, subfolders, files in os.walk(folder):
        subfolders[:] = [name for name in subfolders if name != "data" and not name.startswith(".")]
        specs += [Path(place, name) for name in files if name.endswith((".yaml", ".yml")) and not name.startswith(".")]
    return sorted(specs)


def _one_file(kind: str, name: str, files: Mapping[str, tuple[Path, ...]]) -> Path:
    UnknownName.refuse(kind, [name], sorted(files))
    first, *others = files[name]
    if others:
        places = " and ".join(map(str, others))
        raise SpecError(str(first), [f"the {kind} {name!r} is also declared by {places}; rename one of them"])
    return first
