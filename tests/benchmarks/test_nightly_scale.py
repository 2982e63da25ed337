"""A night that finds nothing to do, at the size of a large leaderboard."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import results
from harness.nightly import night
from harness.nightly.schedule import night_plan, schedule_models
from harness.results.json_format import to_json
from harness.tasks import registry
from harness.types import Record
from tests import nights
from tests.conftest import ROOT, environment

MODELS, TASKS = 200, 100


def test_nothing_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 models x 100 tasks, all recorded: less than five seconds from the shell."""
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    for number in range(MODELS):
        nights.save_bag_of_words(tmp_path / "models" / f"m{number}", dimensions=4, words=["a", "b"], seed=number)
    known = registry.get_tasks()
    tasks = [name for name in known.names() if len(known.get(name).parts) == 1][:TASKS]
    assert len(tasks) == TASKS
    made = nights.schedule_of(tmp_path, models=[{"glob": "models/*"}], baselines=None, tasks=tasks)
    record_all(
        made.results,
        night_plan.plan_night(made, schedule_models.resolve(made), night_plan.tasks_of(made), now=time.time()),
    )
    assert night.run(made).status == 0
    times = []
    for _ in range(3):
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "harness", "nightly", str(made.file)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        times.append(time.perf_counter() - started)
        assert done.returncode == 0, done.stderr
        assert "othing to do" in done.stdout
    print(f"\n{MODELS} models x {TASKS} tasks with nothing to do: {min(times):.2f} s")
    assert min(times) < 5


def record_all(folder: Path, planned: night_plan.NightPlan) -> None:
    """A record for every cell; most written without the store's care, which would take minutes."""
    places: dict[str, Path] = {}
    assert len(planned.todo) == MODELS * TASKS
    for cell in planned.todo:
        record = Record(
            task=cell.task.name,
            model=cell.model.name,
            revision=cell.model.revision,
            dataset_revision=cell.task.source.revision or "none",
            scores={cell.part.split: [{"main_score": 0.5, "hf_subset": cell.part.subset, "languages": []}]},
            date=1e9,
            harness={"fingerprint": cell.fingerprint, "task_type": cell.task.type, "encoder": {"precision": "fp32"}},
        )
        if cell.model.name not in places:
            places[cell.model.name] = Path(results.put(folder, record, model_meta={}).path).parent
        (places[cell.model.name] / f"{record.task}.json").write_text(to_json(record))
