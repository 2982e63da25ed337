"""Two models on the same items: who is better where, and what is said when items are not known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import results
from harness.errors import UnknownName
from harness.evaluators import items as items_module
from harness.evaluators.items import Items, values
from harness.leaderboard.board_values import Leaderboard, Row
from harness.leaderboard.comparison import compare
from harness.leaderboard.pairwise import compare_all
from harness.leaderboard.uncertainty import with_uncertainty
from harness.outputs import comparison_text, pairwise_text
from harness.types import Part, Record
from tests import boards

PART = Part("test", "default")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def put(folder: Path, model: str, task: str, own: Items) -> None:
    record = Record(
        task=task,
        model=model,
        revision="r",
        dataset_revision="1",
        scores={"test": [{"main_score": own.whole(), "hf_subset": "default", "languages": []}]},
        harness={"fingerprint": f"{model}-{task}", "task_type": "Retrieval", "parts": {"test": {"seconds": {}}}},
    )
    results.put(folder, record, model_meta={}, items={PART: own})


def queries(seed: int, level: float, n: int = 200) -> Items:
    """The same 200 queries under a model of some level: what is hard is hard for all."""
    hardness = np.random.default_rng(1).normal(0, 0.2, n)
    noise = np.random.default_rng(seed).normal(0, 0.05, n)
    return values(np.clip(level + hardness + noise, 0, 1), metric="ndcg_at_10", unit="query")


def rows(board: Leaderboard) -> tuple[Row, Row]:
    by_label = {row.label: row for row in board.rows}
    return by_label["org/a"], by_label["org/b"]


def compared(folder: Path, *tasks: str) -> Any:
    board = boards.build(folder, tasks=boards.scoped(*tasks))
    return compare(board, *rows(board))


def test_better_alike_and_worse(tmp_path: Path) -> None:
    """Three tasks: A better, no difference, B better; verdicts after Holm, intervals that agree, n counted."""
    for task, (a, b) in {"T1": (0.6, 0.5), "T2": (0.5, 0.5), "T3": (0.4, 0.5)}.items():
        put(tmp_path, "org/a", task, queries(2, a))
        put(tmp_path, "org/b", task, queries(2 if task == "T2" else 3, b))
    found = compared(tmp_path, "T1", "T2", "T3")
    assert [task.verdict for task in found.tasks] == ["A", "not separable", "B"]
    assert [task.n for task in found.tasks] == [200, 200, 200]
    first, same, last = found.tasks
    assert first.interval.low > 0 > last.interval.high
    assert (same.difference, same.p, same.corrected) == (0, 1, 1)
    assert first.corrected == pytest.approx(min(1, 3 * first.p))
    assert found.overall.on_these.low < found.overall.a - found.overall.b < found.overall.on_these.high
    assert found.overall.verdict == "not separable"


def test_two_runs_of_one_model(tmp_path: Path) -> None:
    """Equal items: no difference anywhere, and one tie group on the leaderboard, which draws the items too."""
    for task in ("T1", "T2", "T3"):
        for model in ("org/a", "org/b"):
            put(tmp_path, model, task, queries(5, 0.5))
    found = compared(tmp_path, "T1", "T2", "T3")
    assert {task.verdict for task in found.tasks} == {"not separable"}
    assert found.overall.interval == (0.0, 0.0)
    board = with_uncertainty(boards.build(tmp_path, tasks=boards.scoped("T1", "T2", "T3")))
    assert "items" in board.uncertainty
    a, b = rows(board)
    assert (a.tie_group, a.interval, a.rank_span) == (b.tie_group, b.interval, b.rank_span)


def test_items_widen_the_interval(tmp_path: Path) -> None:
    """With its items drawn anew, a mean over equal tasks has an interval; by tasks alone it would have none."""
    for task in ("T1", "T2", "T3", "T4"):
        put(tmp_path, "org/a", task, queries(5, 0.5))
        put(tmp_path, "org/b", task, queries(6, 0.3))
    scope = boards.scoped("T1", "T2", "T3", "T4")
    with_items = with_uncertainty(boards.build(tmp_path, tasks=scope))
    for path in tmp_path.rglob("*.items.npz"):
        path.unlink()
    without = with_uncertainty(boards.build(tmp_path, tasks=scope))
    wide, narrow = rows(with_items)[0].interval, rows(without)[0].interval
    assert wide is not None
    assert narrow is not None
    assert narrow.high - narrow.low == pytest.approx(0, abs=1e-9)
    own = rows(with_items)[0].score_intervals["T1"]
    assert own.high - own.low == pytest.approx(2 * (wide.high - wide.low), rel=0.1)  # of one task, not of four
    standard_error = queries(5, 0.5).merit().std() / np.sqrt(200 * 4)
    assert wide.high - wide.low == pytest.approx(2 * 1.96 * standard_error, rel=0.1)


def test_draws_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second leaderboard draws no items, until a file of items changes."""
    for task in ("T1", "T2", "T3"):
        put(tmp_path, "org/a", task, queries(5, 0.5))
    calls: list[str] = []
    plain = items_module.replicates

    def spy(own: Items, **options: Any) -> Any:
        calls.append(options["task"])
        return plain(own, **options)

    monkeypatch.setattr("harness.leaderboard.resampled_scores.replicates", spy)
    scope = boards.scoped("T1", "T2", "T3")
    first = with_uncertainty(boards.build(tmp_path, tasks=scope))
    assert calls == ["T1", "T2", "T3"]
    assert with_uncertainty(boards.build(tmp_path, tasks=scope)).rows == first.rows
    assert calls == ["T1", "T2", "T3"]
    put(tmp_path, "org/a", "T2", queries(7, 0.5))
    with_uncertainty(boards.build(tmp_path, tasks=scope))
    assert calls == ["T1", "T2", "T3", "T2"]


def test_broken_items_are_named(tmp_path: Path) -> None:
    """They cost an interval, not the board, and are listed among the files that could not be read."""
    for task in ("T1", "T2", "T3"):
        put(tmp_path, "org/a", task, queries(5, 0.5))
    (broken,) = tmp_path.rglob("T2.items.npz")
    broken.write_bytes(broken.read_bytes()[:100])
    board = with_uncertainty(boards.build(tmp_path, tasks=boards.scoped("T1", "T2", "T3")))
    assert board.rows[0].score_intervals.keys() == {"T1", "T3"}
    assert [file.path for file in board.refused] == [str(broken)]
    assert "not an items file" in board.refused[0].reason


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ("missing", "no items recorded for org/b"),
        ("other items", "are not the same"),
        ("broken", "cannot be read"),
    ],
)
def test_without_items_there_is_no_verdict(tmp_path: Path, spoil: str, reason: str) -> None:
    """Items that are missing, broken or of other data: the difference stands, the verdict is unknown, and why."""
    put(tmp_path, "org/a", "T1", queries(2, 0.6))
    put(tmp_path, "org/b", "T1", queries(3, 0.5, n=100) if spoil == "other items" else queries(3, 0.5))
    (path,) = (tmp_path / "org__b").rglob("*.items.npz")
    if spoil == "missing":
        path.unlink()
    elif spoil == "broken":
        path.write_bytes(b"x")
    (task,) = compared(tmp_path, "T1").tasks
    assert (task.verdict, task.p, task.n) == ("unknown", None, 0)
    assert reason in task.why
    assert task.difference == pytest.approx(0.1, abs=0.03)


def test_nothing_in_common(tmp_path: Path) -> None:
    """Two models without a common task cannot be compared; tasks that one lacks are named."""
    boards.put(tmp_path, "org/a", "T1", 0.5)
    boards.put(tmp_path, "org/b", "T2", 0.5)
    with pytest.raises(UnknownName, match="no task in common"):
        compared(tmp_path, "T1", "T2")
    boards.put(tmp_path, "org/b", "T1", 0.4)
    found = compared(tmp_path, "T1", "T2")
    assert (found.only_a, found.only_b) == ((), ("T2",))


def test_what_is_printed(tmp_path: Path) -> None:
    """The text names both, every task with its verdict, and the overall difference; the JSON is strict and whole."""
    for task, (a, b) in {"T1": (0.6, 0.5), "T2": (0.6, 0.5), "T3": (0.6, 0.5)}.items():
        put(tmp_path, "org/a", task, queries(2, a))
        put(tmp_path, "org/b", task, queries(3, b))
    found = compared(tmp_path, "T1", "T2", "T3")
    text = comparison_text.render(found)
    assert "A  org/a\nB  org/b\n" in text
    assert text.count("200  A\n") == 3
    assert "A is better: by " in text
    document = json.loads(json.dumps(comparison_text.as_json(found), allow_nan=False))
    assert [task["verdict"] for task in document["tasks"]] == ["A", "A", "A"]
    assert document["overall"]["p"] < 0.05


def test_the_conclusion(tmp_path: Path) -> None:
    """One sentence: who is better and by how much, or how large a difference these items could have shown."""
    for model, level, seed in (("org/a", 0.6, 2), ("org/b", 0.5, 3), ("org/c", 0.595, 4)):
        put(tmp_path, model, "T1", queries(seed, level))
    better = comparison_text.conclusion(compared(tmp_path, "T1"))
    assert better.startswith("A is better: by ")
    assert "points (95% by these 200 queries: " in better
    board = boards.build(tmp_path, tasks=boards.scoped("T1"))
    a, _, c = sorted(board.rows, key=lambda row: row.label)
    even = compare(board, a, c)
    span = even.overall.span
    assert span is not None
    detectable = 2.8 * (span.high - span.low) / 2 / 1.96
    assert comparison_text.conclusion(even).endswith(
        f"and these 200 queries could show a difference of about {100 * detectable:.2f} points."
    )


def test_three_models(tmp_path: Path) -> None:
    """Each pair is compared on the tasks that all have; p is corrected over the pairs: the smallest of three by 3."""
    for model, level, seed in (("org/a", 0.6, 2), ("org/b", 0.5, 3), ("org/c", 0.6, 2)):
        put(tmp_path, model, "T1", queries(seed, level))
    put(tmp_path, "org/a", "T2", queries(2, 0.6))
    board = boards.build(tmp_path, tasks=boards.scoped("T1", "T2"))
    pairwise = compare_all(board, sorted(board.rows, key=lambda row: row.label))
    assert (pairwise.models, pairwise.tasks, pairwise.left_out) == (("org/a", "org/b", "org/c"), ("T1",), ("T2",))
    assert [pair.verdict for pair in pairwise.pairs] == ["A", "not separable", "B"]
    smallest = min(pair.comparison.overall.p or 0.0 for pair in pairwise.pairs)
    assert min(pair.corrected or 0.0 for pair in pairwise.pairs) == pytest.approx(3 * smallest)
    text = pairwise_text.render(pairwise)
    assert "A is better than B; C is better than B; in the other pair there is no evidence of a difference." in text
    assert json.loads(json.dumps(pairwise_text.as_json(pairwise), allow_nan=False))["left_out"] == ["T2"]
    assert list(pairwise.to_pandas()["verdict"]) == ["A", "not separable", "B"]
    assert "<table" in pairwise._repr_html_()
