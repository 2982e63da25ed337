"""Classification: how well does logistic regression on a few vectors of each label predict the labels of the test set?

`n_experiments` times, `samples_per_label` training texts of every label are drawn, a regression is fitted and its
predictions are scored; metrics are means over the experiments. Reference: mteb 2.26.24 (`AbsTaskClassification`),
including its draw: each experiment goes on shuffling the order that the last one left, with a fresh generator of the
same seed, which comes to the same permutation applied again and again.

Deliberate differences: `ap` and `ap_weighted` are None, not NaN, unless the test set has two labels; where these two
labels do not include 1 (mteb raises an error), the later one in sorted order counts as positive.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError
from harness.evaluators import items, metrics, parallel
from harness.evaluators.task_kind import Scored
from harness.types import ClassificationSettings, Labelled, Texts

if TYPE_CHECKING:
    from harness.types import Float32, Int64


def texts(gold: Labelled, settings: ClassificationSettings) -> dict[str, Texts]:
    """`train`: the training texts that any experiment draws, in their order; `test`: all test texts.

    Raises:
        DataError: the training texts have fewer than two labels.
    """
    drawn = np.unique(np.concatenate(draws(gold, settings)))
    return {"train": Texts(items=[gold.train[i] for i in drawn]), "test": Texts(items=gold.test)}


def score(gold: Labelled, given: Mapping[str, Float32], *, settings: ClassificationSettings) -> Scored:
    """Means over the experiments, and `scores_per_experiment`, a list with the same metrics of each.

    The items of accuracy and f1 are the test texts.

    Args:
        gold: training and test texts with labels.
        given: the vectors of `train` and `test`, (n, dim) float32, in the order of `texts`.
        settings: draw, number of experiments, iterations of the solver, seed.

    Raises:
        DataError: the training texts have fewer than two labels.
    """
    experiments = draws(gold, settings)
    encoded = np.unique(np.concatenate(experiments))
    positive = _positive_label(gold)

    def experiment(rows: Int64) -> Int64:
        train = given["train"][np.searchsorted(encoded, rows)]
        return _fit_predict(train, gold.train_labels[rows], given["test"], settings)

    with warnings.catch_warnings():
        # Stopping early is part of the protocol. Filters are the process's, not a thread's.
        warnings.simplefilter("ignore")
        predicted = parallel.each(experiment, experiments)
    scores = [_metrics(gold.test_labels, labels, positive) for labels in predicted]
    means = {name: _mean([of_experiment[name] for of_experiment in scores]) for name in scores[0]}
    return Scored(
        {**means, "scores_per_experiment": scores},
        {
            "accuracy": items.labels(gold.test_labels, np.stack(predicted), metric="accuracy"),
            "f1": items.labels(gold.test_labels, np.stack(predicted), metric="f1"),
        },
    )


def draws(gold: Labelled, settings: ClassificationSettings) -> list[Int64]:
    """The rows of the training texts that each experiment is fitted on, in the order of fitting.

    Raises:
        DataError: the training texts have fewer than two labels.
    """
    labels = gold.train_labels
    found = np.unique(labels)
    if len(found) < 2:
        names = ", ".join(repr(gold.label_names[label]) for label in found) or "none"
        raise DataError(
            f"the {len(labels)} training texts of split {settings.train_split!r} have {len(found)} distinct label(s) "
            f"({names}), but classification needs at least 2; check the label column and train_split of the task"
        )
    permutation = np.arange(len(labels))
    np.random.RandomState(settings.seed).shuffle(permutation)
    order = np.arange(len(labels))
    chosen = []
    for _ in range(settings.n_experiments):
        order = order[permutation]
        chosen.append(order[_first_of_each(labels[order], settings.samples_per_label)])
    return chosen


def _first_of_each(labels: Int64, limit: int) -> Int64:
    """Positions, ascending, of the first `limit` occurrences of every label."""
    by_label = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[by_label], labels[by_label])
    return np.sort(by_label[np.arange(len(labels)) - starts < limit])


def _fit_predict(train: Float32, labels: Int64, test: Float32, settings: ClassificationSettings) -> Int64:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=settings.max_iter, random_state=settings.seed).fit(train, labels)
    predicted: Int64 = model.predict(test)
    return predicted


def _metrics(true: Int64, predicted: Int64, positive: int | None) -> dict[str, float | None]:
    scores: dict[str, float | None] = {**metrics.classification(true, predicted), "ap": None, "ap_weighted": None}
    if positive is not None:
        # The predictions, not probabilities, are the scores; with two labels the weighted mean is the plain one.
        scores["ap"] = scores["ap_weighted"] = metrics.average_precision(predicted, true == positive)
    return scores


def _positive_label(gold: Labelled) -> int | None:
    """The label that counts as yes when the test set has exactly two: 1, or else the later one."""
    found = np.unique(gold.test_labels)
    if len(found) != 2:
        return None
    named_one = [int(label) for label in found if gold.label_names[label] == 1]
    return named_one[0] if named_one else int(found[1])


def _mean(values: list[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return float(np.mean(present)) if present else None
