"""Pair classification: does a threshold on the similarity of two vectors tell matching pairs from others?

For the model's own similarity, cosine, Manhattan, Euclidean and dot product: average precision (`ap`), best accuracy
and best F1 over all thresholds, precision and recall at that F1; and `max_*`, the best of the five. Reference: mteb
2.26.24 (`AbsTaskPairClassification`): a threshold never splits equal scores and always leaves the lowest score out.
No deliberate difference. Near ties make average precision depend on the last bit of a float32, so similarities are
computed with the same operations as there; and pairs that are the same to the tokenizer are told apart by the last bits
of their vectors, which depend on the other texts of a batch, so texts are encoded in mteb's batches.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.evaluators.sts import Pairs, read, texts
from harness.evaluators.task_kind import FromMteb, Scored, TaskKind, crossed

if TYPE_CHECKING:
    from harness.types import Float32, Float64

FAMILIES = ("similarity", "cosine", "manhattan", "euclidean", "dot")
METRICS = ("accuracy", "f1", "precision", "recall", "ap")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairClassificationSettings:
    """Nothing to set: thresholds are searched."""


def score(gold: Pairs, given: Mapping[str, Float32], *, settings: PairClassificationSettings) -> Scored:
    """Five metrics for each of five similarities, and the best of each; the items of average precision are the pairs.

    Args:
        gold: n pairs; gold is 1 for a match and 0 otherwise.
        given: the vectors of `left` and `right`, each (n, dim) float32, and `similarity` (n,), the model's own of each
            pair; without it the cosine is used.
        settings: nothing.
    """
    import numpy as np

    from harness.evaluators import items
    from harness.evaluators.similarity import pair_scores

    left, right = given["left"], given["right"]
    pairs = pair_scores(left, right)
    similarities = {
        "similarity": given.get("similarity", pairs.cosine),
        "cosine": pairs.cosine,
        "manhattan": -pairs.manhattan,
        "euclidean": -pairs.euclidean,
        "dot": np.vecdot(left, right),  # per row the very routine that np.dot calls
    }
    by_family = {family: _of_family(similarities[family], gold.gold) for family in FAMILIES}
    scores = {f"{family}_{metric}": by_family[family][metric] for family in FAMILIES for metric in METRICS}
    best = {f"max_{metric}": max(by_family[family][metric] for family in FAMILIES) for metric in METRICS}
    ranked = {f"{family}_ap": items.matching({family: similarities[family]}, gold.gold) for family in FAMILIES}
    return Scored({**scores, **best}, {**ranked, "max_ap": items.matching(similarities, gold.gold)})


def _of_family(values: Float32, gold: Float64) -> dict[str, float]:
    from harness.evaluators import metrics

    positive = gold == 1
    best = metrics.best_f1(values, positive)
    return {
        "accuracy": metrics.best_accuracy(values, positive),
        "f1": best.f1,
        "precision": best.precision,
        "recall": best.recall,
        "ap": metrics.average_precision(values, positive),
    }


def _recognizes(values: Mapping[str, Sequence[Any]], trainable: bool) -> str:
    binary = set(values["gold"]) <= {0, 1}
    return "two columns of texts and one of numbers that are only 0 and 1" if binary else ""


def _from_mteb(task: Any) -> FromMteb:
    columns = {"left": task.input1_column_name, "right": task.input2_column_name, "gold": task.label_column_name}
    return FromMteb(columns, PairClassificationSettings())


KIND = TaskKind(
    settings=PairClassificationSettings,
    main_metric="max_ap",
    metrics=lambda settings: crossed((*FAMILIES, "max"), METRICS),
    columns={"left": "sentence1", "right": "sentence2", "gold": "labels"},
    read=functools.partial(read, binary=True),
    texts=texts,
    takes="pairs",
    score=score,
    exact_batches=True,
    description="Pairs of texts that belong together or not",
    instruction="Retrieve text that are semantically similar to the given text.",
    recognizes=_recognizes,
    from_mteb=_from_mteb,
    # `ap` is what mteb 1 called the best average precision over the distances; some of its cards say `max_ap`, which is
    # the same name today.
    former_metrics={
        **{f"cos_sim_{kind}": f"cosine_{kind}" for kind in ("accuracy", "ap", "f1", "precision", "recall")},
        "ap": "max_ap",
    },
)
