"""The parser of a command: options and names in any order, short usage lines, advice on unknown options."""

from __future__ import annotations

import argparse
import difflib
import functools
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

# Options of other programs, and what a command here calls the same thing.
_ELSEWHERE = {
    "--limit": ("--max-texts",),
    "--model": (),
    "--models": (),
    "--model-name": (),
    "--model_args": (),
    "-m": (),
    "--task": ("--tasks", "--suite"),
    "--benchmark": ("--suite",),
    "--benchmarks": ("--suite",),
    "-o": ("--output", "--results", "--to"),
    "--output": ("--results", "--to"),
    "--output-dir": ("--output", "--results", "--to"),
    "--output-folder": ("--output", "--results", "--to"),
    "--batch-size": ("--batch-tokens",),
    "--dtype": ("--precision",),
    "--torch-dtype": ("--precision",),
    "--gpu": ("--device",),
    "--max-seq-length": ("--max-length",),
    "--force": ("--overwrite",),
    "--dry-run": ("--plan",),
    "--no-cache": ("--store",),
}


class CommandParser(argparse.ArgumentParser):
    """argparse, with names allowed after options (`run A -t X B`) and unknown options answered by their own command.

    Attributes:
        examples: command lines that end the help.
    """

    examples: Sequence[str] = ()
    _intermixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse a command; unlike argparse, nothing unknown is left over for the parser above."""
        if self._intermixing or self.is_group:
            return super().parse_known_args(args, namespace)
        words = list(args or ())
        self._refuse_habits(words)
        self._intermixing = True
        try:
            namespace, unknown = self.parse_known_intermixed_args(words, namespace)
        finally:
            self._intermixing = False
        if unknown:
            self._refuse(unknown)
        return namespace, []

    def format_usage(self) -> str:
        """One line, such as `usage: harness run [MODEL ...] [options]`."""
        return f"usage: {self._usage()}\n"

    def format_help(self) -> str:
        """The help, which starts with the short usage line (the options are listed below it) and ends with examples."""
        self.usage = self._usage()
        examples = ["\nexamples:\n", *(f"  {line}\n" for line in self.examples)] if self.examples else []
        return super().format_help() + "".join(examples)

    def _get_formatter(self) -> argparse.HelpFormatter:
        # argparse makes one for each argument that is declared, and each would ask the terminal for its width again.
        return OptionsInOneColumn(self.prog, width=_width())

    def error(self, message: str) -> NoReturn:
        """Print the usage line and what is wrong, and exit with status 2."""
        self.exit(2, f"{self.format_usage()}{self.prog}: error: {message}\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print a message; unlike argparse, fail where standard output cannot be written."""
        if file is not sys.stdout:
            super()._print_message(message, file)
        elif message:
            file.write(message)

    @property
    def is_group(self) -> bool:
        """Whether commands stand below this one."""
        return any(isinstance(action, argparse._SubParsersAction) for action in self._actions)

    def long_options(self) -> dict[str, argparse.Action]:
        """The options that begin with two dashes, in the order in which they are declared."""
        return {option: action for option, action in self._option_string_actions.items() if option.startswith("--")}

    def _usage(self) -> str:
        return (self.usage or self._short_usage()).strip()

    def _short_usage(self) -> str:
        if self.is_group:
            return f"{self.prog} COMMAND [options]"
        shown = [action for action in self._actions if action.required or not action.option_strings]
        words = [_usage_of(action) for action in shown if action.help != argparse.SUPPRESS]
        return " ".join([self.prog, *words, "[options]"])

    def _refuse_habits(self, words: Sequence[str]) -> None:
        """Refuse options of other programs, some of which argparse would take for a prefix of ours."""
        for word in words:
            if word == "--":
                return
            option = word.partition("=")[0]
            if option in _ELSEWHERE and option not in self._option_string_actions:
                self._refuse([option])

    def _refuse(self, unknown: Sequence[str]) -> NoReturn:
        option = next((word.partition("=")[0] for word in unknown if word.startswith("-")), None)
        if option is None:
            self.error(f"unexpected argument {unknown[0]!r}; {self.prog} --help shows what it takes")
        self.error(f"unknown option {option}; {self._advice(option)}")

    def _advice(self, option: str) -> str:
        see = f"{self.prog} --help lists the options"
        if option in _ELSEWHERE and not _ELSEWHERE[option]:
            named = [action for action in self._actions if not action.option_strings]
            return f"models are named without an option: {self._short_usage()}" if named else see
        same = [name for name in _ELSEWHERE.get(option, ()) if name in self._option_string_actions]
        near = same or difflib.get_close_matches(option.replace("_", "-"), self.long_options(), n=1, cutoff=0.6)
        return f"did you mean {' or '.join(near)}? {see}" if near else see


class OptionsInOneColumn(argparse.HelpFormatter):
    """argparse's formatter, with the value of an option said once: `-t, --tasks TASK,...`."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        shown = super()._format_action_invocation(action)
        if len(action.option_strings) < 2 or action.nargs == 0:
            return shown
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


@functools.cache
def _width() -> int:
    return shutil.get_terminal_size().columns - 2


def all_parsers(parser: CommandParser, words: str = "") -> Iterator[tuple[str, CommandParser]]:
    """Every command and group of commands by its words, such as `card write`; the parser itself first."""
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, command in action.choices.items():
                yield from all_parsers(command, f"{words} {word}".strip())


def _usage_of(action: argparse.Action) -> str:
    name = str(action.metavar or action.dest.upper())
    words = {"*": f"[{name} ...]", "+": f"{name} [{name} ...]", "?": f"[{name}]"}
    shown = words.get(str(action.nargs), name)
    return f"{action.option_strings[0]} {shown}" if action.option_strings else shown
