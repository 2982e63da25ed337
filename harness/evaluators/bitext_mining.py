"""Bitext mining: is the nearest text on the other side the translation?

For every left text the right text of highest similarity is taken; accuracy, and precision, recall and F1 over right
texts as classes, weighted by how often each is the true one. Reference: mteb 2.26.24 (`AbsTaskBitextMining`), with the
model's own similarity. Of equally near texts the one that stands first is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from harness.evaluators import metrics
from harness.evaluators.similarity import block_scores, prepare
from harness.types import Answers, BitextMiningSettings, Mined, Scores, Texts

if TYPE_CHECKING:
    from harness.types import Float32, Int64

_SCORES_AT_ONCE = 1 << 24


def texts(gold: Mined, settings: BitextMiningSettings) -> dict[str, Texts]:
    """`left` and `right`, without a role."""
    return {"left": Texts(items=gold.left), "right": Texts(items=gold.right)}


def score(
    gold: Mined,
    embeddings: Mapping[str, Float32],
    *,
    settings: BitextMiningSettings,
    similarity: str = "cosine",
    answers: Answers | None = None,
) -> Scores:
    """accuracy, f1, precision, recall.

    Args:
        gold: both sides, and which right text translates each left one.
        embeddings: `left` (n, dim) and `right` (m, dim) float32.
        settings: none.
        similarity: name of the model's similarity.
        answers: filled with `nearest`, (n,) int64, the right text taken for each left one.
    """
    nearest = _nearest(embeddings["left"], embeddings["right"], similarity)
    if answers is not None:
        answers["nearest"] = nearest
    measured = metrics.classification(gold.gold, nearest)
    return {
        "accuracy": measured["accuracy"],
        "f1": measured["f1_weighted"],
        "precision": measured["precision_weighted"],
        "recall": measured["recall_weighted"],
    }


def _nearest(left: Float32, right: Float32, similarity: str) -> Int64:
    left, right = prepare(left, similarity=similarity), prepare(right, similarity=similarity)
    step = max(1, _SCORES_AT_ONCE // max(1, len(right)))
    rows = [
        block_scores(left[start : start + step], right, similarity=similarity).argmax(axis=1)
        for start in range(0, len(left), step)
    ]
    return np.concatenate(rows).astype(np.int64)
