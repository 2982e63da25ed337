"""Bitext mining: is the nearest text on the other side the translation?

For every left text the right text of highest similarity is taken; accuracy, and precision, recall and F1 over right
texts as classes, weighted by how often each is the true one. Reference: mteb 2.26.24 (`AbsTaskBitextMining`), with the
model's own similarity. Of equally near texts the one that stands first is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.evaluators import items, metrics
from harness.evaluators.similarity import block_scores, prepare
from harness.evaluators.task_kind import Scored, Sides
from harness.types import BitextMiningSettings, Mined, Texts

if TYPE_CHECKING:
    from harness.types import Float32, Int64

_SCORES_AT_ONCE = 1 << 24


def texts(gold: Mined, settings: BitextMiningSettings) -> dict[str, Texts]:
    """`left` and `right`, without a role."""
    return {"left": Texts(items=gold.left), "right": Texts(items=gold.right)}


def score(gold: Mined, given: Sides, *, settings: BitextMiningSettings) -> Scored:
    """accuracy, f1, precision, recall; the items of accuracy and f1 are the left texts.

    Args:
        gold: both sides, and which right text translates each left one.
        given: the vectors of both sides, and the name of the model's similarity.
        settings: none.
    """
    nearest = _nearest(given.left, given.right, given.similarity)
    means = metrics.classification(gold.gold, nearest)
    scores = {
        "accuracy": means["accuracy"],
        "f1": means["f1_weighted"],
        "precision": means["precision_weighted"],
        "recall": means["recall_weighted"],
    }
    return Scored(
        scores,
        {
            "accuracy": items.mined(gold.gold, nearest, metric="accuracy"),
            "f1": items.mined(gold.gold, nearest, metric="f1"),
        },
    )


def _nearest(left: Float32, right: Float32, similarity: str) -> Int64:
    left, right = prepare(left, similarity=similarity), prepare(right, similarity=similarity)
    step = max(1, _SCORES_AT_ONCE // max(1, len(right)))
    rows = [
        block_scores(left[start : start + step], right, similarity=similarity).argmax(axis=1)
        for start in range(0, len(left), step)
    ]
    return np.concatenate(rows).astype(np.int64)
