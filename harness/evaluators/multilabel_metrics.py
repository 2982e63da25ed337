"""Metrics of predicted sets of labels, as functions of indicators (n, labels) of 0 and 1 (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float64

    Indicators = NDArray[np.uint8]


def of_texts(true: Indicators, predicted: Indicators) -> dict[str, Float64]:
    """Metrics that are means over texts, each (n,) float64.

    `accuracy` is 1 where all labels are right. `hamming` is the number of labels that both sides have, over that of
    labels that either has; 1 for two empty sides (mteb 2.26's `hamming_score`). `lrap` is the label ranking average
    precision with predictions as scores: the mean, over the true labels, of the share of true labels among those
    ranked at least as high (scikit-learn 1.9, `label_ranking_average_precision_score`); predicted labels share the
    first place, all others the last; 1 for a text with no label or all.
    """
    n_labels = true.shape[1]
    n_true, n_predicted = _counts(true), _counts(predicted)
    both = _counts(true & predicted)
    either = n_true + n_predicted - both
    hits = np.divide(both, n_predicted, out=np.zeros(len(true)), where=n_predicted > 0)
    precision = both * hits + (n_true - both) * n_true / n_labels
    return {
        "accuracy": (true == predicted).all(axis=1).astype(np.float64),
        "lrap": np.divide(precision, n_true, out=np.ones(len(true)), where=(n_true > 0) & (n_true < n_labels)),
        "hamming": np.divide(both, either, out=np.ones(len(true)), where=either > 0),
    }


def f1_macro(true: Indicators, predicted: Indicators) -> float:
    """The mean over labels of the F1; 0 for a label that neither side has."""
    both = (true & predicted).sum(axis=0, dtype=np.int64)
    total = true.sum(axis=0, dtype=np.int64) + predicted.sum(axis=0, dtype=np.int64)
    return float(np.divide(2 * both, total, out=np.zeros(len(total)), where=total > 0).mean())


def _counts(indicators: NDArray[Any]) -> Float64:
    return np.asarray(indicators.sum(axis=1, dtype=np.int64), dtype=np.float64)
