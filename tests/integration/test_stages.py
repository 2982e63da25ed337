"""Loading, encoding and scoring overlap: no number, no order and no other cell depends on that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness as api
from harness import data, models, results
from harness.errors import CellsFailed, DataError, ModelError
from harness.models.baselines import Hashing
from harness.runner import execution, measurement
from harness.tasks import registry
from harness.types import Part, Record
from tests.encoders import Fake

from .conftest import GOOD, Tasks

PART = Part("test", "default")


@pytest.fixture
def five(tasks: Tasks) -> dict[str, Any]:
    """One private task of each type, as options of a run."""
    for kind in GOOD:
        few = {"settings": {"max_fraction_of_documents_to_embed": None, "max_documents_per_cluster": 40}}
        tasks.write(f"My{kind}", kind, **(few if kind == "Clustering" else {}))
    return {"tasks": [f"My{kind}" for kind in GOOD], "tasks_dirs": [tasks.path]}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models that were opened, in order."""
    names: list[str] = []
    open_model = models.open_model

    def counted(spec: Any, options: Any) -> Any:
        names.append(spec.name)
        return open_model(spec, options)

    monkeypatch.setattr(models, "open_model", counted)
    return names


def numbers(record: Record) -> dict[str, Any]:
    return {str(part): dict(entry) for part, entry in record.parts.items()}


def run(folder: Path, *names: str, **options: Any) -> tuple[list[Record], list[Any], list[execution.Event]]:
    """Records, failures and events."""
    events: list[execution.Event] = []
    try:
        found = api.run(list(names) or ["baseline/hashing"], results=folder, on_event=events.append, **options)
    except CellsFailed as failed:
        return failed.records, failed.failures, events
    return found, [], events


def test_the_same_as_one_after_the_other(five: dict[str, Any], tmp_path: Path) -> None:
    """Every score of every task equals that of measuring the tasks one by one, and runs repeat themselves."""
    known = registry.get_tasks([Path(five["tasks_dirs"][0])])
    alone = {
        name: measurement.score(
            measurement.encode(known.get(name), PART, Hashing(), data.load(known.get(name), PART))
        ).scores
        for name in five["tasks"]
    }
    found, _, _ = run(tmp_path / "one", **five)
    again, _, _ = run(tmp_path / "two", **five)
    assert [record.task for record in found] == five["tasks"]
    for record, other in zip(found, again, strict=True):
        entry = numbers(record)["test"]
        assert {key: entry[key] for key in alone[record.task]} == alone[record.task]
        assert numbers(other) == numbers(record)


def test_events_come_in_order(five: dict[str, Any], tmp_path: Path, opened: list[str]) -> None:
    """A cell is loaded, encoded, recorded; cells begin, and end, in the order of the plan; a model is opened once."""
    names = ["baseline/hashing", "baseline/bm25"]
    found, failures, events = run(tmp_path, *names, **five)
    assert failures == []
    plan = [(names[0], name) for name in five["tasks"]] + [(names[1], "MyRetrieval")]
    for kind in ("load", "encode", "recorded"):
        assert [(event.cells.model.name, event.cells.task.name) for event in events if event.kind == kind] == plan
    for cell in plan:
        kinds = [
            event.kind for event in events if event.part and (event.cells.model.name, event.cells.task.name) == cell
        ]
        assert kinds == ["load", "encode", "recorded"]
    assert opened == names
    assert [event.cells.model.name for event in events if event.kind == "open"] == names
    assert [(record.model, record.task) for record in found] == plan


def test_records_are_in_order_whatever_is_found(five: dict[str, Any], tmp_path: Path) -> None:
    """Found records stand among computed ones where the plan has them, though they are known first."""
    tasks = five["tasks"]
    run(tmp_path, **{**five, "tasks": tasks[1::2]})
    found, _, events = run(tmp_path, **five)
    assert [event.kind for event in events if event.kind == "kept"] == ["kept"] * len(tasks[1::2])
    assert [record.task for record in found] == tasks


def test_the_stages_overlap(five: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one part is encoded, the next one is loaded and the last one is scored."""
    met = threading.Barrier(3, timeout=20)
    load, encode, score = data.load, execution.encode, execution.score
    first, second, third = five["tasks"][:3]

    def loading(task: Any, part: Part) -> Any:
        if task.name == third:
            met.wait()
        return load(task, part)

    def encoding(task: Any, *rest: Any, **options: Any) -> Any:
        if task.name == second:
            met.wait()
        return encode(task, *rest, **options)

    def scoring(encoded: Any) -> Any:
        if threading.current_thread().name == "score" and met.n_waiting < 3 and not met.broken and not seen:
            seen.append(first)
            met.wait()
        return score(encoded)

    seen: list[str] = []
    monkeypatch.setattr(data, "load", loading)
    monkeypatch.setattr(execution, "encode", encoding)
    monkeypatch.setattr(execution, "score", scoring)
    found, failures, _ = run(tmp_path, **five)
    assert failures == []
    assert len(found) == 5
    assert not met.broken


def test_a_part_that_takes_long_to_score_holds_nothing_up(
    five: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All five parts are encoded while the first is still scored; the events and records are those of any run."""
    encoded = threading.Event()
    encode, score = execution.encode, execution.score

    def encoding(task: Any, *rest: Any, **options: Any) -> Any:
        part = encode(task, *rest, **options)
        if task.name == five["tasks"][-1]:
            encoded.set()
        return part

    def scoring(part: Any) -> Any:
        assert encoded.wait(30), "the scorer held the device up"
        return score(part)

    monkeypatch.setattr(execution, "encode", encoding)
    monkeypatch.setattr(execution, "score", scoring)
    found, failures, events = run(tmp_path, **five)
    assert failures == []
    assert [record.task for record in found] == five["tasks"]
    assert [event.cells.task.name for event in events if event.kind == "recorded"] == five["tasks"]


@pytest.mark.parametrize(("limit", "value", "most"), [("_WAITING_PARTS", 2, 3), ("_WAITING_BYTES", 0, 2)])
def test_parts_that_wait_for_the_scorer_are_few(
    limit: str, value: int, most: int, five: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more parts are encoded and not scored than the queue has room for, by number and by size."""
    unscored: list[Any] = []
    largest: list[int] = []
    encode, score = execution.encode, execution.score

    def encoding(*arguments: Any, **options: Any) -> Any:
        unscored.append(arguments)
        largest.append(len(unscored))
        return encode(*arguments, **options)

    def scoring(part: Any) -> Any:
        time.sleep(0.05)
        unscored.pop(0)
        return score(part)

    monkeypatch.setattr(execution, limit, value)
    monkeypatch.setattr(execution, "encode", encoding)
    monkeypatch.setattr(execution, "score", scoring)
    assert run(tmp_path, **five)[1] == []
    assert max(largest) <= most


def broken(stage: str, name: str) -> Callable[[pytest.MonkeyPatch], None]:
    """Make one stage of one task fail."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        place, attribute = {"load": (data, "load"), "encode": (execution, "encode"), "record": (results, "put")}[stage]
        real = getattr(place, attribute)

        def failing(*arguments: Any, **options: Any) -> Any:
            task = getattr(arguments[1] if stage == "record" else arguments[0], "task", None) or arguments[0].name
            if task == name:
                raise {"load": DataError("no such file"), "encode": KeyError("x"), "record": OSError("disk")}[stage]
            return real(*arguments, **options)

        monkeypatch.setattr(place, attribute, failing)

    return patch


@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("stage", ["load", "encode", "record"])
def test_a_stage_that_fails(
    stage: str, place: int, five: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in any stage costs its own cell: the others are recorded with the same scores, and it is named."""
    expected = {record.task: numbers(record) for record in run(tmp_path / "good", **five)[0]}
    victim = five["tasks"][place]
    broken(stage, victim)(monkeypatch)
    found, failures, events = run(tmp_path / "bad", **five)
    assert [failure.cell for failure in failures] == [f"baseline/hashing {victim} test"]
    assert bool(failures[0].traceback) == (stage != "load")  # what is no HarnessError is ours to explain
    assert {record.task: numbers(record) for record in found} == {
        name: scores for name, scores in expected.items() if name != victim
    }
    ends = [(event.cells.task.name, event.kind) for event in events if event.kind in ("recorded", "failed")]
    assert ends == [(name, "failed" if name == victim else "recorded") for name in five["tasks"]]


def test_data_that_cannot_be_scored(tasks: Tasks, tmp_path: Path) -> None:
    """An error of the scorer, in its own thread, costs its cell only."""
    alike = [{"sentence1": a, "sentence2": a, "score": 1} for a in ("x", "y", "z")]
    tasks.write("Alike", "STS", {"test.jsonl": alike})
    tasks.write("Good", "STS")
    found, failures, _ = run(tmp_path / "results", tasks=["Alike", "Good"], tasks_dirs=[tasks.path])
    assert [record.task for record in found] == ["Good"]
    assert [failure.cell for failure in failures] == ["baseline/hashing Alike test"]


def test_a_model_that_cannot_be_opened_is_tried_once(
    five: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cells fail with one reason each; the next model runs."""
    tried: list[str] = []
    open_model = models.open_model

    def opening(spec: Any, options: Any) -> Any:
        tried.append(spec.name)
        if spec.name.endswith("bm25"):
            raise ModelError("out of order")
        return open_model(spec, options)

    monkeypatch.setattr(models, "open_model", opening)
    found, failures, _ = run(tmp_path, "baseline/bm25", "baseline/hashing", **five)
    assert tried == ["baseline/bm25", "baseline/hashing"]
    assert [failure.error for failure in failures] == ["out of order"]
    assert [record.task for record in found] == five["tasks"]


def test_a_model_is_closed_before_the_next_is_opened(
    five: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One model in memory at a time, and none afterwards; what it encoded is recorded before the next one comes."""
    log: list[str] = []

    class Model(Fake):
        def close(self) -> None:
            log.append("close")

    def opening(spec: Any, options: Any) -> Any:
        log.append(f"open, {len(list(tmp_path.rglob('My*.json')))} recorded")
        return Model()

    monkeypatch.setattr(models, "open_model", opening)
    tasks = {**five, "tasks": ["MySTS", "MyRetrieval"]}
    first = run(tmp_path, "baseline/hashing", "bundled/all-MiniLM-L6-v2", **tasks)
    assert first[1] == []
    assert log == ["open, 0 recorded", "close", "open, 2 recorded", "close"]


def test_no_thread_is_left(five: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a run that ended well, and after one that was left in the middle, the stages' threads are gone."""
    run(tmp_path, **five)
    assert stages() == []

    def leaving(event: execution.Event) -> None:
        if event.kind == "encode":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        api.run("baseline/hashing", results=tmp_path, overwrite=True, on_event=leaving, **five)
    for thread in stages():
        thread.join(timeout=60)
    assert stages() == []


def stages() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name in ("load", "score")]


# --- transforms ------------------------------------------------------------------------------------------------------


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("My*.json")}


def test_one_encoding_for_all_transforms(tasks: Tasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model sees each text once, however many transforms are scored from its vectors."""
    tasks.write("MySTS")
    model = Fake({"model": "m"})
    monkeypatch.setattr(models, "open_model", lambda spec, options: model)
    options = {"tasks": "MySTS", "tasks_dirs": [tasks.path], "dims": [2, 3], "quantize": ["binary"]}
    found, failures, _ = run(tmp_path / "results", **options)
    assert failures == []
    assert len(found) == 6
    texts = [row[side] for row in GOOD["STS"]["test.jsonl"] for side in ("sentence1", "sentence2")]
    assert sorted(model.texts) == sorted(set(texts))
    counts = [record.harness["parts"]["test"] for record in found]
    assert [(one["texts_encoded"], one["texts_cached"]) for one in counts] == [(12, 0)] + [(0, 12)] * 5
    assert len({str(numbers(record)) for record in found}) == 6


def test_transforms_are_variants(five: dict[str, Any], tmp_path: Path) -> None:
    """--dims and --quantize add records of their own; the plain ones keep their bytes."""
    plain, _, _ = run(tmp_path, **five)
    before = files(tmp_path)
    found, failures, _ = run(tmp_path, dims=[64, 256], quantize=["int8", "binary"], **five)
    assert failures == []
    expected = {"", "dims=64", "dims=256", "quantize=int8", "quantize=binary"} | {
        f"dims={dims}, quantize={how}" for dims in (64, 256) for how in ("int8", "binary")
    }
    assert {record.variant for record in found} == expected
    assert len(found) == 9 * 5
    after = files(tmp_path)
    assert {name: after[name] for name in before} == before
    assert len(after) == 9 * 5
    fingerprints = {(record.task, record.fingerprint) for record in found}
    assert len(fingerprints) == 9 * 5
    again, _, events = run(tmp_path, dims=[64, 256], quantize=["int8", "binary"], **five)
    assert {event.kind for event in events} == {"kept"}
    assert {(record.task, record.variant): numbers(record) for record in again} == {
        (record.task, record.variant): numbers(record) for record in found
    }
    assert {record.task: numbers(record) for record in again if not record.variant} == {
        record.task: numbers(record) for record in plain
    }


def test_too_many_dimensions_cost_their_variant_only(five: dict[str, Any], tmp_path: Path) -> None:
    """One clear failure for each task; the plain records and those of fewer dimensions are there."""
    found, failures, _ = run(tmp_path, dims=[64, 5000], **five)
    assert [failure.error for failure in failures] == [
        "dims 5000: the model's vectors have 1024 dimensions; ask for fewer"
    ] * 5
    assert {record.variant for record in found} == {"", "dims=64"}
    assert len(found) == 10
