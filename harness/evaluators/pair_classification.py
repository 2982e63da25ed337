"""Pair classification: does a threshold on the similarity of two vectors tell matching pairs from others?

For the model's own similarity, cosine, Manhattan, Euclidean and dot product: average precision (`ap`), best accuracy
and best F1 over all thresholds, precision and recall at that F1; and `max_*`, the best of the five. Reference: mteb
2.26.24 (`AbsTaskPairClassification`): a threshold never splits equal scores and always leaves the lowest score out.
No deliberate difference. Near ties make average precision depend on the last bit of a float32, so similarities are
computed with the same operations as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from harness.evaluators import metrics
from harness.evaluators.sts import pair_scores
from harness.types import Answers, PairClassificationSettings, Pairs, Scores, Texts

if TYPE_CHECKING:
    from harness.types import Float32, Float64


def texts(gold: Pairs, settings: PairClassificationSettings) -> dict[str, Texts]:
    """Both sides of every pair: `left` and `right`."""
    return {"left": Texts(items=gold.left), "right": Texts(items=gold.right)}


def score(
    gold: Pairs,
    embeddings: Mapping[str, Float32],
    *,
    settings: PairClassificationSettings,
    similarity: Float32 | None = None,
    answers: Answers | None = None,
) -> Scores:
    """Five metrics for each of five similarities, and the best of each.

    Args:
        gold: n pairs; gold is 1 for a match and 0 otherwise.
        embeddings: `left` and `right`, each (n, dim) float32.
        settings: nothing.
        similarity: (n,) the model's own similarity of each pair; the cosine when absent.
        answers: filled with each kind of similarity, (n,) by its name.
    """
    left, right = embeddings["left"], embeddings["right"]
    pairs = pair_scores(left, right)
    families = {
        "similarity": pairs.cosine if similarity is None else similarity,
        "cosine": pairs.cosine,
        "manhattan": -pairs.manhattan,
        "euclidean": -pairs.euclidean,
        "dot": np.vecdot(left, right),  # per row the very routine that np.dot calls
    }
    if answers is not None:
        answers |= families
    by_family = {name: _family(values, gold.gold) for name, values in families.items()}
    scores = {f"{name}_{metric}": value for name, found in by_family.items() for metric, value in found.items()}
    best = {f"max_{metric}": max(found[metric] for found in by_family.values()) for metric in by_family["cosine"]}
    return {**scores, **best}


def _family(values: Float32, gold: Float64) -> dict[str, float]:
    positive = gold == 1
    found = metrics.best_f1(values, positive)
    return {
        "accuracy": metrics.best_accuracy(values, positive),
        "f1": found.f1,
        "precision": found.precision,
        "recall": found.recall,
        "ap": metrics.average_precision(values, positive),
    }
