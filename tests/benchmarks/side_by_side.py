"""mteb and harness on the same tasks, one after the other in one process; prints one JSON line a task.

Usage: python side_by_side.py MODEL_FOLDER TASK[:split[:subset,subset]] ...

Both have their data in the cache before the clock starts, and their imports behind them; neither has any vectors. mteb
runs with its defaults. Each task is a fresh one for mteb, and so is each subset of a clustering task, whose generator
would otherwise make the numbers depend on what ran before.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def theirs(model: Any, task: Any) -> tuple[float, dict[str, float]]:
    """Seconds of `mteb.evaluate`, and main score by part."""
    import mteb
    from mteb.cache import ResultCache

    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        found = mteb.evaluate(
            model, [task], cache=ResultCache(folder), overwrite_strategy="always", show_progress_bar=False
        )
        seconds = time.perf_counter() - started
    (result,) = found.task_results
    scores = {
        f"{split}/{entry['hf_subset']}": entry["main_score"]
        for split, entries in result.scores.items()
        for entry in entries
    }
    return seconds, scores


def ours(folder: str, name: str, splits: list[str] | None, subsets: list[str] | None, **options: Any) -> Any:
    """Seconds of `harness.run`, main score by part, and seconds by phase."""
    import harness

    with tempfile.TemporaryDirectory() as results:
        started = time.perf_counter()
        (record,) = harness.run(
            folder, [name], splits=splits, languages=subsets, results=results, device="cpu", **options
        )
        seconds = time.perf_counter() - started
    scores = {f"{part.split}/{part.subset}": entry["main_score"] for part, entry in record.parts.items()}
    phases: dict[str, float] = {}
    for part in record.harness["parts"].values():
        for phase, value in part["seconds"].items():
            phases[phase] = round(phases.get(phase, 0) + value, 2)
    return seconds, scores, phases


def main(folder: str, *wanted: str) -> None:
    """Run them all."""
    import mteb
    from sentence_transformers import SentenceTransformer

    import harness

    os.environ["HARNESS_CACHE"] = tempfile.mkdtemp()
    model = SentenceTransformer(folder, device="cpu")
    model.encode(["warm"] * 64)
    harness.run(folder, suite="mini", results=tempfile.mkdtemp(), device="cpu")  # imports, and the first use of each
    for name in wanted:
        task_name, _, rest = name.partition(":")
        split_names, _, subset_names = rest.partition(":")
        splits, subsets = (
            split_names.split(",") if split_names else None,
            subset_names.split(",") if subset_names else None,
        )
        groups = [[one] for one in subsets] if subsets and "Clustering" in task_name else [subsets]
        mteb_seconds, mteb_scores = 0.0, {}
        for group in groups:
            task = mteb.get_task(task_name, eval_splits=splits, hf_subsets=group)
            task.load_data()
            task = mteb.get_task(task_name, eval_splits=splits, hf_subsets=group)
            seconds, scores = theirs(model, task)
            mteb_seconds, mteb_scores = mteb_seconds + seconds, mteb_scores | scores
        ours("baseline/hashing", task_name, splits, subsets)  # fetches the data
        seconds, scores, phases = ours(folder, task_name, splits, subsets)
        again, warm_scores, _ = ours(folder, task_name, splits, subsets, overwrite=True)
        print(
            json.dumps(
                {
                    "task": name,
                    "mteb": round(mteb_seconds, 2),
                    "harness": round(seconds, 2),
                    "again": round(again, 2),
                    "ratio": round(mteb_seconds / seconds, 2),
                    "ratio_again": round(mteb_seconds / again, 1),
                    "difference": max(abs(mteb_scores[part] - score) for part, score in scores.items()),
                    "identical_again": warm_scores == scores,
                    "phases": phases,
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main(*sys.argv[1:])
