"""From records to a comparison, and from there to text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import cli, results
from harness.outputs.score_table import FORMATS, ScoreTable, render
from harness.types import Record

SCORES = st.floats(-1, 1, allow_nan=False)
NAMES = st.text("ab|_*<`\\&~$", min_size=1, max_size=6)


@st.composite
def comparisons(draw: st.DrawFn) -> ScoreTable:
    models = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    tasks = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    scores = {model: draw(st.dictionaries(st.sampled_from(tasks), SCORES)) for model in models}
    return ScoreTable(models=models, tasks=tasks, scores=scores)


# --- render ----------------------------------------------------------------------------------------------------------


@given(comparisons())
def test_markdown_is_a_table_whatever_the_names(comparison: ScoreTable) -> None:
    """As many cells in every row as in the header: no name opens a column of its own."""
    widths = []
    for line in render(comparison, format="markdown").splitlines():
        plain = line.replace("\\\\", "").replace("\\|", "")
        widths.append(plain.count("|"))
    assert len(set(widths)) == 1


@given(comparisons(), st.sampled_from(FORMATS))
def test_rendering_is_a_function_of_the_comparison(comparison: ScoreTable, style: Any) -> None:
    """The same text every time, ending in one newline."""
    text = render(comparison, format=style)
    assert text == render(comparison, format=style)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_the_mean_needs_every_task() -> None:
    """(1/2 + 1/4 + 0) / 3, and none for the model that lacks a task."""
    tasks = ["A", "B", "C"]
    scores = {"all": {"A": 1 / 2, "B": 1 / 4, "C": 0.0}, "some": {"A": 1.0, "B": 1.0}}
    comparison = ScoreTable(models=["all", "some"], tasks=tasks, scores=scores)
    assert comparison.mean("all") == 1 / 4
    assert comparison.mean("some") is None


def test_the_best_comes_first() -> None:
    """Models are ordered by their means; one that lacks a task has no mean and comes last."""
    scores = {"a": {"T": 0.25, "U": 0.25}, "b": {"T": 1.0}, "c": {"T": 0.5, "U": 0.25}}
    table = ScoreTable(models=["a", "b", "c"], tasks=["T", "U"], scores=scores)
    assert table.best_first().models == ["c", "a", "b"]


def test_what_is_equal_as_shown_is_best_together() -> None:
    """Bold goes by the digits shown; a lone model is not the best of anything."""
    two = ScoreTable(models=["a", "b"], tasks=["T"], scores={"a": {"T": 0.1234}, "b": {"T": 0.1231}})
    assert render(two, format="markdown", digits=1).count("**12.3**") == 2
    assert render(two, format="markdown", digits=2).count("**") == 2
    alone = ScoreTable(models=["a"], tasks=["T"], scores={"a": {"T": 0.5}})
    assert "**" not in render(alone, format="markdown")


def test_the_longer_side_becomes_the_rows() -> None:
    """Many tasks and few models: a row a task."""
    tasks = [f"T{i}" for i in range(6)]
    wide = ScoreTable(models=["a", "b"], tasks=tasks, scores={"a": dict.fromkeys(tasks, 0.5), "b": {}})
    lines = render(wide, format="table").splitlines()
    assert lines[0].split() == ["Task", "a", "b"]
    assert [line.split()[0] for line in lines[2:]] == [*tasks, "Mean"]


# --- records into a comparison ---------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[list[str]]]:
    """`table(...)`: the rows that `harness table --format csv` prints."""

    def call(*arguments: str) -> list[list[str]]:
        assert cli.main(["table", "--results", str(tmp_path), "--format", "csv", *arguments]) == 0
        return [line.split(",") for line in capsys.readouterr().out.splitlines()]

    return call


def put(folder: Path, model: str, task: str, scores: dict[str, dict[str, float]], **changes: Any) -> None:
    """Record main scores by split and subset; `extra` beside each is half of it."""
    entries = {
        split: [
            {"main_score": value, "extra": value / 2, "hf_subset": subset, "languages": ["deu-Latn"]}
            for subset, value in values.items()
        ]
        for split, values in scores.items()
    }
    content: dict[str, Any] = {
        "task": task,
        "model": model,
        "revision": "r1",
        "dataset_revision": "d",
        "scores": entries,
    }
    results.put(folder, Record(**(content | changes)), model_meta={})


def test_a_task_score_is_the_mean_of_its_parts(tmp_path: Path, table: Callable[..., Any]) -> None:
    """Over splits and subsets, each part counting once: (1 + 0 + 1/2 + 1/4) / 4 = 7/16."""
    put(tmp_path, "m", "Private", {"dev": {"a": 1.0, "b": 0.0}, "test": {"a": 0.5, "b": 0.25}})
    assert table() == [["model", "Private", "mean"], ["m", str(7 / 16), str(7 / 16)]]
    assert table("--splits", "test")[1] == ["m", str(3 / 8), str(3 / 8)]
    assert table("--metric", "extra", "--splits", "dev")[1][1] == str(1 / 4)


def test_only_declared_parts_of_a_known_task_count(tmp_path: Path, table: Callable[..., Any]) -> None:
    """A record may hold more than our task declares (mteb's own often do): those parts are left out."""
    put(tmp_path, "m", "MiniSTSGerman", {"test": {"default": 0.5}, "validation": {"default": 1.0}})
    assert table()[1] == ["m", "0.5", "0.5"]


def test_a_suite_wants_all_of_its_parts(tmp_path: Path, table: Callable[..., Any]) -> None:
    """Where a suite narrows a task, a record that lacks one of the parts has no score in it."""
    folder = tmp_path / "own"
    (folder / "suites").mkdir(parents=True)
    (folder / "suites" / "two.yaml").write_text(
        "name: two\ndescription: x\ntasks:\n"
        "- {task: SIB200Classification, splits: [test], subsets: [deu_Latn, eng_Latn]}\n- MiniSTSGerman\n"
    )
    store = tmp_path / "store"
    put(store, "all", "SIB200Classification", {"test": {"deu_Latn": 0.5, "eng_Latn": 0.25, "spa_Latn": 1.0}})
    put(store, "some", "SIB200Classification", {"test": {"deu_Latn": 0.5}})
    put(store, "some", "MiniSTSGerman", {"test": {"default": 0.75}})
    rows = table("--results", str(store), "--suite", "two", "--tasks-dir", str(folder))
    assert rows == [
        ["model", "SIB200Classification", "MiniSTSGerman", "mean"],
        ["all", str(3 / 8), "", ""],
        ["some", "", "0.75", ""],
    ]


def test_models_stand_in_the_order_asked_for(tmp_path: Path, table: Callable[..., Any]) -> None:
    """By name, or as named on the command line."""
    for name in ("b", "a", "c"):
        put(tmp_path, name, "Private", {"test": {"default": 0.5}})
    assert [row[0] for row in table()[1:]] == ["a", "b", "c"]
    assert [row[0] for row in table("c", "a")[1:]] == ["c", "a"]


def test_revisions_and_variants_are_rows_of_their_own(tmp_path: Path, table: Callable[..., Any]) -> None:
    """The revision is shown where a model has several, the variant where there is one."""
    put(tmp_path, "m", "Private", {"test": {"default": 0.5}}, revision="a" * 40)
    assert [row[0] for row in table()[1:]] == ["m"]
    put(tmp_path, "m", "Private", {"test": {"default": 0.25}}, revision="b" * 40)
    put(tmp_path, "m", "Private", {"test": {"default": 0.75}}, revision="b" * 40, variant="precision=fp16")
    rows = {row[0]: row[1] for row in table()[1:]}
    assert rows == {"m@aaaaaaaaaa": "0.5", "m@bbbbbbbbbb": "0.25", "m@bbbbbbbbbb [precision=fp16]": "0.75"}
