"""What a worker does with a cell: a value comes back, which another process can put, and nothing is written."""

from __future__ import annotations

import dataclasses
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest

import harness
from harness import models
from harness.errors import DataError, EncodeError, Kind, ModelError
from harness.nightly.engines.cell_computer import CellComputer
from harness.nightly.engines.protocol import Answer, Shard, Work
from harness.nightly.engines.worker import answer, attempt
from harness.results.items import get_items
from harness.runner import recording
from harness.runner.cells import Cell
from harness.runner.measurement import MeasuredPart
from harness.tasks import registry
from harness.types import Record
from tests import nights
from tests.conftest import environment

VOLATILE = ("seconds", "tokens_per_second", "peak_memory_mib")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with caches beside it."""
    for name, value in environment(tmp_path / "caches", HARNESS_CACHE=str(tmp_path / "caches")).items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def cell(task: str) -> Cell:
    """A cell of the hashing baseline."""
    model = models.resolve("baseline/hashing")
    spec = registry.get_task(task)
    return dataclasses.replace(nights.cell(), label=model.name, model=model, task=spec, part=spec.parts[0])


def computed(work: Work) -> Any:
    """What a worker comes to, after it went through a pipe."""
    return pickle.loads(pickle.dumps(Answer(CellComputer().compute(work)))).result


def facts(record: Record) -> dict[str, Any]:
    """What a record says but for times and the fingerprint."""
    parts = {
        name: {key: value for key, value in part.items() if key not in VOLATILE}
        for name, part in record.harness["parts"].items()
    }
    return {**record.harness, "parts": parts, "fingerprint": "", "scores": record.scores}


@pytest.mark.parametrize("task", ["MiniSTSEnglish", "MiniAnswersEnglish"])
def test_a_measured_part_travels(home: Path, task: str) -> None:
    """A measured part is a value: nothing is written where it is computed, and put elsewhere it is a run's record."""
    measured = computed(Work(cell=cell(task), timeout=60))
    assert isinstance(measured, MeasuredPart)
    assert list(home.iterdir()) == []
    put = recording.put(home / "put", cell(task), measured)
    [run] = harness.run("baseline/hashing", task, results=home / "run")
    assert facts(put) == facts(run)
    assert put.path
    assert (get_items(put) or {}).keys() == (get_items(run) or {}).keys() == put.parts.keys()


def test_shards_are_joined_to_the_same_part(home: Path) -> None:
    """Shards searched by other workers and joined here measure the part as if its corpus had been searched whole."""
    whole = computed(Work(cell=cell("MiniAnswersEnglish"), timeout=60))
    shards = tuple(
        computed(Work(cell=cell("MiniAnswersEnglish"), timeout=60, shard=Shard(number, 3))) for number in range(3)
    )
    joined = computed(Work(cell=cell("MiniAnswersEnglish"), timeout=60, shards=shards))
    assert joined.scores == whole.scores
    assert (joined.facts, joined.counts.tokens) == (whole.facts, whole.counts.tokens)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(("kind", "tries"), [("model", 1), ("data", 1), ("transient", 2), ("resource", 2)])
def test_a_model_that_cannot_be_opened(kind: Kind, tries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again for its next cell only where its kind of error may pass; every cell fails with that kind."""
    opened: list[str] = []

    def refuse(spec: Any, options: Any) -> Any:
        opened.append(spec.name)
        raise ModelError("not today", kind=kind)

    monkeypatch.setattr(models, "open_model", refuse)
    computer = CellComputer()
    answers = [Answer(attempt(computer, Work(cell=cell("MiniSTSEnglish"), timeout=60))) for _ in range(2)]
    assert [answer.failure and answer.failure.kind for answer in answers] == [kind, kind]
    assert [answer.may_pass for answer in answers] == [tries == 2] * 2
    assert [answer.failure and answer.failure.cell for answer in answers] == [cell("MiniSTSEnglish").label] * 2
    assert len(opened) == tries


class _Talking:
    """A computer that logs as a model behind an endpoint does."""

    def compute(self, work: Work) -> Any:
        for number in range(30):
            logging.getLogger("harness.models.endpoint_waiting").info("the server does not answer (%d)", number)
        raise EncodeError("gave up", kind="transient")


def test_the_log_of_a_worker_reaches_the_night(capsys: pytest.CaptureFixture[str]) -> None:
    """An answer carries the first lines that its worker logged; all of them are in the worker's own output."""
    answered = answer(_Talking(), Work(cell=cell("MiniSTSEnglish"), timeout=60))
    assert answered.failure is not None
    assert answered.log == tuple(f"the server does not answer ({number})" for number in range(20))
    assert capsys.readouterr().err.count("does not answer") == 30


def test_an_error_keeps_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind of an error that a worker meets is the kind of the failure that the night sees."""
    monkeypatch.setattr("harness.data.load", lambda task, part: (_ for _ in ()).throw(DataError("x", kind="disk")))
    answer = pickle.loads(pickle.dumps(Answer(attempt(CellComputer(), Work(cell=cell("MiniSTSEnglish"), timeout=60)))))
    assert answer.failure.kind == "disk"
    assert answer.failure.error == "x"
