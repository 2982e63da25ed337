"""(e) Limits on the size of files, on open files and on memory, at every height; then the command runs again."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.faults import children, crashes
from tests.faults.outcomes import Fault

TITLE = "limits on files, sizes and memory"


def faults(chance: random.Random, folder: Path) -> Iterator[Fault]:
    """Faults without end."""
    base, place = folder / "base", folder / "place"
    crashes.prepare(base)
    shutil.copytree(base, place)
    cases = crashes.cases()
    children.warm([case.arguments for case in cases], folder=place)
    wanted = {}
    for case in cases:
        crashes.renew(base, place)
        assert children.command(case.arguments, folder=place, seconds=60).status == 0, case.name
        wanted[case.name] = case.outcome(place)
    while True:
        case = chance.choice(cases)
        kind, limit = _limit(chance)
        crashes.renew(base, place)
        before = crashes.records(place)

        def limited(kind: str = kind, limit: int = limit) -> None:
            if kind == "memory":
                pages = int(Path("/proc/self/statm").read_text().split()[0])
                limit += pages * resource.getpagesize()
            which = {"size": resource.RLIMIT_FSIZE, "files": resource.RLIMIT_NOFILE, "memory": resource.RLIMIT_AS}[kind]
            resource.setrlimit(which, (limit, limit))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        label = f"{case.name}: {kind} {limit}"
        ended = children.command(case.arguments, folder=place, prepare=limited)
        problem = ended.problem(label)
        if problem and not (kind == "memory" and ended.status in (-signal.SIGABRT, -signal.SIGSEGV)):
            yield problem  # a library that aborts where there is no memory is beyond this program
            continue
        after = crashes.records(place)
        if lost := [name for name, scores in before.items() if after.get(name) != scores]:
            yield Fault(label, "lost", str(lost))
            continue
        again = children.command(case.arguments, folder=place)
        if again.status != 0 or case.outcome(place) != wanted[case.name]:
            yield again.problem(label) or Fault(label, "lost", f"it does not run again: {again.text[-200:]}")
        else:
            yield Fault(label, "right" if ended.status == 0 else "refused")


def _limit(chance: random.Random) -> tuple[str, int]:
    kind = chance.choice(["size", "size", "files", "memory"])
    if kind == "size":
        return kind, chance.choice(
            [2000, 3000, 4096, 10_000, 30_000, 100_000, 2**20]
        )  # what is told goes to a file too
    if kind == "files":
        return kind, len(os.listdir("/proc/self/fd")) + chance.randrange(1, 12)  # noqa: PTH208
    return kind, chance.randrange(1, 200) * 2**20
