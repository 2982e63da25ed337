"""The same wish makes the same plan, whoever asks: the command, the Python API, `card verify`, a night."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import harness as api
from harness import cli, results
from harness.cards.verify import RunSettings, verify
from harness.nightly.schedule import night_plan, schedule_models
from harness.runner import execution
from harness.runner import plan as planning
from harness.runner.cells import Cell, Plan
from harness.types import Record
from tests import nights
from tests.conftest import environment

TASKS = ["MiniSTSEnglish", "MiniSTSGerman", "MiniAnswersEnglish"]
RECORDED, OUT_OF_DATE = TASKS[:2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model in it."""
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    nights.save_bag_of_words(tmp_path / "mine", dimensions=4, words=["a", "b"])
    return tmp_path


def card(folder: Path) -> Path:
    """A card that claims something about each of the tasks."""
    claims = [
        {
            "task": {"type": "STS"},
            "dataset": {"name": name, "type": name, "config": "default", "split": "test"},
            "metrics": [{"type": "main_score", "value": 50.0}],
        }
        for name in TASKS
    ]
    path = folder / "README.md"
    path.write_text(f"---\n{yaml.safe_dump({'model-index': [{'name': 'mine', 'results': claims}]})}---\n")
    return path


def askers(home: Path, precision: Any) -> dict[str, Callable[[], Any]]:
    """Who asks -> how the wish is said there."""
    model, folder = str(home / "mine"), str(home / "results")
    schedule = nights.schedule_of(
        home, models=["./mine"], baselines=None, tasks=TASKS, precisions=[precision], results="results"
    )
    command = ["run", model, "-t", ",".join(TASKS), "--precision", precision, "--results", folder, "--plan"]
    return {
        "command": lambda: cli.main(command),
        "API": lambda: api.run(model, TASKS, precision=precision, results=folder),
        "card verify": lambda: verify(card(home), model=model, run=RunSettings(results=folder, precision=precision)),
        "night": lambda: night_plan.plan_night(
            schedule, schedule_models.resolve(schedule), night_plan.tasks_of(schedule), now=time.time()
        ),
    }


def planned_by(ask: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan that is made when `ask` is called; nothing of it is carried out."""
    plans: list[Plan] = []
    real = planning.plan

    def kept(request: Any, **options: Any) -> Plan:
        plans.append(real(request, **options))
        return Plan(())

    with monkeypatch.context() as patched:
        for module in (planning, execution, night_plan):
            patched.setattr(module, "plan", kept)
        ask()
    [plan] = plans
    return plan


def facts(cells: list[Cell]) -> list[Any]:
    """All that decides what is measured and where it is recorded."""
    return [
        (
            *(cell.model, cell.task.name, cell.part, cell.options, cell.transform, cell.max_texts),
            *(cell.precision, cell.variant, cell.fingerprint, cell.why),
        )
        for cell in cells
    ]


def record(folder: Path, cell: Cell, *, fingerprint: str) -> None:
    results.put(
        folder,
        Record(
            task=cell.task.name,
            model=cell.model.name,
            revision=cell.model.revision,
            variant=cell.variant,
            dataset_revision="1",
            scores={cell.part.split: [{"main_score": 0.5, "hf_subset": cell.part.subset, "languages": ["eng-Latn"]}]},
            harness={"fingerprint": fingerprint, "encoder": {"precision": "fp16"}, "task_type": cell.task.type},
        ),
        model_meta={},
    )


@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_one_wish_one_plan(precision: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All four plan the same cells under the same fingerprints, to do for the same reasons, before and after records
    are there; the night, which asks the leaderboard's index, finds up to date what a run finds in the records."""
    before = {name: planned_by(ask, monkeypatch) for name, ask in askers(home, precision).items()}
    cells = {cell.task.name: cell for cell in before["command"].todo}
    assert list(cells) == TASKS
    assert {cell.variant for cell in cells.values()} == {"" if precision == "auto" else "precision=bf16"}
    for name, plan in before.items():
        assert facts(plan.todo) == facts(before["command"].todo), name
        assert not any(cells.done for cells in plan.task_cells), name
    record(home / "results", cells[RECORDED], fingerprint=cells[RECORDED].fingerprint)
    record(home / "results", cells[OUT_OF_DATE], fingerprint="another")
    after = {name: planned_by(ask, monkeypatch) for name, ask in askers(home, precision).items()}
    assert [(cell.task.name, cell.why) for cell in after["command"].todo] == [
        (OUT_OF_DATE, f"recorded in fp16, now {cells[OUT_OF_DATE].precision}"),
        (TASKS[2], "not recorded yet"),
    ]
    for name, plan in after.items():
        assert facts(plan.todo) == facts(after["command"].todo), name
        assert facts(recorded(plan)) == facts(recorded(after["command"])), name
        assert [cell.task.name for cell in recorded(plan)] == [RECORDED], name


def recorded(plan: Plan) -> list[Cell]:
    return [cells.cell(part) for cells in plan.task_cells for part in cells.done]
