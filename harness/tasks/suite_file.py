"""A suite's file -> Suite. The docstring of `registry` has the format."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from harness.errors import DataError
from harness.tasks import mteb_metadata, strict_yaml
from harness.tasks.task_file import file_name
from harness.tasks.yaml_values import Value
from harness.types import Part, RecordedTask, Suite, TaskSpec


def load(path: Path, *, names: Collection[str], find: Callable[[str], TaskSpec]) -> Suite:
    """The suite that a file declares.

    Args:
        path: of the file.
        names: of the tasks that have a file.
        find: a task's name -> the task, from its file or from mteb.

    Raises:
        SpecError: the file is broken, or names a task, split or subset that does not exist.
    """
    root = strict_yaml.read(path)
    value = root.fields(("name", "description", "tasks"), ("aliases", "notes", "recorded_only"))
    name, description, notes = file_name(value["name"], path), value["description"].text(), value["notes"].text()
    aliases = value["aliases"].labels("names") if value["aliases"].present else ()
    members: dict[str, tuple[Part, ...]] = {}
    for item in value["tasks"].items("tasks"):
        task, parts = _member(item, names, find)
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


def _member(item: Value, names: Collection[str], find: Callable[[str], TaskSpec]) -> tuple[str, tuple[Part, ...]]:
    """A task's name, and its parts where the suite has only some of them."""
    if not isinstance(item.content, dict):
        return _task(item, names, find), ()
    value = item.fields(("task",), ("splits", "subsets"))
    name = _task(value["task"], names, find)
    if not name or not (value["splits"].present or value["subsets"].present):
        return name, ()
    task = find(name)
    splits, subsets = _some(value["splits"], task.splits), _some(value["subsets"], task.subsets)
    return name, tuple(part for part in task.parts if part.split in splits and part.subset in subsets)


def _task(value: Value, names: Collection[str], find: Callable[[str], TaskSpec]) -> str:
    """The name of a task that has a file, or that mteb has and that can be scored here; "" where it is neither."""
    name = value.content
    if isinstance(name, str) and name not in names and mteb_metadata.get(name) is not None:
        try:
            return find(name).name
        except DataError as err:
            value.wrong(str(err))
            return ""
    return value.one_of(names, "task")


def _some(value: Value, names: Collection[str]) -> Collection[str]:
    """Those of the splits or subsets `names` that the file lists; all of them where it lists none."""
    if not value.present:
        return names
    kind = value.name.rpartition(".")[2]
    return {item.one_of(names, kind.removesuffix("s")) for item in value.items(kind)}
