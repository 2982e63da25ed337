"""The comparison table in every format, to the byte: `tests/golden/table/<case>.<suffix>`.

To accept a deliberate change, run `HARNESS_UPDATE_GOLDEN=1 pytest tests/golden` and read the difference.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from pathlib import Path

import pytest

from harness.outputs.score_table import FORMATS, Format, ScoreTable, render

FOLDER = Path(__file__).parent / "table"
SUFFIX = {"table": "txt", "markdown": "md", "csv": "csv", "json": "json", "latex": "tex"}

CASES = {
    # Few tasks: a row for each model. The second task is a tie at four decimals; one model lacks a task and so a mean.
    "models": ScoreTable(
        models=["sentence-transformers/all-MiniLM-L6-v2", "baseline/hashing", "baseline/bm25"],
        tasks=["GermanSTSBenchmark", "SciFact"],
        scores={
            "sentence-transformers/all-MiniLM-L6-v2": {"GermanSTSBenchmark": 0.605617, "SciFact": 0.64508},
            "baseline/hashing": {"GermanSTSBenchmark": 2 / 3, "SciFact": 0.645079999},
            "baseline/bm25": {"SciFact": 0.5},
        },
    ),
    # More tasks than models: a row for each task, and the mean last.
    "tasks": ScoreTable(
        models=["one", "two"],
        tasks=["A", "B", "C", "D"],
        scores={"one": {"A": 1.0, "B": 0.0, "C": 0.25, "D": 0.5}, "two": {"A": 0.5, "B": 0.125, "C": 1 / 3}},
    ),
    # A single model and task: nothing to compare, so no mean and nothing in bold.
    "single": ScoreTable(models=["one"], tasks=["A"], scores={"one": {"A": -0.25}}),
    # Names that mean something in Markdown, HTML, LaTeX or CSV.
    "hostile": ScoreTable(
        models=[
            "org/a|b_c*d",
            "<script>alert('x')</script>",
            r"back\slash [link](http://x) `code`",
            'say "hi", ~~all~~',
        ],
        tasks=["Task_1_*2*", "100% {of} #1 & $x^2~"],
        scores={
            "org/a|b_c*d": {"Task_1_*2*": 0.5, "100% {of} #1 & $x^2~": 0.25},
            "<script>alert('x')</script>": {"Task_1_*2*": 0.75, "100% {of} #1 & $x^2~": 0.125},
            r"back\slash [link](http://x) `code`": {"Task_1_*2*": 0.5, "100% {of} #1 & $x^2~": 0.5},
            'say "hi", ~~all~~': {},
        },
    ),
}


@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_the_table_is_as_it_was(case: str, style: Format) -> None:
    """Every format renders as the file that lies here, byte for byte."""
    file = FOLDER / f"{case}.{SUFFIX[style]}"
    rendered = render(CASES[case], format=style)
    if os.environ.get("HARNESS_UPDATE_GOLDEN"):
        file.write_text(rendered, encoding="utf-8", newline="\n")
    assert rendered.encode() == file.read_bytes()


def test_no_golden_file_is_forgotten() -> None:
    """Every golden file belongs to a case, so that none goes stale unseen."""
    files = {file.name for file in FOLDER.iterdir()}
    assert files == {f"{case}.{suffix}" for case in CASES for suffix in SUFFIX.values()}


def test_markdown_cells_stay_in_their_columns() -> None:
    """Whatever is in a name, every row has as many cells as the header and no tag or emphasis of its own."""
    lines = render(CASES["hostile"], format="markdown").splitlines()
    bars = [line.replace("\\\\", "").replace(r"\|", "").count("|") for line in lines]
    assert bars == [5] * len(lines)
    text = "\n".join(lines)
    assert "<script" not in text
    assert re.sub(r"\*\*\d+\.\d+\*\*|\\\*", "", text).count("*") == 0


def test_csv_and_json_hold_everything() -> None:
    """CSV and JSON read back to the very names and, unrounded, the very scores."""
    for comparison in CASES.values():
        read = list(csv.DictReader(io.StringIO(render(comparison, format="csv"), newline="")))
        assert [row["model"] for row in read] == list(comparison.models)
        parsed = json.loads(render(comparison, format="json"))
        assert [row["model"] for row in parsed] == list(comparison.models)
        for row, entry, model in zip(read, parsed, comparison.models, strict=True):
            expected = {task: comparison.scores[model].get(task) for task in comparison.tasks}
            assert entry["scores"] == expected
            assert {task: float(row[task]) if row[task] else None for task in comparison.tasks} == expected
            assert entry["mean"] == comparison.mean(model)


def test_means() -> None:
    """The mean is over all tasks, and absent for a model that lacks one."""
    tasks = CASES["tasks"]
    assert tasks.mean("one") == (1 + 0 + 1 / 4 + 1 / 2) / 4
    assert tasks.mean("two") is None


def test_digits() -> None:
    """`digits` rounds what is shown, and what is equal as shown is best together."""
    two = ScoreTable(models=["a", "b"], tasks=["T"], scores={"a": {"T": 0.1234}, "b": {"T": 0.1231}})
    assert render(two, format="markdown", digits=1).count("**12.3**") == 2
    assert render(two, format="markdown", digits=2).count("**") == 2
    assert render(two, format="markdown", digits=4, scale=1).count("**0.1234**") == 1
