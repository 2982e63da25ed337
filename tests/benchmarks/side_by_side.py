"""mteb and harness on the same tasks, three times in turn, each in a process of its own; a JSON line of medians a task.

Usage: python side_by_side.py MODEL_FOLDER TASK[:split[:subset,subset]] ...

Both have their data in the cache before the clock starts, and their imports behind them; neither has any vectors. Both
load the model from disk for each task. mteb runs with its defaults. Each task is a fresh one for mteb, and so is each
subset of a clustering task, whose generator would otherwise make the numbers depend on what ran before. Two processes,
because what either does to its process (threads, caches) must not help or hinder the other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks import clocks


class Wanted(NamedTuple):
    """A task and what of it."""

    name: str
    splits: list[str] | None
    subsets: list[str] | None

    @classmethod
    def of(cls, text: str) -> Wanted:
        name, _, rest = text.partition(":")
        splits, _, subsets = rest.partition(":")
        return cls(name, splits.split(",") if splits else None, subsets.split(",") if subsets else None)


def mteb_worker(folder: str) -> Callable[[Wanted], dict[str, Any]]:
    """Measures `mteb.evaluate`."""
    import mteb
    from mteb.cache import ResultCache
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(folder, device="cpu").encode(["warm"] * 64)

    def measure(wanted: Wanted) -> dict[str, Any]:
        each = wanted.subsets is not None and "Clustering" in wanted.name
        groups = [[one] for one in wanted.subsets or ()] if each else [wanted.subsets]
        started = time.perf_counter()
        model = SentenceTransformer(folder, device="cpu")
        seconds, scores = time.perf_counter() - started, {}
        for group in groups:
            mteb.get_task(wanted.name, eval_splits=wanted.splits, hf_subsets=group).load_data()
            task = mteb.get_task(wanted.name, eval_splits=wanted.splits, hf_subsets=group)
            with tempfile.TemporaryDirectory() as cache:
                started = time.perf_counter()
                found = mteb.evaluate(
                    model, [task], cache=ResultCache(cache), overwrite_strategy="always", show_progress_bar=False
                )
                seconds += time.perf_counter() - started
            for split, entries in found.task_results[0].scores.items():
                scores |= {f"{split}/{entry['hf_subset']}": entry["main_score"] for entry in entries}
        return {"seconds": seconds, "scores": scores}

    return measure


def harness_worker(folder: str) -> Callable[[Wanted], dict[str, Any]]:
    """Measures `harness.run`, twice: without and with cached vectors."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does
    os.environ["HARNESS_CACHE"] = tempfile.mkdtemp()
    import harness
    from harness.encoding import cache_upkeep
    from harness.models import token_ids

    harness.run(folder, suite="mini", results=tempfile.mkdtemp(), device="cpu")  # imports, and the first use of each

    def run(model: str, wanted: Wanted) -> Any:
        started = time.perf_counter()
        (record,) = harness.run(
            model,
            [wanted.name],
            splits=wanted.splits,
            languages=wanted.subsets,
            results=tempfile.mkdtemp(),
            device="cpu",
        )
        return time.perf_counter() - started, record

    def measure(wanted: Wanted) -> dict[str, Any]:
        run("baseline/hashing", wanted)  # fetches the data
        cache_upkeep.clear()
        token_ids._KEPT = token_ids._RecentIds()
        seconds, record = run(folder, wanted)
        again, warm = run(folder, wanted)
        scores = {f"{part.split}/{part.subset}": entry["main_score"] for part, entry in record.parts.items()}
        phases: dict[str, float] = {}
        for part in record.harness["parts"].values():
            for phase, value in part["seconds"].items():
                phases[phase] = round(phases.get(phase, 0) + value, 2)
        identical = record.scores == warm.scores
        return {"seconds": seconds, "again": again, "scores": scores, "identical": identical, "phases": phases}

    return measure


WORKERS = {"mteb": mteb_worker, "harness": harness_worker}


def work(kind: str, folder: str) -> None:
    """Answer each line on standard input, a task, with a line of JSON."""
    measure = WORKERS[kind](folder)
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(measure(Wanted.of(line.strip()))), flush=True)


class Worker:
    """One side, in its own process."""

    def __init__(self, kind: str, folder: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--worker", kind, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )
        self._answer(lambda line: line == "ready")

    def measure(self, task: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        print(task, file=self._process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._answer(lambda line: line.startswith("{")))
        return answer

    def _answer(self, is_it: Callable[[str], bool]) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if is_it(line.strip()):
                return line
        raise SystemExit("a worker has died")


def main(folder: str, *tasks: str) -> None:
    """Run them all."""
    theirs, ours = Worker("mteb", folder), Worker("harness", folder)
    for task in tasks:
        measured = clocks.pairs(lambda task=task: theirs.measure(task), lambda task=task: ours.measure(task))
        row = {
            "task": task,
            "mteb": round(clocks.median([their["seconds"] for their, _ in measured]), 2),
            "harness": round(clocks.median([our["seconds"] for _, our in measured]), 2),
            "again": round(clocks.median([our["again"] for _, our in measured]), 2),
            "ratio": round(clocks.median([their["seconds"] / our["seconds"] for their, our in measured]), 2),
            "ratio_again": round(clocks.median([their["seconds"] / our["again"] for their, our in measured]), 1),
            "difference": max(
                abs(their["scores"][part] - score) for their, our in measured for part, score in our["scores"].items()
            ),
            "identical_again": all(our["identical"] for _, our in measured),
            "phases": measured[-1][1]["phases"],
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--worker":
        work(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
