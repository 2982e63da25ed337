"""Every result of the two model cards in ../shared/seeds has its task, subset, split and metric here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from harness.evaluators import KINDS
from harness.tasks import registry
from harness.types import Part, TaskSpec

ROOT = Path(__file__).parents[2]
SEEDS = ROOT.parent / "shared" / "seeds"
GERMAN = SEEDS / "004_9f7433b76641abc1.txt"
SPANISH = SEEDS / "000_90bdf92f02f85c49.txt"

pytestmark = pytest.mark.skipif(not SEEDS.is_dir(), reason="no ../shared/seeds beside this checkout: no cards to read")

RENAMED = {"cos_sim_spearman": "cosine_spearman", "ap": "max_ap"}
"""Metric of mteb 1 -> its name since mteb 2; others keep theirs. mteb 1's `ap` was the best over the distances."""

SIMILARITIES = ("cosine", "manhattan", "euclidean")


class Result(NamedTuple):
    """One result of a card."""

    task: str
    type: str
    path: str
    revision: str
    config: str
    split: str
    metric: str

    def __str__(self) -> str:
        return f"{self.task} {self.split}"


def front_matter(card: Path) -> Mapping[str, Any]:
    """The YAML between the first two lines of dashes."""
    content: Mapping[str, Any] = yaml.safe_load(card.read_text(encoding="utf-8").split("---\n")[1])
    return content


def _results() -> list[Result]:
    if not GERMAN.is_file():
        return []
    (model,) = front_matter(GERMAN)["model-index"]
    return [
        Result(
            task=entry["dataset"]["name"].removeprefix("MTEB "),
            type=entry["task"]["type"],
            path=entry["dataset"]["type"],
            revision=entry["dataset"]["revision"],
            config=entry["dataset"]["config"],
            split=entry["dataset"]["split"],
            metric=RENAMED.get(metric["type"], metric["type"]),
        )
        for entry in model["results"]
        for metric in entry["metrics"]
    ]


RESULTS = _results()


def _config_of(task: TaskSpec, subset: str) -> str:
    return task.configs.get(subset, subset)


def test_the_card_has_26_results() -> None:
    """None was lost on the way here; GermanSTSBenchmark stands twice, so that 24 are different."""
    assert len(RESULTS) == 26
    assert len(set(RESULTS)) == 24
    assert len({result.task for result in RESULTS}) == 16


@pytest.mark.parametrize("result", RESULTS, ids=str)
def test_a_result_of_the_german_card_is_a_cell_of_ours(result: Result) -> None:
    """Its task has the card's type, data set, commit, config and split, and computes the card's metric."""
    task = registry.get_tasks().get(result.task)
    assert task.type == result.type
    assert (task.source.kind, task.source.path, task.source.revision) == ("hub", result.path, result.revision)
    (subset,) = [subset for subset in task.subsets if _config_of(task, subset) == result.config]
    assert Part(result.split, subset) in task.parts
    assert any(language.startswith("deu") for language in task.subsets[subset])
    assert result.metric in KINDS[task.type].metrics(task.settings)
    assert task.main_metric == result.metric


def test_the_suite_german_card_is_the_card() -> None:
    """The suite holds the card's cells and no others, in the card's order of tasks."""
    known = registry.get_tasks()
    suite = known.suite("german-card")
    cells = {(name, *part) for name in suite.tasks for part in suite.parts.get(name, known.get(name).parts)}
    assert cells == {(result.task, result.split, result.config) for result in RESULTS}
    assert list(suite.tasks) == list(dict.fromkeys(result.task for result in RESULTS))


def test_the_spanish_card() -> None:
    """Its data set is the task stsb_multi_mt, in Spanish, German, English and more, with the metrics of its report."""
    card = front_matter(SPANISH)
    task = registry.get_tasks().get("stsb_multi_mt")
    assert card["datasets"] == [task.name]
    assert task.source.path == f"PhilipMay/{task.name}"
    assert {"es", "de", "en"} < set(task.subsets)
    assert set(task.splits) == {"test", "dev"}
    reported = {f"{similarity}_{kind}" for similarity in SIMILARITIES for kind in ("pearson", "spearman")}
    assert reported <= set(KINDS[task.type].metrics(task.settings))
    suite = registry.get_tasks().suite("spanish-sts")
    assert suite.parts[task.name] == (Part("test", card["language"]),)
