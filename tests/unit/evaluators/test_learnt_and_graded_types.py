"""Items, samples and digests of multilabel classification, regression and summarization."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness import data
from harness.evaluators import KINDS
from harness.evaluators.multilabel_classification import Multilabelled
from harness.evaluators.regression import Valued
from harness.evaluators.summarization import Summaries
from harness.evaluators.task_kind import Sides

RNG = np.random.default_rng(11)
SETS = [RNG.choice(4, size=RNG.integers(4), replace=False).tolist() for _ in range(90)]
GOLD: dict[str, Any] = {
    "MultilabelClassification": Multilabelled(
        train=[f"train {i}" for i in range(50)],
        train_labels=SETS[:50],
        test=[f"test {i}" for i in range(40)],
        test_labels=SETS[50:],
        label_names=("a", "b", "c", "d"),
    ),
    "Regression": Valued(
        train=[f"train {i}" for i in range(50)],
        train_values=RNG.normal(size=50),
        test=[f"test {i}" for i in range(40)],
        test_values=RNG.integers(9, size=40).astype(float),
    ),
    "Summarization": Summaries(
        sources=[f"text {i}" for i in range(12)],
        human=[[f"human {i}"] for i in range(12)],
        machine=[[f"machine {i} {j}" for j in range(5)] for i in range(12)],
        grades=[[2.0] * 5 if i == 4 else RNG.permutation(5).tolist() for i in range(12)],
    ),
}
each_type = pytest.mark.parametrize("name", GOLD)


@each_type
def test_items_make_the_scores(name: str) -> None:
    """The items of each metric give its score back, and name the rows of the data that they are about."""
    kind, gold = KINDS[name], GOLD[name]
    settings = kind.settings()
    vectors = {
        field: np.random.default_rng(len(field)).normal(size=(len(texts.items), 8)).astype(np.float32)
        for field, texts in kind.texts(gold, settings).items()
    }
    scores, items = kind.score(gold, Sides(**vectors) if kind.takes == "sides" else vectors, settings=settings)
    assert kind.main_metric in items
    for metric, of_metric in items.items():
        assert of_metric.is_sound()
        assert of_metric.whole() == pytest.approx(scores[metric], abs=1e-6), metric
        assert of_metric.merit().shape == (len(of_metric),)
    expected = [row for row in range(12) if row != 4] if name == "Summarization" else list(range(40))
    assert items[kind.main_metric].position.tolist() == expected


@each_type
def test_a_sample_is_other_data(name: str) -> None:
    """A quick run scores some of the items, with the same training data, under another digest."""
    gold = GOLD[name]
    sample = gold.sample(7)
    sides = [sample.sources] if name == "Summarization" else [sample.test]
    assert [len(side) for side in sides] == [7]
    assert getattr(sample, "train", None) == getattr(gold, "train", None)
    assert data.digest(sample) != data.digest(gold)
    assert gold.item_text(3).texts


def test_the_draws_of_earlier_subsets_are_part_of_the_digest() -> None:
    """The number of training texts of the subsets before moves the draws, and so the digest."""
    gold = GOLD["MultilabelClassification"]
    assert data.digest(replace(gold, rows_before=(50,))) != data.digest(gold)
