"""Multilabel classification: how well do the nearest training texts predict the labels of the test texts?

`n_experiments` times, training texts are drawn until each label has `samples_per_label` of them, and a test text gets
the labels of most of its `n_neighbors` nearest (Euclidean). Metrics are means over the experiments: accuracy (all
labels right), label ranking average precision (`lrap`), macro F1, and the labels shared among those of either side
(`hamming`, mteb's name). Reference: mteb 2.26.24 (`AbsTaskMultilabelClassification`, scikit-learn's
`KNeighborsClassifier`), with these parts of its protocol:

- One generator serves the whole task: the draws of a subset go on where those of the subset before ended. So gold
  holds how many training texts these subsets have, and a score is that of a run of all subsets.
- Of a test split with more than `max_eval_samples` texts, about as many are drawn by iterative stratification.
- Only labels of the drawn test texts count; a training text may have none of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from harness.errors import DataError
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
from harness.evaluators.unseen_labels import unseen_note
from harness.types import ItemText, Part, TaskSpec, Texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.evaluators.tables import Table
    from harness.types import Float32, Int64

_METRICS = ("accuracy", "lrap", "f1", "hamming")


@dataclass(frozen=True, slots=True, kw_only=True)
class Multilabelled:
    """Training and test texts, each with any number of labels, which index `label_names`, sorted.

    Attributes:
        rows_before: the number of training texts of each subset that mteb scores before this one.
    """

    train: Sequence[str]
    train_labels: Sequence[Sequence[int]]
    test: Sequence[str]
    test_labels: Sequence[Sequence[int]]
    label_names: tuple[str | int, ...]
    rows_before: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        assert len(self.train) == len(self.train_labels)
        assert len(self.test) == len(self.test_labels)

    def contents(self) -> Iterator[str]:
        """The names of the labels and the counts before, then the training and the test texts with their labels."""
        yield json.dumps([self.label_names, self.rows_before])
        for members, labels in ((self.train, self.train_labels), (self.test, self.test_labels)):
            yield str(len(members))
            for text, of_text in zip(members, labels, strict=True):
                yield from (text, json.dumps(list(of_text)))

    def sample(self, n: int, *, settings: Any = None) -> Multilabelled:
        """At most `n` test texts; training texts stay whole."""
        rows = sampling.rows(len(self.test), n)
        test, labels = sampling.picked(self.test, rows), sampling.picked(self.test_labels, rows)
        return replace(self, test=test, test_labels=labels)

    def item_text(self, position: int) -> ItemText:
        """A test text, and its labels."""
        names = ", ".join(str(self.label_names[label]) for label in self.test_labels[position])
        return ItemText((self.test[position],), f"labels {names}" if names else "no label")


@dataclass(frozen=True, slots=True, kw_only=True)
class MultilabelClassificationSettings:
    """`n_experiments` draws of `samples_per_label` training texts of every label."""

    samples_per_label: int = 8
    n_experiments: int = 10
    n_neighbors: int = 5
    max_eval_samples: int | None = 3000
    train_split: str = "train"
    seed: int = seed_field()


def texts(gold: Multilabelled, settings: MultilabelClassificationSettings) -> dict[str, Texts]:
    """`train`: the training texts that any experiment draws; `test`: the test texts that are scored.

    Both are in mteb's order, since batches depend on it.
    """
    drawn = _encoded(draws(gold, settings))
    scored = scored_rows(gold, settings)
    return {
        "train": Texts(items=sampling.picked(gold.train, drawn)),
        "test": Texts(items=sampling.picked(gold.test, scored.tolist())),
    }


def score(gold: Multilabelled, given: Mapping[str, Float32], *, settings: MultilabelClassificationSettings) -> Scored:
    """accuracy, lrap, f1, hamming, and `scores_per_experiment`, a list with the same metrics of each.

    The items are the test texts.

    Args:
        gold: training and test texts with labels.
        given: the vectors of `train` and `test`, (n, dim) float32, in the order of `texts`.
        settings: texts per label, number of experiments and of neighbours, size of the test sample, seed.

    Raises:
        DataError: an experiment draws fewer training texts than neighbours, or the test texts have fewer than two
            labels.
    """
    import numpy as np

    from harness.evaluators import items, multilabel_metrics

    experiments, scored = draws(gold, settings), scored_rows(gold, settings)
    labels = sorted(set(chain.from_iterable(gold.test_labels[row] for row in scored)))
    if len(labels) < 2:
        raise DataError(
            f"the {len(scored)} test texts have {len(labels)} distinct label(s); multilabel classification needs at "
            "least 2; check the label column of the task"
        )
    true = _indicators([gold.test_labels[row] for row in scored], labels)
    place = {row: number for number, row in enumerate(_encoded(experiments))}
    of_experiments = []
    predicted = []  # (n_test, labels) of each experiment
    for rows in experiments:
        train = _indicators([gold.train_labels[row] for row in rows], labels)
        vectors = given["train"][[place[row] for row in rows]]
        predicted.append(_nearest_labels(vectors, train, given["test"], n_neighbors=settings.n_neighbors))
        of_experiments.append(multilabel_metrics.of_texts(true, predicted[-1]))
    per_experiment = [
        {
            **{name: float(values.mean()) for name, values in of_texts.items()},
            "f1": multilabel_metrics.f1_macro(true, labels_of_texts),
        }
        for of_texts, labels_of_texts in zip(of_experiments, predicted, strict=True)
    ]
    means = {name: float(np.mean([entry[name] for entry in per_experiment])) for name in _METRICS}
    of_metrics = {"f1": items.label_sets(true, np.stack(predicted), position=scored)}
    for name in of_experiments[0]:
        of_texts = np.mean([values[name] for values in of_experiments], axis=0)
        of_metrics[name] = items.values(of_texts, metric=name, unit="text", position=scored)
    return Scored({**means, "scores_per_experiment": per_experiment}, of_metrics)


def draws(gold: Multilabelled, settings: MultilabelClassificationSettings) -> list[list[int]]:
    """The rows of the training texts of each experiment: every text that has a label which too few drawn texts have.

    Raises:
        DataError: an experiment draws fewer texts than neighbours.
    """
    import numpy as np

    generator = np.random.default_rng(settings.seed)
    for count in gold.rows_before:
        for _ in range(settings.n_experiments):
            generator.shuffle(np.arange(count))
    experiments = []
    for _ in range(settings.n_experiments):
        order = np.arange(len(gold.train))
        generator.shuffle(order)
        counts = [0] * len(gold.label_names)
        drawn = []
        for row in order.tolist():
            labels = gold.train_labels[row]
            if any(counts[label] < settings.samples_per_label for label in labels):
                drawn.append(row)
                for label in labels:
                    counts[label] += 1
        if len(drawn) < settings.n_neighbors:
            raise DataError(
                f"an experiment draws {len(drawn)} of the {len(gold.train)} training texts of split "
                f"{settings.train_split!r}, fewer than the {settings.n_neighbors} neighbours that vote; give more "
                "training texts with labels, or set n_neighbors"
            )
        experiments.append(drawn)
    return experiments


def scored_rows(gold: Multilabelled, settings: MultilabelClassificationSettings) -> Int64:
    """The rows of the test texts that are scored: all, or a sample of about `max_eval_samples`."""
    import numpy as np

    from harness.evaluators import stratified

    most = settings.max_eval_samples
    if most is None or len(gold.test) <= most:
        return np.arange(len(gold.test))
    labels = [sorted(set(of_text)) for of_text in gold.test_labels]
    return stratified.multilabel_sample(labels, size=most, seed=settings.seed)


def _encoded(experiments: Sequence[Sequence[int]]) -> list[int]:
    """All drawn rows, each once, in the order of a set of integers, as in mteb."""
    return list(set(chain.from_iterable(experiments)))


def _indicators(labels: Sequence[Sequence[int]], counted: Sequence[int]) -> NDArray[Any]:
    """Which text has which of the counted labels: (n, labels) uint8; other labels are left out."""
    import numpy as np

    column = {label: number for number, label in enumerate(counted)}
    indicators = np.zeros((len(labels), len(counted)), dtype=np.uint8)
    for row, of_text in enumerate(labels):
        indicators[row, [column[label] for label in of_text if label in column]] = 1
    return indicators


def _nearest_labels(train: Float32, labels: NDArray[Any], test: Float32, *, n_neighbors: int) -> NDArray[Any]:
    """The labels of more than half of the nearest training texts: (n_test, labels) uint8."""
    import numpy as np
    from sklearn.neighbors import KNeighborsClassifier

    nearest = KNeighborsClassifier(n_neighbors=n_neighbors).fit(train, labels).kneighbors(test, return_distance=False)
    votes = np.zeros((len(test), labels.shape[1]), dtype=np.int64)
    for rank in range(n_neighbors):
        votes += labels[nearest[:, rank]]
    return (2 * votes > n_neighbors).astype(np.uint8)


def _read(task: TaskSpec, part: Part, table: ReadTable) -> ReadPart:
    split = task.settings.train_split
    test = table(part.split)
    train = test if split == part.split else table(split)
    where, train_where = f"{task.name} {part}", f"{task.name} {Part(split, part.subset)}"
    train_labels = _label_sets(train, task.columns["label"], where=train_where)
    test_labels = _label_sets(test, task.columns["label"], where=where)
    present = {label for of_text in (*train_labels, *test_labels) for label in of_text}
    if " and " in (kinds := tables.kinds([*present])):
        raise DataError(f"{where}: column {task.columns['label']!r} mixes {kinds}; expected one type")
    names = tuple(sorted(present))
    index = {name: number for number, name in enumerate(names)}
    before = list(task.subsets)[: list(task.subsets).index(part.subset)]
    gold = Multilabelled(
        train=tables.texts(train, task.columns["text"], where=train_where),
        train_labels=[[index[label] for label in of_text] for of_text in train_labels],
        test=tables.texts(test, task.columns["text"], where=where),
        test_labels=[[index[label] for label in of_text] for of_text in test_labels],
        label_names=names,
        rows_before=tuple(table.rows(split, subset) for subset in before),
    )
    seen = {label for of_text in train_labels for label in of_text}
    unseen = unseen_note(seen, test_labels, where=where, train_where=train_where)
    return ReadPart(gold, {part.split: tables.length(test), split: tables.length(train)}, defects=unseen)


def _label_sets(table: Table, name: str, *, where: str) -> list[list[str | int]]:
    return tables.lists(table, name, where=where, of=(str, int), called="labels (texts or integers)")


def _from_mteb(task: Any) -> FromMteb:
    neighbors = type(task.evaluator_model).__name__ == "KNeighborsClassifier"
    settings = settings_from_mteb(MultilabelClassificationSettings, task)
    return FromMteb(
        columns={"text": task.input_column_name, "label": task.label_column_name},
        settings=replace(settings, n_neighbors=task.evaluator_model.n_neighbors) if neighbors else settings,
        protocol=None if neighbors else "other_model",
    )


KIND = TaskKind(
    purpose="classification",
    settings=MultilabelClassificationSettings,
    main_metric="accuracy",
    metrics=lambda settings: _METRICS,
    columns={"text": "text", "label": "label"},
    training=lambda settings: Training(settings.train_split, settings.samples_per_label * settings.n_experiments),
    read=_read,
    texts=texts,
    takes="vectors",
    score=score,
    exact_batches=True,
    description="Texts and the labels of each",
    instruction="Classify user passages.",
    recognizes=lambda values, trainable: (
        "a column of texts and one of lists of labels, with training data"
        if trainable and all(isinstance(value, list) for value in values["label"])
        else ""
    ),
    from_mteb=_from_mteb,
)
