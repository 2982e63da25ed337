"""Regression: how well does a linear regression on the vectors predict a number?

`n_experiments` times, `n_samples` training texts are drawn, a linear regression is fitted, and its predictions are
scored; metrics are means over the experiments. Texts are drawn by deciles of their numbers, each decile in proportion;
experiment i has the seed `seed` + i. With no more than `n_samples` training texts, all are taken each time. Metrics are
the mean absolute error, the mean squared error and its root, the coefficient of determination and Kendall's tau-b.
Reference: mteb 2.26.24 (`AbsTaskRegression`), including its draw (pandas' `qcut` and the stratified split of
`datasets`). Deliberate difference: None where mteb has NaN.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.evaluators import sampling, tables
from harness.evaluators.task_kind import (
    FromMteb,
    ReadPart,
    ReadTable,
    Scored,
    TaskKind,
    Training,
    seed_field,
    settings_from_mteb,
)
from harness.types import ItemText, Part, Scores, TaskSpec, Texts

if TYPE_CHECKING:
    from harness.evaluators.items import Items
    from harness.types import Float32, Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Valued:
    """Training and test texts, each with a number: (n,) float64."""

    train: Sequence[str]
    train_values: Float64
    test: Sequence[str]
    test_values: Float64

    def __post_init__(self) -> None:
        assert len(self.train) == len(self.train_values)
        assert len(self.test) == len(self.test_values)

    def contents(self) -> Iterator[str]:
        """The training and the test texts with their numbers."""
        for members, numbers in ((self.train, self.train_values), (self.test, self.test_values)):
            yield str(len(members))
            for text, number in zip(members, numbers.tolist(), strict=True):
                yield from (text, repr(number))

    def sample(self, n: int, *, settings: Any = None) -> Valued:
        """At most `n` test texts; training texts stay whole."""
        rows = sampling.rows(len(self.test), n)
        return replace(self, test=sampling.picked(self.test, rows), test_values=self.test_values[rows])

    def item_text(self, position: int) -> ItemText:
        """A test text, and its number."""
        return ItemText((self.test[position],), f"value {self.test_values[position]:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionSettings:
    """`n_experiments` linear regressions, each on `n_samples` training texts."""

    n_samples: int = 2048
    n_experiments: int = 10
    train_split: str = "train"
    seed: int = seed_field()


def texts(gold: Valued, settings: RegressionSettings) -> dict[str, Texts]:
    """`train`: the training texts that any experiment draws, in their order; `test`: all test texts."""
    import numpy as np

    drawn = np.unique(np.concatenate(draws(gold, settings)))
    return {"train": Texts(items=[gold.train[row] for row in drawn]), "test": Texts(items=gold.test)}


def score(gold: Valued, given: Mapping[str, Float32], *, settings: RegressionSettings) -> Scored:
    """Means over the experiments, and `scores_per_experiment`, a list with the same metrics of each.

    The items of Kendall's tau are the test texts.

    Args:
        gold: training and test texts with numbers.
        given: the vectors of `train` and `test`, (n, dim) float32, in the order of `texts`.
        settings: texts and number of experiments, seed.
    """
    import numpy as np

    from harness.evaluators import items, kendall, parallel

    experiments = draws(gold, settings)
    encoded = np.unique(np.concatenate(experiments))

    def predicted(rows: Int64) -> Float32:
        from sklearn.linear_model import LinearRegression

        fitted = LinearRegression().fit(given["train"][np.searchsorted(encoded, rows)], gold.train_values[rows])
        of_test: Float32 = fitted.predict(given["test"])
        return of_test

    # The experiments are the same if each takes all training texts: one is computed then.
    repeated = len(experiments) if len(encoded) == len(experiments[0]) else 1
    predictions = parallel.each(predicted, experiments[: len(experiments) if repeated == 1 else 1])
    agreements = kendall.agreements(gold.test_values, predictions)
    per_experiment = [
        {**_errors(gold.test_values, values), "kendalltau": agreement.tau}
        for values, agreement in zip(predictions, agreements, strict=True)
    ] * repeated
    scores: Scores = {"scores_per_experiment": per_experiment}
    for metric in per_experiment[0]:
        of_experiments = [entry[metric] for entry in per_experiment]
        defined = [value for value in of_experiments if value is not None]
        scores[metric] = float(np.mean(defined)) if len(defined) == len(of_experiments) else None
    of_metrics: dict[str, Items] = {}
    if scores["kendalltau"] is not None:
        of_texts = np.mean([agreement.of_items for agreement in agreements], axis=0)
        of_metrics["kendalltau"] = items.values(of_texts, metric="kendalltau", unit="text")
    return Scored(scores, of_metrics)


def draws(gold: Valued, settings: RegressionSettings) -> list[Int64]:
    """The rows of the training texts that each experiment is fitted on, in the order of fitting."""
    import numpy as np

    from harness.evaluators import stratified

    if settings.n_samples >= len(gold.train):
        return [np.arange(len(gold.train))] * settings.n_experiments
    deciles = stratified.quantile_bins(gold.train_values, count=10)
    seeds = range(settings.seed, settings.seed + settings.n_experiments)
    return [stratified.sample(deciles, size=settings.n_samples, seed=seed) for seed in seeds]


def _errors(true: Float64, predicted: Float32) -> dict[str, float | None]:
    from sklearn import metrics

    # As in mteb, the true numbers are a list: scikit-learn then computes in the float32 of the predictions.
    sides = (true.tolist(), predicted)
    mse = float(metrics.mean_squared_error(*sides))
    return {
        "mae": float(metrics.mean_absolute_error(*sides)),
        "mse": mse,
        "rmse": mse**0.5,
        "r2": float(metrics.r2_score(*sides)) if len(true) > 1 else None,
    }


def _read(task: TaskSpec, part: Part, table: ReadTable) -> ReadPart:
    split = task.settings.train_split
    test = table(part.split)
    train = test if split == part.split else table(split)
    sides = []
    for rows, of_part in ((train, Part(split, part.subset)), (test, part)):
        where = f"{task.name} {of_part}"
        sides.append(
            (
                tables.texts(rows, task.columns["text"], where=where),
                tables.numbers(rows, task.columns["value"], where=where),
            )
        )
    (train_texts, train_values), (test_texts, test_values) = sides
    gold = Valued(train=train_texts, train_values=train_values, test=test_texts, test_values=test_values)
    return ReadPart(gold, {part.split: tables.length(test), split: tables.length(train)})


def _from_mteb(task: Any) -> FromMteb:
    return FromMteb(
        columns={"text": task.input_column_name, "value": task.label_column_name},
        settings=settings_from_mteb(RegressionSettings, task),
        protocol="other_model" if type(task.evaluator_model).__name__ != "LinearRegression" else None,
    )


KIND = TaskKind(
    settings=RegressionSettings,
    main_metric="kendalltau",
    metrics=lambda settings: ("kendalltau", "r2"),
    columns={"text": "text", "value": "value"},
    training=lambda settings: Training(settings.train_split, None, settings.n_samples * settings.n_experiments),
    read=_read,
    texts=texts,
    takes="vectors",
    score=score,
    exact_batches=True,
    description="Texts and a number to predict for each",
    instruction="Predict the value of the user passage.",
    recognizes=lambda values, trainable: (
        "a column of texts and one of numbers, with training data" if trainable else ""
    ),
    from_mteb=_from_mteb,
)
