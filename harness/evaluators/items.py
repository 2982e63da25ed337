"""Items: the score of each item behind a part's main score, so that intervals and tests need no second run.

The kind of the items decides their columns:

    kind         columns                                                      metric        the score of a part
    correlation  similarity (n,) float32, gold (n,) float32                   spearman, pearson
    matching     <family> (n,) float32 for each family, gold (n,) uint8       ap            the best of the families
    labels       gold (n,) int32, predicted (experiments, n) int32            accuracy, f1  mean over experiments
    mined        gold (n,) unsigned, predicted (n,) unsigned                  f1, accuracy  f1 weighted by support
    label_sets   gold (labels, n) 0/1, predicted (experiments, labels, n) 0/1 f1            mean over experiments
    values       value (n,) float32                                           any           their mean

`position` (n,) int64 is each item's place in the data. `unit` says what an item is: a pair, a text, a query, or an
experiment, where the scores of experiments vary (clustering).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from harness.evaluators import resampling
from harness.stats import bootstrap
from harness.stats.tied_ranks import mean_ranks
from harness.types import Part

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from harness.types import Float64

Kind = Literal["correlation", "matching", "labels", "mined", "label_sets", "values"]
Unit = Literal["pair", "text", "query", "experiment"]
_METRICS: Mapping[str, tuple[str, ...]] = {
    "correlation": ("spearman", "pearson"),
    "matching": ("ap",),
    "labels": ("accuracy", "f1"),
    "mined": ("f1", "accuracy"),
    "label_sets": ("f1",),
}
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "correlation": ("similarity", "gold"),
    "matching": ("gold",),
    "labels": ("gold", "predicted"),
    "mined": ("gold", "predicted"),
    "label_sets": ("gold", "predicted"),
    "values": ("value",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """The items of one part; see the module's table for the columns of each kind.

    Attributes:
        kind: what the columns are and how they make a score.
        metric: which score.
        unit: what an item is.
        position: (n,) int64, which item of the data.
        columns: name -> array whose last axis has n.
    """

    kind: Kind
    metric: str
    unit: Unit
    position: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.position)

    def is_sound(self) -> bool:
        """Whether there are items, with the columns and a metric of their kind."""
        n = len(self)
        return (
            n > 0
            and self.kind in _COLUMNS
            and self.metric in _METRICS.get(self.kind, (self.metric,))
            and self.unit in get_args(Unit)
            and set(self.columns).issuperset(_COLUMNS[self.kind])
            and len(self.columns) > (self.kind == "matching")
            and all(values.shape[-1:] == (n,) and values.dtype.kind in "iuf" for values in self.columns.values())
        )

    def score(self, counts: Float64) -> Float64:
        """The part's main score with item i drawn counts[:, i] times: (b, n) float64 -> (b,) float64."""
        columns = self.columns
        if self.kind == "correlation":
            correlate = resampling.spearman if self.metric == "spearman" else resampling.pearson
            return correlate(counts, columns["similarity"], columns["gold"])
        if self.kind == "matching":
            positive = columns["gold"] == 1
            families = [name for name in columns if name != "gold"]
            by_family = [resampling.average_precision(counts, columns[name], positive) for name in families]
            return np.asarray(np.max(by_family, axis=0))
        if self.kind == "labels":
            of_labels = resampling.accuracy if self.metric == "accuracy" else resampling.f1_macro
            return of_labels(counts, columns["gold"], columns["predicted"])
        if self.kind == "mined" and self.metric == "f1":
            return resampling.f1_weighted(counts, columns["gold"], columns["predicted"])
        if self.kind == "label_sets":
            return resampling.f1_of_label_sets(counts, columns["gold"], columns["predicted"])
        return resampling.mean(counts, self.merit())

    def whole(self) -> float:
        """The part's main score."""
        return float(self.score(np.ones((1, len(self))))[0])

    def is_mean(self) -> bool:
        """Whether the score is the mean of `merit`, so that faster formulas hold."""
        return self.kind == "values" or (self.kind in ("labels", "mined") and self.metric == "accuracy")

    def merit(self) -> Float64:
        """How well the model did on each item, larger is better: (n,) float64.

        By kind: the value itself; the share of experiments with the right label; 1 for the right text, else 0.
        For sets of labels, the share of labels that are right, a mean over experiments.
        For correlation and matching, minus the difference of its ranks by similarity and by gold, both in 0-1.
        """
        columns = self.columns
        if self.kind == "values":
            return columns["value"].astype(np.float64)
        if self.kind == "labels":
            return np.asarray((columns["predicted"] == columns["gold"]).mean(axis=0))
        if self.kind == "mined":
            return (columns["predicted"] == columns["gold"]).astype(np.float64)
        if self.kind == "label_sets":
            return np.asarray((columns["predicted"] == columns["gold"]).mean(axis=(0, 1)))
        name = "similarity" if self.kind == "correlation" else next(name for name in columns if name != "gold")
        return -np.abs(_places(columns[name]) - _places(columns["gold"]))


def replicates(items: Items, *, task: str, part: Part, resamples: int) -> Float64:
    """The part's score for resampled items: (resamples,) float64.

    The draws depend on the task, the part and the number of items alone, so that they are the same for all models.
    """
    seed = int.from_bytes(hashlib.sha256(f"{task}\0{part.split}\0{part.subset}".encode()).digest()[:8], "little")
    if items.is_mean():
        return bootstrap.replicate_mean(items.merit(), resamples=resamples, seed=seed)
    return bootstrap.replicate(items.score, len(items), resamples=resamples, seed=seed)


def correlation(similarity: ArrayLike, gold: ArrayLike, *, metric: Literal["spearman", "pearson"]) -> Items:
    """Items of STS: similarity (n,) and gold (n,) of every pair."""
    columns = {"similarity": np.asarray(similarity, np.float32), "gold": np.asarray(gold, np.float32)}
    return _in_order("correlation", metric, "pair", columns)


def matching(families: Mapping[str, ArrayLike], gold: ArrayLike) -> Items:
    """Items of pair classification: the similarities (n,) by family whose best counts, and gold (n,) 0 or 1."""
    columns = {name: np.asarray(values, np.float32) for name, values in families.items()}
    return _in_order("matching", "ap", "pair", {**columns, "gold": np.asarray(gold, np.uint8)})


def labels(gold: ArrayLike, predicted: ArrayLike, *, metric: Literal["accuracy", "f1"]) -> Items:
    """Items of classification: true labels (n,), and predicted ones (experiments, n)."""
    columns = {"gold": np.asarray(gold, np.int32), "predicted": np.asarray(predicted, np.int32)}
    return _in_order("labels", metric, "text", columns)


def mined(gold: ArrayLike, predicted: ArrayLike, *, metric: Literal["f1", "accuracy"]) -> Items:
    """Items of bitext mining: for each left text (n,) the right text that translates it, and the nearest one."""
    # As small as they fit: a task with 41,000 pairs of languages has as many of these columns.
    sides = {"gold": np.asarray(gold, np.int64), "predicted": np.asarray(predicted, np.int64)}
    kind = np.min_scalar_type(max(int(side.max(initial=0)) for side in sides.values()))
    columns = {name: side.astype(kind) for name, side in sides.items()}
    return _in_order("mined", metric, "text", columns)


def label_sets(gold: ArrayLike, predicted: ArrayLike, *, position: ArrayLike) -> Items:
    """Items of multilabel classification: 0/1 indicators, true (n, labels) and predicted (experiments, n, labels)."""
    columns = {
        "gold": np.asarray(gold, np.uint8).T,
        "predicted": np.moveaxis(np.asarray(predicted, np.uint8), 1, -1),
    }
    return replace(_in_order("label_sets", "f1", "text", columns), position=np.asarray(position, np.int64))


def values(value: ArrayLike, *, metric: str, unit: Unit, position: ArrayLike | None = None) -> Items:
    """Items whose mean is the score: a metric of every query, or of every experiment.

    `position` tells which items of the data these are, where others have no value; by default all, in order.
    """
    items = _in_order("values", metric, unit, {"value": np.asarray(value, np.float32)})
    return items if position is None else replace(items, position=np.asarray(position, np.int64))


def _in_order(kind: Kind, metric: str, unit: Unit, columns: Mapping[str, NDArray[Any]]) -> Items:
    n = next(iter(columns.values())).shape[-1]
    return Items(kind=kind, metric=metric, unit=unit, position=np.arange(n), columns=columns)


def _places(values: NDArray[Any]) -> Float64:
    """Mean ranks as shares of the number of values."""
    return (mean_ranks(values) - 0.5) / len(values)
