"""The reference run that is committed under results/ is what a run gives now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import harness
from harness import results
from harness.tasks import registry
from harness.types import Record
from tests.conftest import ROOT, bundled_folder

BASELINES = ("baseline/hashing", "baseline/bm25")
REFERENCE = ROOT / "results"


def committed() -> dict[tuple[str, str], Record]:
    found = [item for item in results.scan(REFERENCE) if isinstance(item, Record)]
    return {(record.model, record.task): record for record in found}


def main_scores(record: Record) -> dict[str, Any]:
    return {str(part): entry["main_score"] for part, entry in record.parts.items()}


def test_every_cell_of_mini_is_there() -> None:
    """Fifteen tasks of the bundled model and of hashing, the three retrieval tasks of BM25, and nothing else."""
    tasks = registry.get_tasks().suite("mini").tasks
    answers = [task for task in tasks if task.startswith("MiniAnswers")]
    expected = {(model, task) for model in ("bundled/all-MiniLM-L6-v2", "baseline/hashing") for task in tasks}
    assert set(committed()) == expected | {("baseline/bm25", task) for task in answers}


def test_the_baselines_give_the_reference(tmp_path: Path) -> None:
    """Hashing and BM25 are deterministic: every main score equals the committed one to 1e-6."""
    records = harness.run(BASELINES, suite="mini", results=tmp_path)
    assert len(records) == 18
    for record in records:
        reference = committed()[record.model, record.task]
        assert main_scores(record) == pytest.approx(main_scores(reference), abs=1e-6)


def test_the_model_gives_the_reference(tmp_path: Path) -> None:
    """The bundled model gives the committed scores to 1e-4 on another machine, one task of every quick type."""
    bundled_folder()
    tasks = ["MiniSTSEnglish", "MiniPairsEnglish", "MiniIntentsGerman"]
    for record in harness.run("bundled/all-MiniLM-L6-v2", tasks, results=tmp_path):
        reference = committed()["bundled/all-MiniLM-L6-v2", record.task]
        assert main_scores(record) == pytest.approx(main_scores(reference), abs=1e-4)


def test_the_model_is_clearly_ahead_of_hashing_in_english() -> None:
    """On every English STS, pair, clustering and retrieval task the model leads by at least 0.2."""
    found = committed()
    for task in ("MiniSTSEnglish", "MiniPairsEnglish", "MiniTopicsEnglish", "MiniAnswersEnglish"):
        ahead = results.main_score(found["bundled/all-MiniLM-L6-v2", task])
        behind = results.main_score(found["baseline/hashing", task])
        assert ahead is not None
        assert behind is not None
        assert ahead - behind > 0.2, task


def test_the_records_are_still_valid(tmp_path: Path) -> None:
    """The committed records carry today's fingerprints: a run that finds them computes nothing."""
    import shutil

    folder = tmp_path / "results"
    shutil.copytree(REFERENCE, folder)
    events: list[Any] = []
    harness.run(BASELINES, suite="mini", results=folder, on_event=events.append)
    assert {event.kind for event in events} <= {"kept", "inapplicable"}


def test_the_records_are_strict_json() -> None:
    """No NaN and no infinity in any committed file."""
    for file in REFERENCE.rglob("*.json"):
        json.loads(file.read_text(encoding="utf-8"), parse_constant=pytest.fail)
