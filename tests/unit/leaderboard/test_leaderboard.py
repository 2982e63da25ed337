"""From results folders to ranked rows: which file counts, what is missing and why, ranks by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness.errors import SpecError, UnknownName
from harness.leaderboard import api, counted_tasks, ranking
from harness.leaderboard.board_values import Leaderboard, Row
from harness.leaderboard.uncertainty import with_uncertainty
from harness.outputs.leaderboard_text import render
from harness.tasks import registry
from harness.types import Part
from tests import boards
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def row(board: Leaderboard, label: str) -> Row:
    return next(row for row in board.rows if row.label == label)


class TestRanking:
    def test_by_hand(self) -> None:
        """Three models, two types: means, a missing task, Borda points with a tie, and the rank by their sum."""
        nan = math.nan
        scores = np.array([[0.9, 0.5, 0.4], [0.8, 0.5, 0.6], [0.7, nan, 0.2]])
        found = ranking.rank(scores, ["STS", "STS", "Retrieval"])
        assert found.by_type == pytest.approx(np.array([[0.7, 0.4], [0.65, 0.6], [nan, 0.2]]), nan_ok=True)
        assert found.mean_task == pytest.approx([0.6, 1.9 / 3, nan], nan_ok=True)
        assert found.mean_type == pytest.approx([0.55, 0.625, nan], nan_ok=True)
        # Task 1: 2, 1, 0 points; task 2: the two that have it share ranks 1 and 2, 1.5 points each; task 3: 1, 2, 0.
        assert found.points.tolist() == [4.5, 4.5, 0.0]
        assert found.rank.tolist() == [1, 1, 3]

    def test_partial_scores_count_for_points_alone(self) -> None:
        """A task with some of its parts gives Borda points, as mteb has it, and no mean."""
        scores = np.array([[math.nan, 0.5], [0.1, 0.6]])
        partial = np.array([[0.9, 0.5], [0.1, 0.6]])
        found = ranking.rank(scores, ["STS", "STS"], partial=partial)
        assert found.points.tolist() == [1.0, 1.0]
        assert math.isnan(found.mean_task[0])

    def test_a_model_without_a_whole_task_takes_a_rank(self) -> None:
        """Points count from the two models with a row; the third one takes the second rank nonetheless."""
        found = ranking.rank(np.array([[0.9], [math.nan], [0.2]]), ["STS"], partial=np.array([[0.9], [0.5], [0.2]]))
        assert found.points.tolist() == [1.0, 0.0, -1.0]
        assert found.rank.tolist() == [1, 2, 3]

    @settings(max_examples=60)
    @given(arrays.arrays(float, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=st.floats(0, 1, width=16)))
    def test_points_add_up(self, scores: np.ndarray) -> None:
        """However scores tie, each task gives n (n - 1) / 2 points in all, and a better model never ranks lower."""
        n, tasks = scores.shape
        found = ranking.rank(scores, ["STS"] * tasks)
        assert found.points.sum() == pytest.approx(tasks * n * (n - 1) / 2)
        for a in range(n):
            for b in range(n):
                if (scores[a] >= scores[b]).all():
                    assert found.rank[a] <= found.rank[b]


class TestSelection:
    def test_the_order_of_preference(self, tmp_path: Path) -> None:
        """mteb's main revision, then a known version, then a real revision, then the newest version."""
        main = "8b3219a92973c328a8e22fadcfa821b5dc75636a"
        model = "sentence-transformers/all-MiniLM-L6-v2"
        ladder: list[tuple[str, dict[str, Any]]] = [
            ("external", {"mteb_version": None}),
            ("later", {"mteb_version": "1.2.3--1.9.0"}),  # a range is no version
            ("external2", {"mteb_version": "1.38.9"}),
            ("newer", {"mteb_version": "2.10.1"}),
            (main, {"mteb_version": None}),
        ]
        for step, (revision, extra) in enumerate(ladder):
            boards.put(tmp_path, model, "T", step / 10, revision=revision, **extra)
            found = boards.build(tmp_path, tasks=boards.scoped("T"))
            assert found.rows[0].scores == {"T": step / 10}, revision
            assert found.rows[0].revisions == (revision,)

    def test_the_latest_date_then_the_first_folder(self, tmp_path: Path) -> None:
        """Two alike: the later date counts; without dates, the folder that was named first."""
        boards.put(tmp_path / "one", "org/a", "T", 0.1, revision="r1", date=1_700_000_000.0)
        boards.put(tmp_path / "one", "org/a", "T", 0.2, revision="r2", date=1_800_000_000.0)
        assert boards.build(tmp_path / "one", tasks=boards.scoped("T")).rows[0].scores["T"] == 0.2
        boards.put(tmp_path / "two", "org/b", "T", 0.3)
        boards.put(tmp_path / "three", "org/b", "T", 0.4)
        for folders, expected in ((("two", "three"), 0.3), (("three", "two"), 0.4)):
            found = boards.build(*(tmp_path / name for name in folders), tasks=boards.scoped("T"))
            assert found.rows[0].scores["T"] == expected

    def test_revisions_apart(self, tmp_path: Path) -> None:
        """With `revisions`, every revision has a row of its own, named by it."""
        for revision, value in (("r1", 0.1), ("r2", 0.2)):
            boards.put(tmp_path, "org/a", "T", value, revision=revision)
        found = boards.build(tmp_path, tasks=boards.scoped("T"), revisions=True)
        assert [entry.label for entry in found.rows] == ["org/a@r2", "org/a@r1"]

    def test_variants(self, tmp_path: Path) -> None:
        """Another precision is a row only where it was asked for, and is counted where it was not."""
        boards.put(tmp_path, "org/a", "T", 0.1)
        place = tmp_path / "org__a" / "r1" / "experiments" / "precision_fp16"
        boards.write(place / "T.json", (tmp_path / "org__a" / "r1" / "T.json").read_text())
        boards.write(
            place / "model_meta.json",
            '{"name": "org/a", "revision": "r1", "experiment_kwargs": {"precision": "fp16"}}',
        )
        plain = boards.build(tmp_path, tasks=boards.scoped("T"))
        assert ([entry.label for entry in plain.rows], plain.variants_left_out) == (["org/a"], 1)
        both = boards.build(tmp_path, tasks=boards.scoped("T"), variants=True)
        assert [entry.label for entry in both.rows] == ["org/a", "org/a [precision=fp16]"]


class TestGaps:
    def test_every_reason(self, tmp_path: Path) -> None:
        """Not recorded, a part lacking, no main score, refused: each gap says which."""
        two = {Part("test", "de"): 0.5, Part("test", "en"): 0.7}
        boards.put(tmp_path, "org/full", "A", two)
        for task in ("B", "C", "D"):
            boards.put(tmp_path, "org/full", task, 0.5)
        boards.put(tmp_path, "org/gaps", "A", {Part("test", "de"): 0.9})
        boards.put(tmp_path, "org/gaps", "B", None)
        boards.write(tmp_path / "org__gaps" / "r1" / "C.json", "{")
        found = boards.build(tmp_path, tasks=boards.scoped("A", "B", "C", "D", "E"))
        assert row(found, "org/full").scores["A"] == pytest.approx(0.6)
        with pytest.raises(StopIteration):
            row(found, "org/gaps")  # it has no whole task, and so no row, as in mteb's table
        boards.put(tmp_path, "org/gaps", "D", 0.5)
        gaps = row(boards.build(tmp_path, tasks=boards.scoped("A", "B", "C", "D", "E")), "org/gaps")
        assert gaps.missing["A"] == "lacks test/en"
        assert gaps.missing["B"] == "no main score for test"
        assert gaps.missing["C"].startswith("refused: not JSON")
        assert gaps.mean_task is None
        assert "D" not in gaps.missing
        assert [task.name for task in found.unrecorded] == ["E"]

    def test_a_task_that_nobody_can_run_here(self, tmp_path: Path) -> None:
        """A task of a suite that is only recorded elsewhere counts, and its gap says why it cannot be filled."""
        suites, folder = tmp_path / "tasks" / "suites", tmp_path / "results"
        suites.mkdir(parents=True)
        (suites / "odd.yaml").write_text(
            "name: odd\ndescription: x\ntasks: [STSBenchmark]\nrecorded_only:\n"
            "- {task: Elsewhere, type: Oddity, splits: [test], subsets: {default: [eng-Latn]}}\n",
            encoding="utf-8",
        )
        boards.put(folder, "org/a", "STSBenchmark", 0.5)
        boards.put(folder, "org/b", "STSBenchmark", 0.5)
        boards.put(folder, "org/b", "Elsewhere", 0.3)
        tasks = boards.of_suite("odd", tmp_path / "tasks")
        found = boards.build(folder, tasks=tasks)
        assert found.types == ("STS", "Oddity")
        assert row(found, "org/b").mean_task == pytest.approx(0.4)
        assert row(found, "org/a").missing == {"Elsewhere": "not recorded, and cannot be run here"}

    def test_models_without_a_row_are_named(self, tmp_path: Path) -> None:
        """A model with a part of the task alone has no row; it is named, and the rank that it takes stays free."""
        parts = {Part("test", "x"): 0.9, Part("test", "y"): 0.9}
        boards.put(tmp_path, "org/a", "T", parts)
        boards.put(tmp_path, "org/b", "T", {Part("test", "x"): 0.5})
        boards.put(tmp_path, "org/c", "T", dict.fromkeys(parts, 0.2))
        found = boards.build(tmp_path, tasks=boards.scoped("T"))
        assert {row.label: row.rank for row in found.rows} == {"org/a": 1, "org/c": 3}
        assert found.without_row == {"org/b": {"T": "lacks test/y"}}
        assert "1 model has no task with all of its parts, so no row: org/b (T: lacks test/y)." in render(
            found, format="table"
        )

    def test_nothing_fits(self, tmp_path: Path) -> None:
        """No record of these tasks, or no such model: an error with a suggestion, not an empty table."""
        boards.put(tmp_path, "org/model", "T", 0.5)
        with pytest.raises(UnknownName, match="no record fits"):
            boards.build(tmp_path, tasks=boards.scoped("U"))
        with pytest.raises(UnknownName, match="did you mean org/model"):
            boards.build(tmp_path, tasks=boards.scoped("T"), models=["org/modle"])


class TestScope:
    def test_filters(self) -> None:
        """Types, languages and exclusions narrow the tasks; a language narrows the parts."""
        tasks = boards.of_suite("MTEB(deu, v1)")
        kept = counted_tasks.filtered(tasks, counted_tasks.Filters(types=["STS"], exclude=["GermanSTSBenchmark"]))
        assert {task.type for task in kept} == {"STS"}
        assert "GermanSTSBenchmark" not in {task.name for task in kept}
        spanish = counted_tasks.of_names(registry.get_tasks(), ["SIB200Classification"], recorded={})
        (narrowed,) = counted_tasks.filtered(spanish, counted_tasks.Filters(languages=["es"]))
        assert {part.subset for part in narrowed.parts or ()} == {"spa_Latn"}
        assert narrowed.languages == ("spa-Latn",)

    @pytest.mark.parametrize(
        ("filters", "message"),
        [
            (counted_tasks.Filters(types=["Sts"]), "did you mean STS"),
            (counted_tasks.Filters(exclude=["Banking"]), "no task to exclude"),
            (counted_tasks.Filters(languages=["klingon"]), "no language or subset"),
            (counted_tasks.Filters(languages=["fr"]), "no task fits"),
        ],
    )
    def test_filters_that_fit_nothing(self, filters: counted_tasks.Filters, message: str) -> None:
        """A filter that names nothing, or leaves nothing, is an error."""
        with pytest.raises(UnknownName, match=message):
            counted_tasks.filtered(boards.of_suite("mini"), filters)

    def test_splits(self, tmp_path: Path) -> None:
        """Only the chosen splits count."""
        boards.put(tmp_path, "org/a", "T", {Part("test", "x"): 0.5, Part("validation", "x"): 0.9})
        (task,) = counted_tasks.filtered(boards.scoped("T"), counted_tasks.Filters(splits=["test"]))
        assert boards.build(tmp_path, tasks=(task,)).rows[0].scores == {"T": 0.5}

    def test_unknown_task(self) -> None:
        """A task that is neither declared nor recorded is an error with the nearest names."""
        with pytest.raises(UnknownName, match="STSBenchmark"):
            counted_tasks.of_names(registry.get_tasks(), ["STSBenchmrk"], recorded={})

    def test_a_suite_file_with_a_task_twice(self, tmp_path: Path) -> None:
        """A task cannot be both run and only recorded; the error names the line."""
        (tmp_path / "suites").mkdir()
        (tmp_path / "suites" / "odd.yaml").write_text(
            "name: odd\ndescription: x\ntasks: [STSBenchmark]\nrecorded_only:\n"
            "- {task: STSBenchmark, type: STS, splits: [test], subsets: {default: [eng-Latn]}}\n"
        )
        with pytest.raises(SpecError, match=r"odd\.yaml:5: .*listed among the tasks too"):
            registry.get_tasks([tmp_path]).suite("odd")


class TestUncertainty:
    def test_two_runs_of_one_model_are_tied(self, tmp_path: Path) -> None:
        """Equal scores under two names: one tie group, the same ranks, the same interval; a worse one is apart."""
        generator = np.random.default_rng(0)
        for number in range(12):
            value = float(generator.uniform(0.4, 0.8))
            for name, less in (("org/run1", 0.0), ("org/run2", 0.0), ("org/worse", 0.1)):
                boards.put(tmp_path, name, f"T{number}", value - less)
        found = with_uncertainty(boards.build(tmp_path, tasks=boards.scoped(*(f"T{n}" for n in range(12)))))
        first, second, worse = (row(found, f"org/{name}") for name in ("run1", "run2", "worse"))
        assert (first.tie_group, first.rank_span) == (second.tie_group, second.rank_span) == (1, (1, 2))
        assert first.interval == second.interval
        assert (worse.tie_group, worse.rank_span) == (2, (3, 3))

    def test_minilm_and_hashing_on_mini(self) -> None:
        """The committed reference run separates all-MiniLM-L6-v2 from hashing on the suite mini."""
        tasks = boards.of_suite("mini")
        found = with_uncertainty(boards.build(ROOT / "results", tasks=tasks))
        best, hashing = row(found, "bundled/all-MiniLM-L6-v2"), row(found, "baseline/hashing")
        assert (best.rank, best.tie_group, best.rank_span) == (1, 1, (1, 1))
        assert hashing.tie_group == 2
        assert row(found, "baseline/bm25").interval is None  # it lacks most tasks

    def test_too_few_tasks(self, tmp_path: Path) -> None:
        """Two tasks give no interval."""
        for task in ("A", "B"):
            boards.put(tmp_path, "org/a", task, 0.5)
        found = with_uncertainty(boards.build(tmp_path, tasks=boards.scoped("A", "B")))
        assert found.uncertainty == ""
        assert found.rows[0].interval is None


class TestFacts:
    def test_speed_size_and_zero_shot(self, tmp_path: Path) -> None:
        """Tokens over seconds of encoding on the most used device; the share of tasks not trained on."""

        def harness(device: str, tokens: int | None, seconds: float) -> dict[str, Any]:
            part = {"seconds": {"encode": seconds}, "texts": 10, "tokens": tokens}
            return {"task_type": "STS", "encoder": {"device": "cuda", "device_name": device}, "parts": {"test": part}}

        meta = {"n_parameters": 5, "training_datasets": {"A": [], "elsewhere": []}}
        boards.put(tmp_path, "org/a", "A", 0.5, meta=meta, harness=harness("H100", 1_000, 2.0))
        boards.put(tmp_path, "org/a", "B", 0.5, harness=harness("H100", 500, 1.0), meta=meta)
        boards.put(tmp_path, "org/a", "C", 0.5, harness=harness("CPU", 10, 100.0), meta=meta)
        found = boards.build(tmp_path, tasks=boards.scoped("A", "B", "C")).rows[0]
        assert found.throughput.device == "H100"
        assert found.throughput.tokens_per_second == 500.0
        assert found.zero_shot == pytest.approx(2 / 3)
        assert found.facts.parameters == 5


class TestCommon:
    def test_only_the_tasks_of_all_models_count(self, tmp_path: Path) -> None:
        """With `common`, a task that one of the models lacks is left out and named, and every row has its means."""
        for model, task, score in [("a", "T", 0.5), ("a", "U", 0.9), ("b", "T", 0.6), ("c", "T", 0.1), ("c", "U", 0.2)]:
            boards.put(tmp_path, f"org/{model}", task, score)
        found = api.rank(results=tmp_path, common=True)
        assert [task.name for task in found.tasks] == ["T"]
        assert [task.name for task in found.not_common] == ["U"]
        assert [(row.label, row.mean_task) for row in found.rows] == [("org/b", 0.6), ("org/a", 0.5), ("org/c", 0.1)]
        assert "Ranked over the 1 of 2 tasks that all of these models have" in render(found, format="table")
        assert [task.name for task in api.rank(["org/a", "org/c"], results=tmp_path, common=True).tasks] == ["T", "U"]

    def test_nothing_in_common(self, tmp_path: Path) -> None:
        """Models without a common task are an error that says what to do."""
        boards.put(tmp_path, "org/a", "T", 0.5)
        boards.put(tmp_path, "org/b", "U", 0.5)
        with pytest.raises(UnknownName, match="all 2 models, of which the fewest tasks have: org/a 1, org/b 1; name"):
            api.rank(results=tmp_path, common=True)

    def test_the_board_says_what_completes_a_row(self, tmp_path: Path) -> None:
        """Under the rows that lack tasks stands the command that computes them, with the model's name if it is one."""
        boards.put(tmp_path, "org/a", "STSBenchmark", 0.5)
        boards.put(tmp_path, "org/a", "BIOSSES", 0.5)
        boards.put(tmp_path, "org/b", "BIOSSES", 0.5)
        text = render(api.rank(results=tmp_path, suite="MTEB(eng, v2)"), format="table")
        assert "To complete a row: harness run org/b --suite 'MTEB(eng, v2)'; --common ranks over" in text

    def test_a_renamed_task_is_one_column(self, tmp_path: Path) -> None:
        """A file of another program under a former name of a task of mteb counts as the task by today's name."""
        boards.put(tmp_path, "org/a", "CMedQAv1", 0.5)
        boards.put(tmp_path, "org/b", "CMedQAv1-reranking", 0.25)
        boards.put(tmp_path, "org/c", "NorwegianParliament", 0.75)
        found = api.rank(results=tmp_path)
        assert [task.name for task in found.tasks] == ["CMedQAv1-reranking", "NorwegianParliamentClassification"]
        assert {row.label: dict(row.scores) for row in found.rows} == {
            "org/a": {"CMedQAv1-reranking": 0.5},
            "org/b": {"CMedQAv1-reranking": 0.25},
            "org/c": {"NorwegianParliamentClassification": 0.75},
        }
        assert api.rank(results=tmp_path, suite="MTEB(cmn, v1)").rows[0].label == "org/a"


def test_a_table_that_fits_a_terminal(tmp_path: Path) -> None:
    """In few columns: rank, short name, mean, and the types that fit; how many columns are left out is told."""
    for model, score in (("organisation/first-model", 0.75), ("organisation/second-model", 0.5)):
        for task in ("T1", "T2", "T3"):
            boards.put(tmp_path, model, task, score)
    board = boards.build(tmp_path, tasks=boards.scoped("T1", "T2", "T3"))
    whole = render(board, format="table")
    assert max(map(len, whole.splitlines())) > 50
    assert render(board, format="table", width=1000) == whole
    lines = render(board, format="table", width=36).splitlines()
    assert lines[0].split()[:3] == ["Rank", "Model", "Mean"]
    assert lines[2].split()[:3] == ["1", "first-model", "75.00"]
    assert all(len(line) <= 36 for line in lines[:4])
    assert "1 column did not fit; --wide shows all." in lines
