"""The leaderboard as text in every format, to the byte: `tests/golden/leaderboard/<case>.<suffix>`.

To accept a deliberate change, run `HARNESS_UPDATE_GOLDEN=1 pytest tests/golden` and read the difference.
"""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from harness.errors import UnknownName
from harness.leaderboard.board_values import Leaderboard, Row
from harness.leaderboard.counted_tasks import ScopedTask
from harness.leaderboard.folder_owners import ModelFacts
from harness.leaderboard.model_facts import Throughput
from harness.leaderboard.record_choice import Who
from harness.outputs.leaderboard_text import Format, ordered, render
from harness.stats.bootstrap import Interval
from harness.stats.ranks import RankSpan
from harness.types import Part, Refused

FOLDER = Path(__file__).parent / "leaderboard"
SUFFIX: dict[Format, str] = {"table": "txt", "markdown": "md", "csv": "csv", "json": "json", "html": "html"}


def row(label: str, rank: int, scores: dict[str, float], **more: Any) -> Row:
    complete = len(scores) == 3
    mean = sum(scores.values()) / 3 if complete else None
    return Row(
        who=Who(label),
        label=label,
        revisions=("abc",),
        rank=rank,
        points=float(3 - rank),
        mean_task=mean,
        mean_type=mean,
        by_type={
            "STS": scores.get("STS-A"),
            "Retrieval": scores.get("Search|B"),
            "Summarization": scores.get("=SUM(1)"),
        },
        scores=scores,
        missing={} if complete else {"=SUM(1)": "not recorded, and cannot be run here"},
        files={},
        **more,
    )


BOARD = Leaderboard(
    title="MTEB(test, v1)",
    tasks=(
        ScopedTask("STS-A", "STS", None, spoken=MappingProxyType({"default": ("deu-Latn",)})),
        ScopedTask("Search|B", "Retrieval", None),
        ScopedTask("=SUM(1)", "Summarization", None, recorded_only=True),
    ),
    parts=((Part("test", "default"),), (Part("test", "en"), Part("test", "de")), (Part("test", "default"),)),
    types=("STS", "Retrieval", "Summarization"),
    rows=(
        row(
            "org/best",
            1,
            {"STS-A": 0.9, "Search|B": 0.6, "=SUM(1)": 0.3},
            interval=Interval(0.31, 0.89),
            rank_span=RankSpan(1, 2),
            tie_group=1,
            facts=ModelFacts(parameters=22_713_216, dimensions=384, max_tokens=256),
            throughput=Throughput(device="NVIDIA H100", precision="bf16", tokens_per_second=1_234_567.0),
            zero_shot=2 / 3,
        ),
        row("<script>alert('x')</script> | *b*", 2, {"STS-A": 0.5, "Search|B": 0.5, "=SUM(1)": 0.5}),
        row("org/lacking", 3, {"STS-A": 0.95, "Search|B": 0.1}),
    ),
    unrecorded=(ScopedTask("Nobody", "STS", None),),
    refused=(Refused("results/x.json", "not JSON"),),
    uncertainty="95% by bootstrap: tasks resampled",
)


@pytest.mark.parametrize("style", SUFFIX)
def test_golden(style: Format) -> None:
    """Every format is as committed."""
    text = render(BOARD, format=style)
    path = FOLDER / f"board.{SUFFIX[style]}"
    if os.environ.get("HARNESS_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_machines_read_every_score() -> None:
    """CSV and JSON give back what went in; a missing score is empty or null."""
    lines = list(csv.DictReader(io.StringIO(render(BOARD, format="csv"))))
    whole = json.loads(render(BOARD, format="json"))
    for line, model, entry in zip(lines, whole["models"], BOARD.rows, strict=True):
        assert line["model"] == model["model"] == entry.who.model
        assert model["scores"] == entry.scores
        for task in ("STS-A", "Search|B", "=SUM(1)"):
            assert line[f"task:{task}"] == str(entry.scores.get(task, ""))


def test_hostile_names_stay_text() -> None:
    """No format lets a name out of its cell."""
    assert "<script" not in render(BOARD, format="html")
    markdown = render(BOARD, format="markdown")
    assert "<script" not in markdown
    pipes = {line.replace("\\|", "").count("|") for line in markdown.splitlines() if line.startswith("|")}
    assert len(pipes) == 1


@pytest.mark.parametrize(
    ("by", "first"),
    [
        (None, "org/best"),
        ("mean (task)", "org/best"),
        ("STS-A", "org/lacking"),
        ("Parameters", "org/best"),
        ("Model", "<script>alert('x')</script> | *b*"),
        ("Missing", "org/best"),
    ],
)
def test_sort(by: str | None, first: str) -> None:
    """By any column or task, best first, without regard to case; rows without a value last."""
    rows = ordered(BOARD, by)
    assert rows[0].label == first
    if by == "mean (task)":
        assert rows[-1].label == "org/lacking"


def test_sort_by_nothing_known() -> None:
    """An unknown column is an error with the nearest names."""
    with pytest.raises(UnknownName, match=r"did you mean Mean \(Task\)"):
        ordered(BOARD, "Mean(Task)")
