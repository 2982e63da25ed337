"""Records in the formats of others: the committed reference runs, read back by the others' own means."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pandas
import pytest

import harness
from harness import cli
from harness.outputs import every_eval_ever
from harness.types import Record
from tests import boards
from tests.conftest import ROOT

REFERENCE = ROOT / "results"


def export(target: Path, format: str, *more: str, results: Path = REFERENCE) -> int:
    return cli.main(
        ["results", "export", *more, "--output", str(target), "--format", format, "--results", str(results)]
    )


def files(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        str(path.relative_to(folder)): json.loads(path.read_text(encoding="utf-8")) for path in folder.rglob("*.json")
    }


def test_a_folder_for_the_public_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every reference record is there without what is ours alone; mteb reads equal scores; notes say what is odd."""
    task_result = pytest.importorskip("mteb.results.task_result")
    assert export(tmp_path, "mteb") == 0
    said = capsys.readouterr()
    assert said.out.endswith("each read back by mteb\n")
    assert "not a task of mteb" in said.err
    ours = {f"{record.model}/{record.task}": record for record in harness.load_results(REFERENCE)}
    written = [path for path in (tmp_path / "results").rglob("*.json") if path.name != "model_meta.json"]
    assert len(written) == len(ours)
    for path in written:
        theirs = task_result.TaskResult.from_disk(path)
        model = path.relative_to(tmp_path / "results").parts[0].replace("__", "/")
        record = ours[f"{model}/{theirs.task_name}"]
        assert "harness" not in json.loads(path.read_text(encoding="utf-8"))
        for part, entry in record.parts.items():
            [read] = [each for each in theirs.scores[part.split] if each["hf_subset"] == part.subset]
            assert {name: read[name] for name, value in entry.items() if value is not None} == {
                name: value for name, value in entry.items() if value is not None
            }
        assert json.loads((path.parent / "model_meta.json").read_text(encoding="utf-8"))["name"] == model


def test_only_plain_records_of_whole_tasks_go_without_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A variant is left out, and a task on other data than mteb's is named, with what to do."""
    pytest.importorskip("mteb")
    boards.put(tmp_path / "results", "org/model", "STSBenchmark", 0.5)
    folder = tmp_path / "results" / "org__model" / "r1" / "experiments" / "precision_fp16"
    boards.write(folder / "STSBenchmark.json", json.dumps(boards.document("STSBenchmark", 0.4)))
    meta = {"name": "org/model", "revision": "r1", "experiment_kwargs": {"precision": "fp16"}}
    boards.write(folder / "model_meta.json", json.dumps(meta))
    assert export(tmp_path / "out", "mteb", results=tmp_path / "results") == 0
    said = capsys.readouterr().err
    assert "STSBenchmark of org/model: left out, the variant precision=fp16" in said
    assert "measured on data at 1, mteb's is b0fddb56ed78; `harness run --mirror`" in said
    assert len(list((tmp_path / "out").rglob("STSBenchmark.json"))) == 1


def test_every_eval_ever(tmp_path: Path) -> None:
    """One file a model, at a path that its tools take; each part's main score with its interval; equal every time."""
    assert export(tmp_path / "a", "every-eval-ever", "--organization", "Some Lab", "--relationship", "first_party") == 0
    written = files(tmp_path / "a")
    assert len(written) == len({record.model for record in harness.load_results(REFERENCE)})
    for name, document in written.items():
        folder, collection, _developer, _model, file = Path(name).parts
        assert (folder, collection, len(Path(file).stem)) == ("data", "mteb", 36)
        assert document["schema_version"] == "0.3.0"
        assert document["source_metadata"]["source_organization_name"] == "Some Lab"
        assert document["source_metadata"]["evaluator_relationship"] == "first_party"
        assert document["eval_library"]["name"] == "embedding-harness"
    model = next(document for document in written.values() if document["model_info"]["id"] == "baseline/hashing")
    scores = {result["evaluation_name"]: result for result in model["evaluation_results"]}
    record = next(iter(harness.load_results(REFERENCE, models="baseline/hashing", tasks="MiniSTSEnglish")))
    result = scores["MiniSTSEnglish"]
    assert result["score_details"]["score"] == record.scores["test"][0]["main_score"]
    assert (result["metric_config"]["metric_id"], result["metric_config"]["min_score"]) == ("cosine_spearman", -1.0)
    assert export(tmp_path / "b", "every-eval-ever", "--organization", "Some Lab", "--relationship", "first_party") == 0
    assert files(tmp_path / "b") == written


def test_every_eval_ever_keeps_the_schema(tmp_path: Path) -> None:
    """HARNESS_EEE_SCHEMA names a copy of evaleval/every_eval_ever's eval.schema.json: every file is valid by it."""
    schema = os.environ.get("HARNESS_EEE_SCHEMA")
    if not schema:
        pytest.skip("HARNESS_EEE_SCHEMA does not name a copy of eval.schema.json")
    jsonschema = pytest.importorskip("jsonschema")
    assert export(tmp_path, "every-eval-ever", "--organization", "Some Lab") == 0
    for document in files(tmp_path).values():
        jsonschema.validate(document, json.loads(Path(schema).read_text(encoding="utf-8")))


def test_names_stay_inside_the_folder() -> None:
    """A model's name never leads out of the folder, whatever it is."""
    entry = {"main_score": 0.5, "hf_subset": "default", "languages": ["eng-Latn"]}
    record = Record(task="T", model="../../x/..", revision="1", dataset_revision="1", scores={"test": [entry]})
    [(name, _)] = every_eval_ever.render([record], every_eval_ever.Evaluator("Some Lab"), uncertainty={})
    assert ".." not in Path(name).parts
    assert len(Path(name).parts) == 5


def test_who_evaluated_must_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The schema asks for the organization; without it nothing is written."""
    assert export(tmp_path / "out", "every-eval-ever") == 2
    assert "needs --organization NAME" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_model_without_records_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside a model that has some too; nothing is written, and the nearest name is told."""
    assert export(tmp_path / "scores.csv", "csv", "baseline/hashing", "baseline/hashin") == 2
    assert "no recorded model named 'baseline/hashin'; did you mean baseline/hashing" in capsys.readouterr().err
    assert not (tmp_path / "scores.csv").exists()


def test_one_table(tmp_path: Path) -> None:
    """CSV and Parquet hold the rows of `load_results(...).to_pandas()`, of the models and tasks that are named."""
    narrowed = ("baseline/hashing", "-t", "MiniSTSEnglish,MiniPairsGerman")
    expected = harness.load_results(
        REFERENCE, models="baseline/hashing", tasks=["MiniSTSEnglish", "MiniPairsGerman"]
    ).to_pandas()
    assert len(expected) == 2
    assert export(tmp_path / "t.csv", "csv", *narrowed) == 0
    text = (tmp_path / "t.csv").read_text(encoding="utf-8")
    table = pandas.read_csv(io.StringIO(text), dtype={"revision": str}, keep_default_na=False, na_values=[""])
    pandas.testing.assert_frame_equal(table.fillna({"variant": ""}), expected, check_dtype=False)
    assert export(tmp_path / "t.parquet", "parquet", *narrowed) == 0
    pandas.testing.assert_frame_equal(pandas.read_parquet(tmp_path / "t.parquet"), expected)
    assert export(tmp_path / "u.csv", "csv", "baseline/hashin") == 2
