"""A task type is one file and one row: everything else takes it as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import harness
from harness import cli, data
from harness.errors import SpecError
from harness.evaluators import KINDS
from harness.results.items import get_items
from harness.tasks import registry
from tests import toy_task_type

TASK = """\
name: OddTickets
type: OddOneOut
description: Tickets and what they are about.
source: {kind: local, path: tickets.jsonl}
splits: [test]
columns: {near: same}
main_metric: solved
settings: {margin: 0.01}
subsets: {default: [eng-Latn]}
"""
ROWS = [
    {"text": "the red apple", "same": "a red apple", "odd": "my invoice is wrong"},
    {"text": "the parcel is late", "same": "late parcel", "odd": "a red apple"},
    {"text": "reset the password", "same": "password reset", "odd": "the parcel is late"},
    {"text": "colours", "same": "wavelengths", "odd": "colour charts"},
]


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a task of the toy type, which is known for the time of a test."""
    monkeypatch.setitem(KINDS, "OddOneOut", toy_task_type.KIND)
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "OddTickets.yaml").write_text(TASK)
    (folder / "tickets.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return folder


def alike(texts: list[str]) -> np.ndarray:
    """A model to which all texts are the same."""
    return np.ones((len(texts), 4), np.float32)


def run(tasks: Path, results: Path) -> list[harness.Record]:
    return harness.run(["baseline/hashing", alike], "OddTickets", tasks_dirs=[tasks], results=results)


def test_a_task_of_a_new_type_is_run_and_recorded(tasks: Path, tmp_path: Path) -> None:
    """The task file with a setting and a column of its own gives a record with the type's score and items."""
    record, other = run(tasks, tmp_path / "results")
    entry = record.scores["test"][0]
    assert (entry["main_score"], entry["solved"]) == (0.75, 0.75)
    assert record.harness["task_type"] == "OddOneOut"
    assert record.harness["parts"]["test"]["rows"] == {"test": 4}
    assert record.harness["parts"]["test"]["texts"] == 12
    assert other.scores["test"][0]["main_score"] == 0
    stored = get_items(record)
    assert stored is not None
    [items] = stored.values()
    assert items.columns["value"].tolist() == [1, 1, 1, 0]


def test_a_new_type_has_a_column_and_a_comparison(
    tasks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its mean is a column of the leaderboard, and two models are compared item by item, with their texts."""
    results = tmp_path / "results"
    run(tasks, results)
    board = harness.rank(tasks="OddTickets", results=results, tasks_dirs=[tasks])
    assert board.types == ("OddOneOut",)
    by_model = {row.who.model: row.by_type["OddOneOut"] for row in board.rows}
    assert by_model == {"baseline/hashing": 0.75, "python/alike": 0}
    compared = harness.compare("baseline/hashing", "python/alike", results=results, tasks_dirs=[tasks])
    [difference] = compared.tasks
    assert (difference.type, difference.difference, difference.n) == ("OddOneOut", 0.75, 4)
    models = ["baseline/hashing", "python/alike"]
    folders = ["--results", str(results), "--tasks-dir", str(tasks)]
    assert cli.main(["compare", *models, "--items", "1", *folders]) == 0
    assert "[0] the red apple | a red apple (odd: my invoice is wrong)" in capsys.readouterr().out


def test_records_of_a_new_type_are_exported(tasks: Path, tmp_path: Path) -> None:
    """They are read by mteb and written as JSON of Every Eval Ever, with the interval of their score."""
    pytest.importorskip("mteb")
    results, target = tmp_path / "results", tmp_path / "out"
    run(tasks, results)
    export = [
        "results",
        "export",
        "--output",
        str(target),
        "--results",
        str(results),
        "--organization",
        "Some Lab",
        "--format",
    ]
    assert cli.main([*export, "mteb"]) == 0
    assert len(list(target.rglob("OddTickets.json"))) == 2
    assert cli.main([*export, "every-eval-ever"]) == 0
    files = [json.loads(path.read_text()) for path in (target / "data").rglob("*.json")]
    details = {file["model_info"]["id"]: file["evaluation_results"][0]["score_details"] for file in files}
    assert details["baseline/hashing"]["score"] == 0.75
    interval = details["baseline/hashing"]["uncertainty"]["confidence_interval"]
    assert interval["lower"] < 0.75 <= interval["upper"] <= 1


def test_a_task_file_of_a_new_type_is_checked_and_rendered(tasks: Path) -> None:
    """Its settings, columns and metrics are read strictly and written back; a wrong one is named with its line."""
    file = tasks / "OddTickets.yaml"
    task = registry.load_file(file)
    assert task.settings == toy_task_type.TripletSettings(margin=0.01)
    assert dict(task.columns) == {"anchor": "text", "near": "same", "odd": "odd"}
    file.write_text(registry.render(task))
    assert registry.load_file(file) == task
    file.write_text(TASK.replace("margin", "rounds").replace("solved", "accuracy"))
    with pytest.raises(SpecError) as caught:
        registry.load_file(file)
    assert "no OddOneOut metric named 'accuracy'; known: solved" in str(caught.value)
    assert ":8: settings.rounds: expected a whole number" in str(caught.value)


def test_a_new_type_is_sampled_and_proposed(tasks: Path) -> None:
    """Quick mode samples it under another digest, and `tasks new` makes a task of it where the type is named."""
    task = registry.load_file(tasks / "OddTickets.yaml")
    whole = data.load(task, task.parts[0])
    quick = data.limited(task, whole, 2)
    assert isinstance(quick.gold, toy_task_type.Triplets)
    assert len(quick.gold.anchor) == 2
    assert quick.digest != whole.digest
    source = str(tasks / "tickets.jsonl")
    new = ["tasks", "new", "--from", source, "--name", "OtherTickets", "--type", "OddOneOut", "--columns", "near=same"]
    assert cli.main(new) == 0
    assert registry.load_file(tasks / "OtherTickets.yaml").columns == task.columns
