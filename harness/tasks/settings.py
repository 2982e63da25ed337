"""Reading the settings of a task file into the settings dataclass of the task's type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from harness.evaluators.task_kind import TaskKind
from harness.tasks.yaml_values import Value


def read(value: Value, kind: TaskKind) -> Any:
    """The settings in a task file, with the defaults of its type for the rest. Defects are noted with their lines."""
    declared = {field.name: field.metadata for field in fields(kind.settings)}
    hints = get_type_hints(kind.settings)
    given = {name: entry for name, entry in value.fields((), declared).items() if entry.present}
    noted = len(value.problems)
    settings = kind.settings(**{name: _read(entry, hints[name], declared[name]) for name, entry in given.items()})
    if len(value.problems) > noted:
        return kind.settings()
    for name, message in kind.setting_problems(settings, given.keys()):
        (given[name] if name else value).wrong(message)
    return settings


def changed_settings(settings: Any) -> dict[str, Any]:
    """The settings that differ from their type's defaults."""
    given = {field.name: (getattr(settings, field.name), field.default) for field in fields(settings)}
    return {name: value for name, (value, default) in given.items() if value != default}


def _read(entry: Value, hint: Any, bounds: Mapping[str, Any]) -> Any:
    """One setting, by the type of its field and the bounds in the field's metadata."""
    if get_origin(hint) is Literal:
        return entry.one_of(get_args(hint), bounds["called"])
    if type(None) in get_args(hint):
        if entry.is_null:
            return None
        [hint] = [other for other in get_args(hint) if other is not type(None)]
    return _READERS[hint](entry, bounds)


def _whole(entry: Value, bounds: Mapping[str, Any]) -> int:
    return entry.whole(bounds.get("least", 1), most=bounds.get("most"))


_READERS: Mapping[Any, Callable[[Value, Mapping[str, Any]], Any]] = {
    int: _whole,
    float: lambda entry, bounds: entry.number(**bounds),
    bool: lambda entry, bounds: entry.flag(),
    str: lambda entry, bounds: entry.label(),
    tuple[int, ...]: lambda entry, bounds: tuple(_whole(item, bounds) for item in entry.items("whole numbers")),
}
