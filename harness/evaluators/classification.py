"""Classification: how well does logistic regression on a few vectors per label predict the labels of the test set?

`n_experiments` times, `samples_per_label` training texts of every label are drawn, a regression is fitted and its
predictions are scored; metrics are means over the experiments. Reference: mteb 2.26.24 (`AbsTaskClassification`),
including its draw: each experiment shuffles the order of the last one with a new generator of the same seed, that is,
applies the same permutation again.

Deliberate differences: `ap` and `ap_weighted` are None, not NaN, unless the test set has two labels; where these two
labels do not include 1 (mteb raises an error), the later one in sorted order counts as positive.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.errors import DataError
from harness.evaluators import sampling, tables
from harness.evaluators.tables import Table, at
from harness.evaluators.task_kind import (
    FromMteb,
    ReadPart,
    ReadTable,
    Scored,
    TaskKind,
    Training,
    crossed,
    seed_field,
    settings_from_mteb,
)
from harness.evaluators.unseen_labels import unseen_note
from harness.types import ItemText, Part, TaskSpec, Texts

if TYPE_CHECKING:
    from harness.types import Float32, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Training and test texts. Labels (n,) int64 index `label_names`, which are sorted."""

    train: Sequence[str]
    train_labels: Int64
    test: Sequence[str]
    test_labels: Int64
    label_names: tuple[str | int, ...]

    def __post_init__(self) -> None:
        assert len(self.train) == len(self.train_labels)
        assert len(self.test) == len(self.test_labels)

    def contents(self) -> Iterator[str]:
        """The names of the labels, then the training and the test texts with theirs."""
        yield json.dumps(self.label_names)
        for members, labels in ((self.train, self.train_labels), (self.test, self.test_labels)):
            yield str(len(members))
            for text, label in zip(members, labels.tolist(), strict=True):
                yield from (text, str(label))

    def sample(self, n: int, *, settings: Any = None) -> Labelled:
        """At most `n` test texts; training texts stay whole."""
        rows = sampling.rows(len(self.test), n)
        return replace(self, test=sampling.picked(self.test, rows), test_labels=self.test_labels[rows])

    def item_text(self, position: int) -> ItemText:
        """A test text, and its label."""
        return ItemText((self.test[position],), f"label {self.label_names[int(self.test_labels[position])]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationSettings:
    """`n_experiments` logistic regressions, each on `samples_per_label` training texts of every label."""

    samples_per_label: int = 8
    n_experiments: int = 10
    train_split: str = "train"
    max_iter: int = 100
    seed: int = seed_field()


def texts(gold: Labelled, settings: ClassificationSettings) -> dict[str, Texts]:
    """`train`: the training texts that any experiment draws, in their order; `test`: all test texts.

    Raises:
        DataError: the training texts have fewer than two labels.
    """
    import numpy as np

    drawn = np.unique(np.concatenate(draws(gold, settings)))
    return {"train": Texts(items=[gold.train[row] for row in drawn]), "test": Texts(items=gold.test)}


def score(gold: Labelled, given: Mapping[str, Float32], *, settings: ClassificationSettings) -> Scored:
    """Means over the experiments, and `scores_per_experiment`, a list with the same metrics of each.

    The items of accuracy and f1 are the test texts.

    Args:
        gold: training and test texts with labels.
        given: the vectors of `train` and `test`, (n, dim) float32, in the order of `texts`.
        settings: texts per label, number of experiments, iterations of the solver, seed.

    Raises:
        DataError: the training texts have fewer than two labels.
    """
    from harness.evaluators import items, logistic_regression

    experiments, positive = draws(gold, settings), _positive_label(gold)
    predicted = logistic_regression.predicted(
        experiments,
        given["train"],
        gold.train_labels,
        given["test"],
        max_iter=settings.max_iter,
        seed=settings.seed,
    )
    scores = [logistic_regression.scores(gold.test_labels, labels, positive) for labels in predicted]
    means = {name: logistic_regression.mean([of_experiment[name] for of_experiment in scores]) for name in scores[0]}
    return Scored(
        {**means, "scores_per_experiment": scores},
        {
            "accuracy": items.labels(gold.test_labels, predicted, metric="accuracy"),
            "f1": items.labels(gold.test_labels, predicted, metric="f1"),
        },
    )


def draws(gold: Labelled, settings: ClassificationSettings) -> list[Int64]:
    """The rows of the training texts that each experiment is fitted on, in the order of fitting.

    Raises:
        DataError: the training texts have fewer than two labels.
    """
    from harness.evaluators import logistic_regression

    distinct = sorted(set(gold.train_labels.tolist()))
    if len(distinct) < 2:
        names = ", ".join(repr(gold.label_names[label]) for label in distinct) or "none"
        raise DataError(
            f"the {len(gold.train)} training texts of split {settings.train_split!r} have {len(distinct)} distinct "
            f"label(s) ({names}), but classification needs at least 2; check the label column and train_split of the "
            "task"
        )
    return logistic_regression.draws(
        gold.train_labels, per_label=settings.samples_per_label, times=settings.n_experiments, seed=settings.seed
    )


def _positive_label(gold: Labelled) -> int | None:
    """The label that counts as yes when the test set has exactly two: 1, or else the later one."""
    distinct = sorted(set(gold.test_labels.tolist()))
    if len(distinct) != 2:
        return None
    return next((label for label in distinct if gold.label_names[label] == 1), distinct[1])


def read_labelled(train: Table, test: Table, columns: Mapping[str, str], *, where: str, train_where: str) -> Labelled:
    """Training and test texts with labels that are all integers or all strings.

    Raises:
        DataError: a column is missing or of another kind, or the training texts have one label only.
    """
    import numpy as np

    sides = []
    for table, place in ((train, train_where), (test, where)):
        members = tables.texts(table, columns["text"], where=place)
        sides.append((members, tables.labels(table, columns["label"], where=place)))
    (train_texts, train_labels), (test_texts, test_labels) = sides
    if {type(label) for label in train_labels} != {type(label) for label in test_labels}:
        raise DataError(
            f"{where}: labels are {tables.kinds(test_labels)} here and {tables.kinds(train_labels)} in {train_where}; "
            "expected the same type"
        )
    names = sorted(set(train_labels) | set(test_labels))
    if len(set(train_labels)) < 2:
        raise DataError(
            f"{at(train, where=train_where)}: labels of one class only ({train_labels[0]!r}); "
            "a classifier needs two or more"
        )
    index = {name: position for position, name in enumerate(names)}
    return Labelled(
        train=train_texts,
        train_labels=np.array([index[label] for label in train_labels], dtype=np.int64),
        test=test_texts,
        test_labels=np.array([index[label] for label in test_labels], dtype=np.int64),
        label_names=tuple(names),
    )


def _read(task: TaskSpec, part: Part, table: ReadTable) -> ReadPart:
    split = task.settings.train_split
    test = table(part.split)
    train = test if split == part.split else table(split)
    where, train_where = f"{task.name} {part}", f"{task.name} {Part(split, part.subset)}"
    gold = read_labelled(train, test, task.columns, where=where, train_where=train_where)
    names = gold.label_names
    unseen = unseen_note(
        {names[label] for label in gold.train_labels.tolist()},
        [(names[label],) for label in gold.test_labels.tolist()],
        where=where,
        train_where=train_where,
    )
    return ReadPart(gold, {part.split: tables.length(test), split: tables.length(train)}, defects=unseen)


def _recognizes(values: Mapping[str, Sequence[Any]], trainable: bool) -> str:
    sets = any(isinstance(value, list) for value in values["label"])
    return "a column of texts and one of labels, with training data" if trainable and not sets else ""


def _from_mteb(task: Any) -> FromMteb:
    max_iter = int(task.evaluator_model.get_params().get("max_iter", 100))
    return FromMteb(
        columns={"text": task.input_column_name, "label": task.label_column_name},
        settings=replace(settings_from_mteb(ClassificationSettings, task), max_iter=max_iter),
        protocol="cross_validation" if task.is_cross_validation else None,
    )


_UNWEIGHTED = ("f1", "ap", "precision", "recall")

KIND = TaskKind(
    purpose="classification",
    near_zero="never",
    settings=ClassificationSettings,
    main_metric="accuracy",
    metrics=lambda settings: ("accuracy", *_UNWEIGHTED, *crossed(_UNWEIGHTED, ("weighted",))),
    columns={"text": "text", "label": "label"},
    training=lambda settings: Training(settings.train_split, settings.samples_per_label * settings.n_experiments),
    read=_read,
    texts=texts,
    takes="vectors",
    score=score,
    uses_lengths=True,
    description="Texts and their labels",
    instruction="Classify user passages.",
    recognizes=_recognizes,
    from_mteb=_from_mteb,
)
