"""Semantic textual similarity: does the similarity of two vectors rank sentence pairs as people do?

Pearson's and Spearman's correlation of the gold scores with the model's own similarity (`pearson`, `spearman`), the
cosine, and the negative Manhattan and Euclidean distance of each pair. Reimers, Beyer & Gurevych, 2016, argue for
Spearman of the cosine. Reference: mteb 2.26.24 (`AbsTaskSTS`). All similarities are float32, as there. Deliberate
differences: None where mteb has NaN (a constant column), and `dot_pearson` and `dot_spearman` beside mteb's metrics,
because sentence-transformers' `EmbeddingSimilarityEvaluator` reports them and cards quote them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.evaluators import items, metrics
from harness.evaluators.items import Items
from harness.evaluators.task_kind import Scored
from harness.types import Pairs, Scores, STSSettings, Texts

if TYPE_CHECKING:
    from harness.types import Float32


class PairScores(NamedTuple):
    """Similarities and distances of row i of one array with row i of another, each (n,) float32."""

    cosine: Float32
    manhattan: Float32
    euclidean: Float32


def texts(gold: Pairs, settings: STSSettings) -> dict[str, Texts]:
    """Both sides of every pair: `left` and `right`."""
    return {"left": Texts(items=gold.left), "right": Texts(items=gold.right)}


def score(gold: Pairs, given: Mapping[str, Float32], *, settings: STSSettings) -> Scored:
    """Two correlations for each similarity: the model's own, and the four that reports quote. The items are the pairs.

    Args:
        gold: n pairs.
        given: the vectors of `left` and `right`, each (n, dim) float32, and `similarity` (n,), the model's own of each
            pair, without which the cosine stands in.
        settings: the range of the gold scores.
    """
    pairs = pair_scores(given["left"], given["right"])
    by_prefix = {
        "": given.get("similarity", pairs.cosine),
        "cosine_": pairs.cosine,
        "manhattan_": -pairs.manhattan,
        "euclidean_": -pairs.euclidean,
        "dot_": np.vecdot(given["left"], given["right"]),
    }
    target = (gold.gold - settings.min_score) / (settings.max_score - settings.min_score)
    scores: Scores = {}
    of_metrics: dict[str, Items] = {}
    for prefix, values in by_prefix.items():
        scores[f"{prefix}pearson"] = metrics.pearson(target, values)
        scores[f"{prefix}spearman"] = metrics.spearman(target, values)
        of_metrics[f"{prefix}pearson"] = items.correlation(values, gold.gold, metric="pearson")
        of_metrics[f"{prefix}spearman"] = items.correlation(values, gold.gold, metric="spearman")
    return Scored(scores, of_metrics)


def pair_scores(left: Float32, right: Float32) -> PairScores:
    """Cosine, Manhattan and Euclidean of each pair of rows: (n, dim), (n, dim) -> (n,) each.

    The operations of scikit-learn 1.9 (`paired_cosine_distances` and its kin), to the bit, so that near ties fall as
    they do in mteb; its import would take longer than most tasks of this type.
    """
    apart, turned = left - right, _unit(left) - _unit(right)
    return PairScores(
        cosine=1 - 0.5 * np.einsum("ij,ij->i", turned, turned),
        manhattan=np.abs(apart).sum(axis=-1),
        euclidean=np.sqrt(np.einsum("ij,ij->i", apart, apart)),
    )


def _unit(rows: Float32) -> Float32:
    """Rows of length 1; one too short to have a direction stays as it is."""
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    norms[norms < 10 * np.finfo(norms.dtype).eps] = 1
    return rows / norms[:, None]
