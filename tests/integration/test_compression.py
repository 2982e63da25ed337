"""Compressed vectors in a run: variants with what they take and what they keep of the float search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import harness
from harness import cli
from harness.errors import HarnessError
from harness.nightly import night
from harness.outputs import site
from harness.types import Record
from tests.nights import InThisProcess, schedule_of

TASK = "MiniAnswersEnglish"
EVERY = 10_000


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    settings: dict[str, Any] = {"dims": [64], "quantize": ["int8", "binary"], "rescore": [0, 3, EVERY]}
    harness.run("baseline/hashing", [TASK, "MiniSTSEnglish"], results=folder, **settings)
    return folder


@pytest.fixture(scope="module")
def records(results: Path) -> dict[tuple[str, str], Record]:
    return {(record.task, record.variant): record for record in harness.load_results(results)}


def metrics(record: Record) -> dict[str, Any]:
    return {name: value for name, value in record.scores["test"][0].items() if "float_recall" not in name}


def test_a_night_measures_the_same(records: dict[tuple[str, str], Record], tmp_path: Path) -> None:
    """A schedule with the same keys leaves the same variants with the same scores, and its site shows them."""
    settings = {"dims": [64], "quantize": ["int8", "binary"], "rescore": [3]}
    schedule = schedule_of(tmp_path, tasks=[TASK, "MiniSTSEnglish"], baselines=None, site="site", **settings)
    report = night.run(schedule, engine=lambda _: InThisProcess())
    assert report.status == 0
    of_night = {(record.task, record.variant): record for record in harness.load_results(schedule.results)}
    assert of_night.keys() == {key for key in records if f"rescore={EVERY}" not in key[1]}
    for key, record in of_night.items():
        assert (record.scores, record.fingerprint) == (records[key].scores, records[key].fingerprint)
    board = (tmp_path / "site" / "board.csv").read_text(encoding="utf-8")
    assert "dims=64, quantize=binary, rescore=3" in board
    assert night.run(schedule, engine=lambda _: InThisProcess()).nothing_to_do


def test_variants(records: dict[tuple[str, str], Record]) -> None:
    """Dimensions, bits, rescoring and calibration are in the name; tasks without a search have no rescored variant."""
    unscored = {
        f"{dims}{quantize}" for dims in ("", "dims=64, ") for quantize in ("", "quantize=int8", "quantize=binary")
    }
    unscored = {variant.removesuffix(", ") for variant in unscored}
    rescored = {
        variant
        for n in (3, EVERY)
        for dims in ("", "dims=64, ")
        for variant in (
            f"{dims}quantize=binary, rescore={n}",
            f"calibration=documents, {dims}quantize=int8, rescore={n}",
        )
    }
    assert {variant for task, variant in records if task == "MiniSTSEnglish"} == unscored
    assert {variant for task, variant in records if task == TASK} == unscored | rescored
    assert len({record.fingerprint for record in records.values()}) == len(records)


def test_what_is_recorded(records: dict[tuple[str, str], Record]) -> None:
    """Bytes and the model's dimensions in every compressed record, recall against floats where hits are scored."""
    parts = {key: record.harness["parts"]["test"] for key, record in records.items()}
    assert "compression" not in parts[TASK, ""]
    assert parts["MiniSTSEnglish", "quantize=int8"]["compression"] == {"dimensions": 1024, "bytes_per_document": 1024}
    assert parts[TASK, "dims=64, quantize=binary"]["compression"] == {"dimensions": 1024, "bytes_per_document": 8}
    assert parts[TASK, "calibration=documents, dims=64, quantize=int8, rescore=3"]["compression"] == {
        "dimensions": 1024,
        "bytes_per_document": 64 + 256,
        "bytes_searched": 64,
        "calibrated_on": parts[TASK, ""]["rows"]["corpus"],
    }
    for (task, variant), record in records.items():
        [entry] = record.scores["test"]
        assert ("float_recall_at_10" in entry) == (task == TASK and variant != "")
        if "float_recall_at_10" in entry:
            assert 0 < entry["float_recall_at_10"] <= 1


def test_rescoring_every_document(records: dict[tuple[str, str], Record]) -> None:
    """Every metric is that of the float vectors in as many dimensions, and all float hits are kept."""
    for dims, floats in (("", ""), ("dims=64, ", "dims=64")):
        for compressed in (f"{dims}quantize=binary", f"calibration=documents, {dims}quantize=int8"):
            record = records[TASK, f"{compressed}, rescore={EVERY}"]
            assert metrics(record) == metrics(records[TASK, floats])
            if not dims:
                assert record.scores["test"][0]["float_recall_at_10"] == 1


def test_rescoring_nothing(tmp_path: Path) -> None:
    """`rescore` 0 is the plain quantized variant."""
    harness.run("baseline/hashing", TASK, results=tmp_path, quantize=["binary"], rescore=[0])
    assert {record.variant for record in harness.load_results(tmp_path)} == {"", "quantize=binary"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rescore": [5]}, "--rescore 5: ranks the best documents of a search in quantized vectors again; add --quant"),
        ({"rescore": [-1], "quantize": ["int8"]}, "--rescore -1: expected numbers of documents, 0 or more"),
        (
            {"tasks": "MiniSTSEnglish", "rescore": [5], "quantize": ["int8"]},
            r"--rescore 5: is for tasks that search \(.*Retrieval.*\), and none of the tasks does",
        ),
        ({"models": "baseline/bm25", "rescore": [5], "quantize": ["int8"]}, r"takes no --quantize \(int8\)"),
    ],
)
def test_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Rescoring without anything to rescore is refused before anything runs."""
    with pytest.raises(HarnessError, match=message):
        harness.run(**{"models": "baseline/hashing", "tasks": TASK, "results": tmp_path, **options})
    assert not any(tmp_path.iterdir())


def test_what_a_run_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A task that does not search is left out of both rescored variants, and counts once."""
    command = f"run baseline/hashing -t {TASK},MiniSTSEnglish --quantize int8,binary --rescore 0,5 --results {tmp_path}"
    assert cli.main(command.split()) == 0
    assert "--rescore 5 is for tasks that search; left out 1 task" in capsys.readouterr().out


def test_the_command(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`harness table --compression` shows every variant with the score that its record holds, or draws them."""
    command = ["table", "baseline/hashing", "-t", TASK, "--compression", "--results", str(results)]
    assert cli.main([*command, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 6 + 8
    shown = {(row["dims"], row["vectors"], row["rescore"]): row for row in rows}
    assert shown[64, "binary", 3]["bytes_per_document"] == 8 + 256
    assert shown[64, "binary", EVERY]["mean"] == shown[64, "float32", 0]["mean"]
    assert shown[1024, "int8", EVERY]["kept"] == shown[1024, "int8", EVERY]["float_recall_at_10"] == 1
    assert cli.main([*command, "--format", "svg"]) == 0
    assert capsys.readouterr().out.count("<title>") == 14


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "svg"], "--format svg: draws quality against bytes; add --compression"),
        (["--compression", "-t", "MiniPairsEnglish"], "no record with compressed vectors fits the request"),
    ],
)
def test_refused_tables(options: list[str], message: str, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be shown is refused with what to do."""
    assert cli.main(["table", *options, "--results", str(results)]) == 2
    assert message in capsys.readouterr().err


def test_the_page_of_the_model(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The site shows table and picture where compressed variants are recorded, and nothing elsewhere."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    board = harness.rank(results=results)
    pages = dict(site.render(board))
    [page] = [str(text) for name, text in pages.items() if name.startswith("models/")]
    assert page.count('<h2 id="compression-heading">') == 1
    assert "<td>64</td><td>binary</td><td>3</td><td>264 / 8</td>" in page
    assert page.count("<title>") == 1 + 14
    harness.run("baseline/hashing", TASK, results=tmp_path / "plain")
    pages = dict(site.render(harness.rank(results=tmp_path / "plain")))
    [page] = [str(text) for name, text in pages.items() if name.startswith("models/")]
    assert "compression" not in page
