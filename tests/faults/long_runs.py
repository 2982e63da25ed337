"""(k) Long runs: many cells in one process leave nothing behind, and give the same scores to the last."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

from tests.faults import children
from tests.faults.outcomes import Fault

TITLE = "many cells in one process"
TASKS = ("MiniSTSGerman", "MiniAnswersGerman", "MiniSTSEnglish")
CELLS = 60
SETTLED = 15
"""Cells after which a process holds all that it will hold."""
MORE = {"files": 3, "threads": 8, "mib": 60}
"""How much more it may hold after that; allocators do not give all memory back."""


def faults(chance: random.Random, folder: Path) -> Iterator[Fault]:
    """A fault is one cell; without end."""
    children.warm([["run", "baseline/hashing", "-t", ",".join(TASKS), "--results", "warm"]], folder=folder)
    number = 0
    while True:
        number += 1
        cells = _Cells(folder / f"results{number}")
        yield from children.batch(cells.next, CELLS, seconds=600)


class _Cells:
    """The cells of one process."""

    def __init__(self, results: Path) -> None:
        self.results, self.first, self.number = results, dict[str, float](), 0
        self.held: dict[str, int] = {}

    def next(self) -> Fault:
        """Compute a cell, and look at what the process holds."""
        import harness

        task = TASKS[self.number % len(TASKS)]
        self.number += 1
        [record] = harness.run("baseline/hashing", [task], results=self.results, overwrite=True)
        score = record.scores["test"][0]["main_score"]
        label = f"cell {self.number}, {task}"
        if self.first.setdefault(task, score) != score:
            return Fault(label, "wrong", f"{score} instead of {self.first[task]}")
        now = _held()
        if self.number == SETTLED:
            self.held = now
        if any(now[name] > count + MORE[name] for name, count in self.held.items()):
            return Fault(label, "wrong", f"holds {now}, held {self.held}")
        return Fault(label, "right")


def _held() -> dict[str, int]:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files, threads = (len([*Path("/proc/self", name).iterdir()]) for name in ("fd", "task"))
    return {"files": files, "threads": threads, "mib": pages * os.sysconf("SC_PAGESIZE") // 2**20}
