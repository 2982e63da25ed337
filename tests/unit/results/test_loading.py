"""`harness.load_results`: which records it gives, what it refuses, and the table that it makes of them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

import harness
from harness.errors import UnknownName
from harness.types import Part
from tests import boards


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two models; the second has a task with two parts."""
    boards.put(tmp_path, "org/a", "T1", 0.5)
    boards.put(tmp_path, "org/b", "T1", 0.25, revision="r2")
    boards.put(tmp_path, "org/b", "T2", {Part("dev", "de"): 0.75, Part("test", "de"): None}, revision="r2")
    return tmp_path


def test_records_and_refusals(folder: Path) -> None:
    """Iterating gives the records by path; what is not a record stands in `refused` and stops nothing."""
    boards.write(folder / "org__a" / "r1" / "Broken.json", "{")
    loaded = harness.load_results(folder)
    assert [(record.model, record.task) for record in loaded] == [("org/a", "T1"), ("org/b", "T1"), ("org/b", "T2")]
    assert len(loaded) == 3
    assert [Path(refusal.path).name for refusal in loaded.refused] == ["Broken.json"]
    assert "not JSON" in loaded.refused[0].reason


def test_only_what_was_asked_for(folder: Path) -> None:
    """`models` and `tasks` keep the records that fit both; each takes one name or several."""
    assert [record.task for record in harness.load_results(folder, models="org/b")] == ["T1", "T2"]
    assert [record.model for record in harness.load_results(folder, tasks=["T1"])] == ["org/a", "org/b"]
    assert len(harness.load_results(folder, models=["org/a"], tasks="T2")) == 0


def test_the_folder_of_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder it is `$HARNESS_RESULTS`; a folder that does not exist is an error that names it."""
    monkeypatch.setenv("HARNESS_RESULTS", str(folder))
    assert len(harness.load_results()) == 3
    with pytest.raises(UnknownName, match=r"no results folder .*absent"):
        harness.load_results(folder / "absent")


def test_the_table(tmp_path: Path) -> None:
    """A row for each part and a column for each metric with a single value; NaN where a part lacks one."""
    accuracy = {"accuracy": 0.5, "main_score": 0.5, "scores_per_experiment": [{"accuracy": 0.5}]}
    entry = {"hf_subset": "default", "languages": []}
    scores = {"test": [{**accuracy, **entry}], "dev": [{"main_score": None, **entry}]}
    document = {"task_name": "T1", "dataset_revision": "1", "scores": scores}
    boards.write(tmp_path / "org__a" / "r1" / "T1.json", json.dumps(document))
    boards.put(tmp_path, "org/b", "T1", 0.25)
    table = harness.load_results(tmp_path).to_pandas()
    assert list(table) == ["model", "revision", "variant", "task", "split", "subset", "main_score", "accuracy"]
    rows = [(row.model, row.split, row.main_score, row.accuracy) for row in table.itertuples()]
    assert str(rows) == str(
        [("org/a", "test", 0.5, 0.5), ("org/a", "dev", math.nan, math.nan), ("org/b", "test", 0.25, math.nan)]
    )
    assert {str(kind) for kind in table.dtypes[["main_score", "accuracy"]]} == {"float64"}


def test_the_table_of_nothing(tmp_path: Path) -> None:
    """No record gives a table with the usual columns and no row."""
    table = harness.load_results(tmp_path).to_pandas()
    assert (len(table), list(table)[-1]) == (0, "main_score")
