"""Commands and functions run in children that are forked from this warm process, so that nothing of them stays."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.faults.outcomes import STATUSES, Fault

SECONDS = 20.0
"""The longest that a command may take; a machine with many others on it is slow."""
DEFECT = 70
"""The status of a child with an exception that left the function."""


class Ended(NamedTuple):
    """How a child ended. `status` is that of the process, -N for signal N, or None where it had to be killed."""

    status: int | None
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    def problem(self, case: str, *, statuses: frozenset[int] = STATUSES) -> Fault | None:
        """The fault, where this is no way to end for a command."""
        last = self.err.strip().splitlines()[-1:] or [""]
        if self.status is None:
            return Fault(case, "hang", self.text[-300:])
        if self.status == DEFECT or "Traceback (most recent call last)" in self.text or self.status not in statuses:
            return Fault(case, "traceback", f"status {self.status}: {last[0][:300]} | {_where(self.text)}")
        return None


def _where(text: str) -> str:
    """The last place of this package in a traceback."""
    places = [line.strip() for line in text.splitlines() if "/harness/" in line and line.strip().startswith("File")]
    return places[-1][-160:] if places else ""


def command(
    arguments: Sequence[str],
    *,
    folder: Path,
    variables: Mapping[str, str | None] = {},
    seconds: float = SECONDS,
    prepare: Callable[[], object] = lambda: None,
) -> Ended:
    """Run `harness ARGUMENTS` in a child, in `folder`, with these environment variables (None: without)."""

    def run() -> int:
        from harness import cli

        os.chdir(folder)
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        prepare()
        return cli.main(list(arguments))

    return call(run, seconds=seconds)


def warm(commands: Iterable[Sequence[str]], *, folder: Path) -> None:
    """Import in this process what these commands import, so that children that run them start at once."""
    note = folder / "modules.txt"

    def imported() -> None:
        note.write_text("\n".join(sys.modules))

    for arguments in commands:

        def run(arguments: Sequence[str] = arguments) -> int:
            from harness import cli

            os.chdir(folder)
            try:
                return cli.main(list(arguments))
            finally:
                imported()

        call(run, seconds=120)
        for name in note.read_text().split("\n") if note.exists() else ():
            if name not in sys.modules and name.partition(".")[0] not in _NOT_BEFORE_FORK:
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
    gc.collect()
    gc.freeze()


_NOT_BEFORE_FORK = ("torch", "mteb", "ray", "datasets", "transformers", "__main__", "__mp_main__")


def call(function: Callable[[], int], *, seconds: float = SECONDS) -> Ended:
    """Run a function in a child; its number is the child's exit status."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            _child(function, out.fileno(), err.fileno())
        status = _wait(pid, seconds)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read(1 << 20).decode(errors="replace"))
        return Ended(status, *texts)


def _child(function: Callable[[], int], out: int, err: int) -> None:
    status = DEFECT
    try:
        os.setpgid(0, 0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (out, 1), (err, 2)):
            os.dup2(source, target)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        try:
            status = function()
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stderr.flush()
        finally:
            os._exit(status)


def _wait(pid: int, seconds: float) -> int | None:
    descriptor = os.pidfd_open(pid)
    try:
        ready, _, _ = select.select([descriptor], [], [], seconds)
    finally:
        os.close(descriptor)
    if not ready:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) if ready else None


def batch(function: Callable[[], Fault], times: int, *, seconds: float = 120.0) -> Iterator[Fault]:
    """What a function says `times` times in one child, and how the child ended where it did not end well."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as told:

        def run() -> int:
            with open(told.name, "w", encoding="utf-8") as out:  # noqa: PTH123
                for _ in range(times):
                    print(json.dumps(function()), file=out, flush=True)
            return 0

        ended = call(run, seconds=seconds)
        lines = [json.loads(line) for line in told.read().splitlines()]
    yield from (Fault(*line) for line in lines)
    if ended.status is None:
        yield Fault(f"after {len(lines)}", "hang")
    elif ended.status:
        yield Fault(f"after {len(lines)}", "traceback", f"status {ended.status}: {ended.err[-300:]}")
