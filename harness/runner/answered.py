"""What a model answered, as the items that are kept beside a record (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.results import items
from harness.types import Labelled, Mined, Pairs, Ranked

if TYPE_CHECKING:
    from harness.results.items import Items
    from harness.runner.measurement import Measured
    from harness.types import Gold, TaskSpec


def items_of(task: TaskSpec, gold: Gold, measured: Measured) -> Items | None:
    """The items whose score is the part's main score; None where the main metric is not made of single items."""
    family, _, metric = task.main_metric.rpartition("_")
    answers, scores = measured.answers, measured.scores
    if task.type == "STS" and isinstance(gold, Pairs) and metric in ("spearman", "pearson"):
        return items.correlation(answers[f"{family}_" if family else ""], gold.gold, metric=metric)  # type: ignore[arg-type]
    if task.type == "PairClassification" and isinstance(gold, Pairs) and metric == "ap":
        families = answers if family == "max" else {family: answers[family]}
        return items.matching(families, gold.gold)
    if isinstance(gold, Labelled) and task.main_metric in ("accuracy", "f1"):
        return items.labels(gold.test_labels, answers["predicted"], metric=task.main_metric)  # type: ignore[arg-type]
    if isinstance(gold, Mined) and task.main_metric in ("accuracy", "f1"):
        return items.mined(gold.gold, answers["nearest"], metric=task.main_metric)  # type: ignore[arg-type]
    if isinstance(gold, Ranked) and task.main_metric in answers:
        return items.values(answers[task.main_metric], metric=task.main_metric, unit="query")
    if task.type == "Clustering" and task.main_metric == "v_measure":
        found = scores["v_measures"]
        values = [value for level in found.values() for value in level] if isinstance(found, dict) else found
        return items.values(np.asarray(values), metric="v_measure", unit="experiment")
    return None
