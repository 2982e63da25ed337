"""`python -m tests.faults`: the campaign. A table of every kind of faults; status 1 where one is bad.

FAULTS_SEED      the seed (default 0)
FAULTS_MINUTES   how long, all kinds together (default 10)
FAULTS_KINDS     letters of the kinds to try (default all)
"""

from __future__ import annotations

import importlib
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from tests.faults import crashes
from tests.faults.outcomes import VERDICTS, Tally

KINDS = {
    "a": "crashes",
    "b": "kept_files",
    "c": "loaders",
    "d": "writers",
    "e": "limits",
    "f": "records",
    "g": "command_lines",
    "h": "secrets",
    "j": "vectors",
    "k": "long_runs",
}
"""Letter -> module; each has a TITLE and a generator `faults`."""
SHARES = {"a": 8, "e": 4, "f": 4, "g": 4, "h": 2}
"""Letter -> its share of the time, where a fault is a command or two; else 1."""
VARIABLES = ("HARNESS_", "HF_", "MTEB_", "OPENAI_", "COHERE_", "VOYAGE_", "GEMINI_", "GOOGLE_")


def main() -> int:
    _preload()
    seed = int(os.environ.get("FAULTS_SEED") or 0)
    minutes = float(os.environ.get("FAULTS_MINUTES") or 10)
    letters = os.environ.get("FAULTS_KINDS") or "".join(KINDS)
    kinds = {letter: name for letter, name in KINDS.items() if letter in letters}
    seconds = 60 * minutes / sum(SHARES.get(letter, 1) for letter in kinds)
    tallies: dict[str, Tally] = {}
    with tempfile.TemporaryDirectory(prefix="faults-") as root:
        _environment(Path(root))
        _warm()
        for letter, name in kinds.items():
            module = importlib.import_module(f"tests.faults.{name}")
            print(f"({letter}) {module.TITLE} ...", file=sys.stderr, flush=True)
            tallies[letter] = _tried(
                module, Path(root), seed=seed, seconds=seconds * SHARES.get(letter, 1), letter=letter
            )
    print(table({f"({letter}) {_title(letter)}": tally for letter, tally in tallies.items()}))
    for letter, tally in tallies.items():
        for fault in tally.examples:
            print(f"({letter}) {fault.verdict}: {fault.case}: {fault.detail}", file=sys.stderr)
    return int(any(tally.is_bad for tally in tallies.values()))


def _preload() -> None:
    """Start this process again with the library of kind (a), where there is a compiler."""
    if "FAULTS_LIBRARY" in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="faults-library-")
    built = crashes.library(Path(folder))
    variables = {**os.environ, "FAULTS_LIBRARY": folder, **({"LD_PRELOAD": str(built)} if built else {})}
    os.execve(sys.executable, [sys.executable, "-m", "tests.faults"], variables)


def _title(letter: str) -> str:
    title: str = importlib.import_module(f"tests.faults.{KINDS[letter]}").TITLE
    return title


def table(tallies: dict[str, Tally]) -> str:
    """kind | tried | right | refused | lost | wrong | traceback | hang."""
    rows = [["kind", "tried", *VERDICTS]]
    rows += [
        [name, str(tally.tried), *(str(tally.counts[verdict]) for verdict in VERDICTS)]
        for name, tally in tallies.items()
    ]
    total = [str(sum(int(row[column]) for row in rows[1:])) for column in range(1, len(rows[0]))]
    rows.append(["all", *total])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        " | ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        )
        for row in rows
    )


def _environment(root: Path) -> None:
    """An environment without anything of whoever runs this, with a hub that is nobody."""
    for name in [name for name in os.environ if name.startswith(VARIABLES)]:
        del os.environ[name]
    os.environ |= {
        "HARNESS_CACHE": str(root / "cache"),
        "HF_HOME": str(root / "hf"),
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HOME": str(root),
        "NO_COLOR": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


def _warm() -> None:
    """Import what most commands need, so that a forked child starts at once. Nothing here may start threads."""
    for name in (
        "harness.cli",
        "harness.runner.api",
        "harness.leaderboard.api",
        "harness.outputs.site",
        "numpy",
        "yaml",
    ):
        importlib.import_module(name)


def _tried(module: ModuleType, root: Path, *, seed: int, seconds: float, letter: str) -> Tally:
    """What a process for each processor makes of this kind, each with a seed of its own."""
    workers = []
    for number in range(len(os.sched_getaffinity(0))):
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(reading)
            _work(module, root / f"{letter}{number}", f"{seed} {letter} {number}", seconds, writing)
        os.close(writing)
        workers.append((pid, reading))
    tally = Tally()
    for pid, reading in workers:
        with os.fdopen(reading) as stream:
            text = stream.read()
        _, status = os.waitpid(pid, 0)
        if status or not text:
            raise SystemExit(f"({letter}): a worker of the campaign itself failed")
        tally.add_json(text)
    return tally


def _work(module: ModuleType, folder: Path, seed: str, seconds: float, writing: int) -> None:
    """Try faults until the time is over, and leave the process."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        folder.mkdir(parents=True)
        os.environ["HARNESS_CACHE"] = str(folder / "cache")
        tally, end = Tally(), time.monotonic() + seconds
        for fault in module.faults(random.Random(seed), folder):
            tally.add(fault)
            if time.monotonic() > end:
                break
        with os.fdopen(writing, "w") as stream:
            stream.write(tally.as_json())
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
