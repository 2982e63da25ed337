"""`harness.toml`: task folders, results folder and defaults of options, for the folder that it lies in and those below.

Where there is none, the one in a folder that `--tasks-dir` names holds.

tasks = ["my-tasks"]        # as --tasks-dir; relative to the file
results = "results"         # as --results, unless $HARNESS_RESULTS or the option says otherwise

[options]                   # defaults of the options of `harness run` that other commands share
device = "cpu"
max-length = 256
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.cli.command_parser import CommandParser, all_parsers
from harness.errors import HarnessError, UnknownName
from harness.files.folders import expanded

NAME = "harness.toml"
_ASKED_EACH_TIME = ("trust-remote-code", "allow-pickle", "overwrite", "results", "tasks-dir", "help")
"""Options that a file in a working folder must not decide, and those that have a key of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds in the working folder.

    Attributes:
        file: where it stands; None where there is no such file.
        tasks: folders with task and suite files.
        results: the results folder; None where the file does not say.
        options: option of `harness run`, without its hyphens in front -> default.
    """

    file: Path | None = None
    tasks: tuple[str, ...] = ()
    results: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def read(folder: Path, *, arguments: Sequence[str] = ()) -> Settings:
    """The settings of the nearest file: in `folder` or above it, else in a folder of tasks that the command names.

    Args:
        folder: the working folder.
        arguments: of the command line, of which `--tasks-dir` is looked at.

    Raises:
        HarnessError: it is not TOML, has another key, or a value of another type.
    """
    places = (folder, *folder.parents, *(folder / place for place in _named_folders(arguments)))
    file = next((place / NAME for place in places if (place / NAME).is_file()), None)
    if file is None:
        return Settings()
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise HarnessError(f"{file}: cannot be read as TOML ({err})") from err
    for key in content:
        if key not in ("tasks", "results", "options"):
            raise HarnessError(f"{file}: no key {key!r}; expected tasks, results or [options]")
    tasks, results, options = content.get("tasks", []), content.get("results"), content.get("options", {})
    if not isinstance(tasks, list) or not all(isinstance(entry, str) for entry in tasks):
        raise HarnessError(f'{file}: tasks: found {tasks!r}; expected a list of folders, such as ["my-tasks"]')
    if results is not None and not isinstance(results, str):
        raise HarnessError(f"{file}: results: found {results!r}; expected a folder")
    if not isinstance(options, dict):
        raise HarnessError(f"{file}: options: found {options!r}; expected a table, [options]")
    return Settings(
        file=file,
        tasks=tuple(_below(file, entry) for entry in tasks),
        results=None if results is None else _below(file, results),
        options=options,
    )


def _named_folders(arguments: Sequence[str]) -> list[str]:
    """The values of `--tasks-dir`; whether the command line is valid is seen when it is read as a whole."""
    option = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    option.add_argument("--tasks-dir", action="append", default=[])
    try:
        folders: list[str] = option.parse_known_args(arguments)[0].tasks_dir
    except argparse.ArgumentError:
        return []
    return folders


def add_working_folder(arguments: argparse.Namespace) -> None:
    """Let tasks be found in files of their names in the working folder, where nothing else has these names."""
    if not hasattr(arguments, "tasks_dirs"):
        return
    names = arguments.tasks or [] if hasattr(arguments, "tasks") else [getattr(arguments, "name", None) or ""]
    files = [f"{name}.yaml" for name in names if "/" not in name and Path(f"{name}.yaml").is_file()]
    if not files:
        return
    from harness.tasks import mteb_metadata, registry

    declared = {*registry.get_tasks(arguments.tasks_dirs).names(), *mteb_metadata.names()}
    arguments.tasks_dirs = [*arguments.tasks_dirs, *(file for file in files if Path(file).stem not in declared)]


def apply(settings: Settings, top: CommandParser) -> None:
    """Make the settings the defaults of every command that has these options.

    Raises:
        HarnessError: an option does not exist, may not stand in a file, or has another value.
    """
    commands = {words: command for words, command in all_parsers(top) if not command.is_group}
    values = {}
    for name, value in settings.options.items():
        if name in _ASKED_EACH_TIME:
            raise HarnessError(f"{settings.file}: [options] {name}: cannot stand in a file; say it with each command")
        actions = {option.removeprefix("--"): action for option, action in commands["run"].long_options().items()}
        if name not in actions:
            allowed = sorted({*actions} - {*_ASKED_EACH_TIME})
            raise UnknownName.of(f"option of `harness run` in {settings.file}", name, allowed)
        values[name] = _value(settings, actions[name], name, value)
    for command in commands.values():
        for option, action in command.long_options().items():
            name = option.removeprefix("--")
            if name in values:
                command.set_defaults(**{action.dest: values[name]})
            elif name == "tasks-dir" and settings.tasks:
                command.set_defaults(**{action.dest: list(settings.tasks)})


def _below(file: Path, entry: str) -> str:
    return str(file.parent / expanded(entry))


def _value(settings: Settings, action: argparse.Action, name: str, value: Any) -> Any:
    """A value of the file as the option reads it from the command line."""
    where = f"{settings.file}: [options] {name}"
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise HarnessError(f"{where}: found {value!r}; expected true or false")
        return action.const if value else action.default
    if isinstance(value, bool | dict):
        raise HarnessError(f"{where}: found {value!r}; expected what --{name} takes")
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    try:
        parsed = action.type(text) if callable(action.type) else text
    except (argparse.ArgumentTypeError, ValueError) as err:
        raise HarnessError(f"{where}: {err}") from err
    if action.choices is not None and parsed not in action.choices:
        raise HarnessError(f"{where}: found {text!r}; expected {', '.join(map(str, action.choices))}")
    return parsed
