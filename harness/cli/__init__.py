"""The command `harness`: the only room that prints or exits, with one file for each group of subcommands.

Exit status: 0 success; 1 some cell failed and the others are recorded; 2 the request was wrong; 130 interrupted.
`harness nightly` also uses 3: an alert.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import harness
from harness.cli import (
    cache,
    card,
    compare,
    completion,
    config,
    doctor,
    guide,
    history,
    leaderboard,
    models,
    nightly,
    prefetch,
    results,
    run,
    settings_file,
    standard_output,
    suites,
    table,
    tasks,
    view,
)
from harness.cli.command_parser import CommandParser, all_parsers
from harness.cli.examples import EXAMPLES
from harness.cli.process_variables import default_variables
from harness.errors import HANDLING, HarnessError, kind_of
from harness.files import disk_errors, log_lines
from harness.hub.offline import offline_mode


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    with standard_output.usable():
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
    # Threads of OpenMP that spin while they wait take the processors from others: 3 times slower, measured. The
    # library reads the variable when it is loaded.
    scope = default_variables(OMP_WAIT_POLICY="PASSIVE")
    try:
        try:
            given = sys.argv[1:] if argv is None else argv
            settings, top = settings_file.read(Path.cwd(), arguments=given), parser()
            settings_file.apply(settings, top)
            arguments = top.parse_args(given)
        finally:
            sys.stdout.flush()  # after --help, which leaves at once
        if settings.results and not os.environ.get("HARNESS_RESULTS"):
            scope = default_variables(OMP_WAIT_POLICY="PASSIVE", HARNESS_RESULTS=settings.results)
        with scope, log_lines.passed_on(_tell), offline_mode(on=getattr(arguments, "offline", False)):
            settings_file.add_working_folder(arguments)
            status = int(arguments.do(arguments))
        sys.stdout.flush()
        return status
    except HarnessError as err:
        print(f"harness: {err}", file=sys.stderr)
        return HANDLING[err.kind].exit_status
    except KeyboardInterrupt:
        print("harness: interrupted; finished records are kept", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader closed the pipe, as `head` does
        standard_output.leave_behind()
        return 0
    except OSError as err:
        if not standard_output.was_lost(err):
            print(f"harness: {disk_errors.sentence(err)}", file=sys.stderr)
            return HANDLING[kind_of(err, otherwise="request")].exit_status
        standard_output.leave_behind()
        print(f"harness: standard output cannot be written: {err.strerror}; what was recorded is kept", file=sys.stderr)
        return standard_output.EXIT_STATUS
    except MemoryError:
        print("harness: not enough memory; end other programs or raise the limit, and run again", file=sys.stderr)
        return HANDLING["resource"].exit_status


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def parser() -> CommandParser:
    """The whole command line."""
    top = CommandParser(
        prog="harness",
        description="Benchmark text-embedding models with mteb's scores.",
        epilog="Without arguments, `harness run` benchmarks the bundled model on the suite `mini`.",
    )
    top.add_argument("--version", action="version", version=f"embedding-harness {harness.__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    for group in (
        run,
        prefetch,
        tasks,
        suites,
        models,
        results,
        table,
        leaderboard,
        view,
        compare,
        nightly,
        history,
        card,
        cache,
        config,
        doctor,
        guide,
    ):
        group.add(commands)
    completion.add(commands, top)
    for words, command in all_parsers(top):
        command.examples = EXAMPLES.get(words, ())
        if command.is_group:
            command.set_defaults(do=_help_of(command))
    return top


def _help_of(group: CommandParser) -> Callable[[argparse.Namespace], int]:
    """Print the help of a group that was named without a command."""

    def show(arguments: argparse.Namespace) -> int:
        group.print_help()
        return 0

    return show
