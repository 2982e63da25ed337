"""What is to be done: choices of tasks and parts, fingerprints, and what is recorded already."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from harness import models, results
from harness.errors import DataError, RecordError, UnknownName
from harness.evaluators.retrieval import RetrievalSettings
from harness.files.folders import results_folder
from harness.runner import execution
from harness.runner.cells import Plan, TaskCells
from harness.runner.fingerprint import fingerprint
from harness.runner.plan import plan
from harness.runner.request import Request
from harness.runner.selection import Selection, chosen
from harness.tasks import registry
from harness.tasks.registry import ChosenTask
from harness.types import EncodeOptions, Part, Record, Source, TaskSpec, VectorTransform

HASHING = models.resolve("baseline/hashing")


def task(folder: Path, **changes: Any) -> TaskSpec:
    """A task with two splits and two subsets; its data need not make sense, for a plan does not load it."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "corpus.jsonl").write_text("{}\n")
    spec: dict[str, Any] = {
        "name": "Mine",
        "type": "Retrieval",
        "description": "",
        "source": Source(kind="local", path="data"),
        "splits": ("dev", "test"),
        "subsets": {"de": ("deu-Latn",), "en": ("eng-Latn",)},
        "columns": {},
        "main_metric": "ndcg_at_10",
        "settings": RetrievalSettings(),
        "file": str(folder / "Mine.yaml"),
    }
    return TaskSpec(**(spec | changes))


def parts(text: str) -> list[Part]:
    return [Part(*pair.split("/")) for pair in text.split()]


# --- chosen ----------------------------------------------------------------------------------------------------------


def test_the_default_is_the_suite_mini() -> None:
    """Neither tasks nor a suite means `mini`, whole, in its order."""
    found = chosen(Selection())
    assert [spec.name for spec, _ in found] == list(registry.get_tasks().suite("mini").tasks)
    assert all(wanted == spec.parts for spec, wanted in found)


def test_names_and_specs_mix() -> None:
    """A task is a name or a spec, one or several; one given twice counts once."""
    spec = registry.get_tasks().get("MiniSTSGerman")
    assert [name for name, _ in ((found.name, None) for found, _ in chosen(Selection(tasks=("SciFact",))))] == [
        "SciFact"
    ]
    found = chosen(Selection(tasks=(spec, "SciFact", "MiniSTSGerman")))
    assert [found_spec.name for found_spec, _ in found] == ["MiniSTSGerman", "SciFact"]


def test_tasks_and_a_suite_add_up() -> None:
    """Tasks come first, then the suite's that are not there yet."""
    found = [spec.name for spec, _ in chosen(Selection(tasks=("SciFact", "MiniSTSGerman"), suites=("mini",)))]
    assert found[:2] == ["SciFact", "MiniSTSGerman"]
    assert len(found) == 16


@pytest.mark.parametrize(
    ("splits", "languages", "expected"),
    [
        (None, None, "dev/de dev/en test/de test/en"),
        (("test",), None, "test/de test/en"),
        (None, ("de",), "dev/de test/de"),
        (("dev",), ("eng-Latn",), "dev/en"),
        (None, ("en", "deu"), "dev/de dev/en test/de test/en"),
    ],
)
def test_filters(
    tmp_path: Path, splits: tuple[str, ...] | None, languages: tuple[str, ...] | None, expected: str
) -> None:
    """Splits and languages narrow the parts, which stay in the task's order."""
    [(_, wanted)] = chosen(Selection(tasks=(task(tmp_path),), splits=splits, languages=languages))
    assert list(wanted) == parts(expected)


def test_a_filter_need_not_fit_every_task(tmp_path: Path) -> None:
    """A task that lacks the split or the language is left out, as long as another has it."""
    other = task(tmp_path, name="Other", splits=("test",), subsets={"default": ("fra-Latn",)})
    both = (task(tmp_path), other)
    assert [spec.name for spec, _ in chosen(Selection(tasks=both, languages=("fr",)))] == ["Other"]
    assert [spec.name for spec, _ in chosen(Selection(tasks=both, splits=("dev",)))] == ["Mine"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"splits": ("tset",)}, r"no split named 'tset'; did you mean test\?"),
        ({"languages": ("xx",)}, "Mine|language"),
        ({"languages": ("fra",)}, r"Mine has no part in fra; its languages: deu-Latn, eng-Latn"),
        ({"splits": ("dev", "train")}, "no split named 'train'"),
    ],
)
def test_filters_that_mean_nothing(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    """Every name of a filter must mean something to some task."""
    with pytest.raises(UnknownName, match=message):
        chosen(Selection(tasks=(task(tmp_path),), **options))


def test_filters_that_exclude_each_other(tmp_path: Path) -> None:
    """Both exist, never together: said so."""
    other = task(tmp_path, name="Other", splits=("train",), subsets={"default": ("fra-Latn",)})
    with pytest.raises(UnknownName, match="no part of the tasks fits all the filters together"):
        chosen(Selection(tasks=(task(tmp_path), other), splits=("train",), languages=("de",)))


# --- fingerprint -----------------------------------------------------------------------------------------------------


def own(spec: TaskSpec, **options: Any) -> str:
    return fingerprint(options.pop("model", HASHING), spec, **({"precision": "fp32", "max_length": None} | options))


def test_what_decides_a_score_changes_the_fingerprint(tmp_path: Path) -> None:
    """Model, revision, trust, settings, metric, columns, prompt, precision, maximum length: each makes another."""
    spec = task(tmp_path)
    made = [
        own(spec),
        own(spec, precision="fp16"),
        own(spec, max_length=128),
        own(spec, model=models.resolve("baseline/bm25")),
        own(spec, model=dataclasses.replace(HASHING, revision="2")),
        own(spec, model=dataclasses.replace(HASHING, trust_remote_code=True)),
        own(dataclasses.replace(spec, main_metric="map_at_10")),
        own(dataclasses.replace(spec, settings=RetrievalSettings(k_values=(1, 10)))),
        own(dataclasses.replace(spec, columns={"left": "a"})),
        own(dataclasses.replace(spec, prompt="search: ")),
        own(dataclasses.replace(spec, merge_splits={"test": ("a", "b")})),
    ]
    assert len(set(made)) == len(made)


def test_what_only_describes_does_not(tmp_path: Path) -> None:
    """Description, licence, domains and the list of parts leave the fingerprint as it was."""
    spec = task(tmp_path)
    described = dataclasses.replace(
        spec, description="other", license="mit", domains=("Web",), reference="https://x", splits=("test",)
    )
    assert own(described) == own(spec)


def test_the_bytes_of_local_data_count(tmp_path: Path) -> None:
    """A private task has no revision: its files are digested instead."""
    spec = task(tmp_path)
    before = own(spec)
    (tmp_path / "data" / "corpus.jsonl").write_text("{} \n")
    assert own(spec) != before
    (tmp_path / "data" / "corpus.jsonl").unlink()
    with pytest.raises(DataError, match="Mine: no data at"):
        own(spec)


def test_the_fingerprint_is_pinned() -> None:
    """A change to how it is made would send every recorded task through the models again: raise PROTOCOL on purpose."""
    spec = TaskSpec(
        name="Pinned",
        type="Retrieval",
        description="",
        source=Source(kind="hub", path="me/mine", revision="0" * 40),
        splits=("test",),
        subsets={"default": ("eng-Latn",)},
        columns={},
        main_metric="ndcg_at_10",
        settings=RetrievalSettings(),
    )
    assert own(spec) == "62ecfa13e444539a4e44d76bb5a8aae7"
    assert own(spec, transform=VectorTransform(64, "int8")) == "83df9a154bb341321a7688c8c700d16c"


# --- plan ------------------------------------------------------------------------------------------------------------


def planned(folder: Path, spec: TaskSpec, text: str = "test/de test/en", **options: Any) -> TaskCells:
    request = Request(
        models=(options.pop("model", "baseline/hashing"),),
        selection=Selection(tasks=(ChosenTask(spec, tuple(parts(text))),)),
        results=folder / "results",
        options=EncodeOptions(**options.pop("encode", {})),
        overwrite=options.pop("overwrite", False),
    )
    [cells] = plan(request).task_cells
    return cells


def record(folder: Path, cells: TaskCells, text: str, **changes: Any) -> Path:
    scores: dict[str, list[dict[str, Any]]] = {}
    for part in parts(text):
        entry = {"main_score": 0.5, "hf_subset": part.subset, "languages": ["eng-Latn"]}
        scores.setdefault(part.split, []).append(entry)
    content: dict[str, Any] = {
        "task": cells.task.name,
        "model": cells.model.name,
        "revision": cells.model.revision,
        "variant": cells.variant,
        "dataset_revision": "d",
        "scores": scores,
        "harness": {"fingerprint": cells.fingerprint},
    }
    return Path(results.put(folder / "results", Record(**(content | changes)), model_meta={}).path)


def test_nothing_recorded(tmp_path: Path) -> None:
    """Everything is to be done."""
    cells = planned(tmp_path, task(tmp_path))
    assert (list(cells.todo), cells.done, cells.why, cells.record) == (
        parts("test/de test/en"),
        (),
        "not recorded yet",
        None,
    )


def test_all_recorded(tmp_path: Path) -> None:
    """Nothing is to be done, and the record is at hand; parts that were not asked for do not matter."""
    cells = planned(tmp_path, task(tmp_path))
    record(tmp_path, cells, "test/de test/en dev/de")
    again = planned(tmp_path, task(tmp_path))
    assert (again.todo, list(again.done)) == ((), parts("test/de test/en"))
    assert again.record is not None
    assert again.record.task == "Mine"


def test_partly_recorded(tmp_path: Path) -> None:
    """Only what is missing is to be done."""
    record(tmp_path, planned(tmp_path, task(tmp_path)), "test/en")
    cells = planned(tmp_path, task(tmp_path))
    assert (list(cells.todo), list(cells.done)) == (parts("test/de"), parts("test/en"))
    assert cells.why == "some parts are not recorded yet"


def test_overwrite(tmp_path: Path) -> None:
    """--overwrite looks at no record."""
    record(tmp_path, planned(tmp_path, task(tmp_path)), "test/de test/en")
    cells = planned(tmp_path, task(tmp_path), overwrite=True)
    assert (list(cells.todo), cells.why, cells.record) == (parts("test/de test/en"), "--overwrite", None)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"harness": {"fingerprint": "other"}}, "the recorded settings differ"),
        ({"harness": {}}, "the record was written by another program"),
    ],
)
def test_a_record_of_other_settings(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    """Another fingerprint, or none, is not trusted."""
    record(tmp_path, planned(tmp_path, task(tmp_path)), "test/de test/en", **changes)
    cells = planned(tmp_path, task(tmp_path))
    assert (list(cells.todo), cells.done, cells.why, cells.record) == (parts("test/de test/en"), (), why, None)


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        (None, "intfloat/e5-small-v2", "recorded with other prompts, now those of intfloat/e5-small-v2 (--like)"),
        ("intfloat/e5-small-v2", None, "recorded with the prompts of intfloat/e5-small-v2 (--like), now its own"),
        ("intfloat/e5-small-v2", "intfloat/e5-small-v2", ""),
    ],
)
def test_a_record_with_the_prompts_of_another_model(
    before: str | None, now: str | None, why: str, tmp_path: Path
) -> None:
    """A record that is replaced since --like was added or left out is announced, with the reason."""

    def cells_like(like: str | None) -> Plan:
        model = dataclasses.replace(models.resolve("baseline/hashing"), like=like)
        return plan(Request(models=(model,), selection=Selection(tasks=[task(tmp_path)]), results=tmp_path / "results"))

    (cells,) = cells_like(before).task_cells
    of_model = {"like": before} if before else {}
    record(
        tmp_path, cells, "dev/de dev/en test/de test/en", harness={"fingerprint": cells.fingerprint, "model": of_model}
    )
    again = cells_like(now)
    assert bool(again.todo) == bool(why)
    if why:
        assert again.todo[0].why.startswith(why)
        assert again.prompts_remarks[-1].endswith("replaces 1 record")
    expected = [f"baseline/hashing: prompts: those of {now} (--like)"] if now else []
    assert again.prompts_remarks[: len(expected)] == expected
    assert len(again.prompts_remarks) == len(expected) + bool(why)


def test_a_broken_record(tmp_path: Path) -> None:
    """A file that cannot be read is made anew, and the plan says what is wrong with it."""
    path = record(tmp_path, planned(tmp_path, task(tmp_path)), "test/de test/en")
    path.write_text(path.read_text()[:40])
    cells = planned(tmp_path, task(tmp_path))
    assert len(cells.todo) == 2
    assert cells.why.startswith(f"the record is broken ({path}: not JSON")


def test_another_model_s_record_is_not_taken(tmp_path: Path) -> None:
    """Records belong to one model, revision and variant."""
    record(tmp_path, planned(tmp_path, task(tmp_path)), "test/de test/en")
    assert planned(tmp_path, task(tmp_path), model="baseline/bm25").why == "not recorded yet"


def test_a_callable_is_always_to_be_done(tmp_path: Path) -> None:
    """There is no telling whether it is the one of the record."""

    def model(texts: list[str]) -> Any:
        raise AssertionError("a plan calls no model")

    cells = planned(tmp_path, task(tmp_path), model=model)
    record(tmp_path, cells, "test/de test/en")
    again = planned(tmp_path, task(tmp_path), model=model)
    assert (list(again.todo), again.why) == (parts("test/de test/en"), "a Python callable has no revision to compare")


def test_cells_are_models_by_tasks(tmp_path: Path) -> None:
    """Every task for the first model, then for the second; a model named twice counts once."""
    both = tuple(task(tmp_path, name=name) for name in ("A", "B"))
    names = ("baseline/hashing", "baseline/bm25", "baseline/hashing")
    whole = plan(Request(models=names, selection=Selection(tasks=both), results=tmp_path / "results"))
    assert [(cells.model.name, cells.task.name) for cells in whole.task_cells] == [
        (model, name) for model in ("baseline/hashing", "baseline/bm25") for name in ("A", "B")
    ]


def test_what_applies(tmp_path: Path) -> None:
    """BM25 has no vectors: it does retrieval only."""
    search, pairs = task(tmp_path), task(tmp_path, type="STS")
    assert planned(tmp_path, search, model="baseline/bm25").applies
    assert not planned(tmp_path, pairs, model="baseline/bm25").applies
    assert planned(tmp_path, pairs).applies


def test_a_results_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found out before any model is opened; planning alone writes nothing."""
    spec = task(tmp_path)
    cells = planned(tmp_path, spec)
    assert not (tmp_path / "results").exists()
    (tmp_path / "results").write_text("")
    monkeypatch.setattr(execution.models, "open_model", lambda *given: pytest.fail("a model was opened"))
    with pytest.raises(RecordError, match="cannot be written"):
        next(execution.execute(Plan((cells,)), tmp_path / "results"))


def test_the_results_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked for, else $HARNESS_RESULTS, else `results`; `~` is home."""
    monkeypatch.setenv("HARNESS_RESULTS", "/from/environment")
    assert results_folder("given") == Path("given")
    assert results_folder(None) == Path("/from/environment")
    monkeypatch.delenv("HARNESS_RESULTS")
    assert results_folder(None) == Path("results")
    assert results_folder("~/x") == Path.home() / "x"
