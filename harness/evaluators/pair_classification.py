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

from harness.evaluators import items, metrics
from harness.evaluators.sts import pair_scores
from harness.evaluators.task_kind import Scored
from harness.types import PairClassificationSettings, Pairs, Texts

if TYPE_CHECKING:
    from harness.types import Float32, Float64


def texts(gold: Pairs, settings: PairClassificationSettings) -> dict[str, Texts]:
    """Both sides of every pair: `left` and `right`."""
    return {"left": Texts(items=gold.left), "right": Texts(items=gold.right)}


def score(gold: Pairs, given: Mapping[str, Float32], *, settings: PairClassificationSettings) -> Scored:
    """Five metrics for each of five similarities, and the best of each; the items of average precision are the pairs.

    Args:
        gold: n pairs; gold is 1 for a match and 0 otherwise.
        given: the vectors of `left` and `right`, each (n, dim) float32, and `similarity` (n,), the model's own of each
            pair, without which the cosine stands in.
        settings: nothing.
    """
    left, right = given["left"], given["right"]
    pairs = pair_scores(left, right)
    families = {
        "similarity": given.get("similarity", pairs.cosine),
        "cosine": pairs.cosine,
        "manhattan": -pairs.manhattan,
        "euclidean": -pairs.euclidean,
        "dot": np.vecdot(left, right),  # per row the very routine that np.dot calls
    }
    by_family = {name: _family(values, gold.gold) for name, values in families.items()}
    scores = {f"{name}_{metric}": value for name, of_family in by_family.items() for metric, value in of_family.items()}
    best = {
        f"max_{metric}": max(of_family[metric] for of_family in by_family.values()) for metric in by_family["cosine"]
    }
    return Scored(
        {**scores, **best},
        {
            **{f"{name}_ap": items.matching({name: values}, gold.gold) for name, values in families.items()},
            "max_ap": items.matching(families, gold.gold),
        },
    )


def _family(values: Float32, gold: Float64) -> dict[str, float]:
    positive = gold == 1
    best = metrics.best_f1(values, positive)
    return {
        "accuracy": metrics.best_accuracy(values, positive),
        "f1": best.f1,
        "precision": best.precision,
        "recall": best.recall,
        "ap": metrics.average_precision(values, positive),
    }
