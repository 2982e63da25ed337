"""`harness completion`: a script that completes commands and options in a shell, made from the parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from harness.cli.command_parser import CommandParser, all_parsers

SHELLS = ("bash", "zsh", "fish")
_HOW = {
    "bash": 'eval "$(harness completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(harness completion zsh)"    # in ~/.zshrc',
    "fish": "harness completion fish | source    # in ~/.config/fish/config.fish",
}


def add(commands: Any, top: CommandParser) -> None:
    """Declare the command, which completes all that `top` declares."""
    command = commands.add_parser(
        "completion",
        help="print a script that completes commands and options in a shell",
        description="Print a script that completes commands, options and their choices. To use it: "
        + "; ".join(line.partition("#")[0].strip() + f" ({shell})" for shell, line in _HOW.items()),
    )
    command.add_argument("shell", choices=SHELLS, help="the shell")

    def do(args: argparse.Namespace) -> int:
        print(script(top, args.shell), end="")
        return 0

    command.set_defaults(do=do)


def script(top: CommandParser, shell: str) -> str:
    """The script for a shell, ending in a newline."""
    if shell == "fish":
        return "".join(f"{line}\n" for line in _fish(top))
    before = "autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return before + "".join(f"{line}\n" for line in _bash(top))


def _bash(top: CommandParser) -> Iterator[str]:
    """A function that looks the words so far up in a table of commands, and then of the choices of an option."""
    parsers = dict(all_parsers(top))
    yield "_harness() {"
    yield '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" command="${COMP_WORDS[1]}"'
    yield '  case "$command" in'
    yield f"    {'|'.join(words for words, parser in parsers.items() if words and parser.is_group)})"
    yield '      ((COMP_CWORD > 2)) && command="$command ${COMP_WORDS[2]}" ;;'
    yield "  esac"
    yield '  ((COMP_CWORD == 1)) && command=""'
    yield '  case "$command $before" in'
    for words, parser in parsers.items():
        for action in parser._actions:
            if action.choices is not None and action.option_strings:
                names = "|".join(f"'{words} {option}'" for option in action.option_strings)
                choices = " ".join(map(str, action.choices))
                yield f"""    {names}) COMPREPLY=($(compgen -W '{choices}' -- "$word")); return ;;"""
    yield "  esac"
    yield '  case "$command" in'
    for words, parser in parsers.items():
        yield f"""    '{words}') COMPREPLY=($(compgen -W '{" ".join(_words(parser))}' -- "$word")) ;;"""
    yield "  esac"
    yield "}"
    yield "complete -o default -F _harness harness"


def _fish(top: CommandParser) -> Iterator[str]:
    yield "complete -c harness -f -n __fish_use_subcommand"
    for words, parser in all_parsers(top):
        seen = (
            " ; and ".join(f"__fish_seen_subcommand_from {word}" for word in words.split()) or "__fish_use_subcommand"
        )
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for choice in action._choices_actions:
                    yield f"complete -c harness -n '{seen}' -a {choice.dest} -d {_quoted(choice.help)}"
                continue
            long = [option.removeprefix("--") for option in action.option_strings if option.startswith("--")]
            short = [option.removeprefix("-") for option in action.option_strings if not option.startswith("--")]
            if not long or action.help == argparse.SUPPRESS:
                continue
            names = f"-l {long[0]}" + (f" -s {short[0]}" if short else "")
            choices = f" -x -a '{' '.join(map(str, action.choices))}'" if action.choices is not None else ""
            value = "" if action.nargs == 0 or choices else " -r"
            yield f"complete -c harness -n '{seen}' {names}{value}{choices} -d {_quoted(action.help)}"


def _words(parser: CommandParser) -> Iterator[str]:
    """What may follow: commands, options, and the choices of arguments."""
    for action in parser._actions:
        if action.help != argparse.SUPPRESS:
            yield from (option for option in action.option_strings if option.startswith("--"))
        if action.choices is not None and not action.option_strings:
            yield from map(str, action.choices)


def _quoted(text: str | None) -> str:
    """A help text as one word of fish."""
    plain = (text or "").replace("%%", "%").replace("\\", "\\\\").replace("'", "\\'")
    return f"'{plain}'"
