"""Logistic regressions on a few vectors of each label: draws, predictions and their metrics."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.evaluators import metrics, parallel

if TYPE_CHECKING:
    from harness.types import Float32, Int64


def draws(labels: Int64, *, per_label: int, times: int, seed: int) -> list[Int64]:
    """The rows that each of `times` experiments is fitted on, in the order of fitting: `per_label` of each label."""
    permutation = np.arange(len(labels))
    np.random.RandomState(seed).shuffle(permutation)
    order = np.arange(len(labels))
    chosen = []
    for _ in range(times):
        order = order[permutation]
        chosen.append(order[_first_of_each(labels[order], per_label)])
    return chosen


def predicted(
    experiments: Sequence[Int64], train: Float32, labels: Int64, test: Float32, *, max_iter: int, seed: int
) -> Int64:
    """The label that each experiment gives each test text: (n_experiments, n_test) int64.

    Args:
        experiments: the training rows of each, as `draws` gives them.
        train: (n, dim), the vectors of all rows that any experiment draws, ascending.
        labels: (n_train,), of all training rows.
        test: (n_test, dim).
        max_iter: iterations of the solver.
        seed: of the solver.
    """
    from sklearn.linear_model import LogisticRegression

    encoded = np.unique(np.concatenate(experiments))

    def experiment(rows: Int64) -> Int64:
        model = LogisticRegression(max_iter=max_iter, random_state=seed)
        of_test: Int64 = model.fit(train[np.searchsorted(encoded, rows)], labels[rows]).predict(test)
        return of_test

    with warnings.catch_warnings():
        # The solver may stop early, as in mteb. Warning filters belong to the process, not to a thread.
        warnings.simplefilter("ignore")
        return np.stack(parallel.each(experiment, experiments))


def scores(true: Int64, predicted: Int64, positive: int | None) -> dict[str, float | None]:
    """The metrics of one experiment; average precision is None without a positive label."""
    values: dict[str, float | None] = {**metrics.classification(true, predicted), "ap": None, "ap_weighted": None}
    if positive is not None:
        # As in mteb, predictions are the scores, not probabilities; for two labels the weighted mean equals the mean.
        values["ap"] = values["ap_weighted"] = metrics.average_precision(predicted, true == positive)
    return values


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of the values that are not None; None without any."""
    present = [value for value in values if value is not None]
    return float(np.mean(present)) if present else None


def _first_of_each(labels: Int64, limit: int) -> Int64:
    """Positions, ascending, of the first `limit` occurrences of every label."""
    by_label = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[by_label], labels[by_label])
    return np.sort(by_label[np.arange(len(labels)) - starts < limit])
