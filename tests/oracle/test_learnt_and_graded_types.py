"""Multilabel classification, regression and summarization: every metric equals that of the installed mteb.

As in `test_evaluators`, mteb's own task and the scorer get the same vectors.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.evaluators import kendall, multilabel_classification, regression, stratified
from harness.evaluators.multilabel_classification import MultilabelClassificationSettings, Multilabelled
from harness.evaluators.regression import RegressionSettings, Valued
from harness.evaluators.summarization import Summaries, SummarizationSettings

from .mteb_tasks import assert_same, datasets, harness_scores, mteb_scores
from .test_evaluators import each_kind, gaussian, half, look_up, uniform

Kind = Callable[..., np.ndarray]
LABELS = ("art", "law", "sport", "trade", "war")


def label_sets(n: int, *, seed: int, names: Sequence[Any] = LABELS, most: int = 3) -> list[list[Any]]:
    rng = random.Random(seed)
    return [rng.sample(list(names), rng.randrange(most + 1)) for _ in range(n)]


def multilabelled(train: list[list[Any]], test: list[list[Any]], rows_before: tuple[int, ...] = ()) -> Multilabelled:
    names = sorted({label for labels in (*train, *test) for label in labels})
    return Multilabelled(
        train=[f"train {i}" for i in range(len(train))],
        train_labels=[[names.index(label) for label in labels] for labels in train],
        test=[f"test {i}" for i in range(len(test))],
        test_labels=[[names.index(label) for label in labels] for labels in test],
        label_names=tuple(names),
        rows_before=rows_before,
    )


def both(texts: Sequence[str], column: str, values: Sequence[Any]) -> Any:
    return datasets.Dataset.from_dict({"text": list(texts), column: list(values)})


def check_multilabel(kind: Kind, train: list[list[Any]], test: list[list[Any]], **attributes: Any) -> None:
    gold = multilabelled(train, test)
    encoder = look_up(kind, [*gold.train, *gold.test])
    data = datasets.DatasetDict({"train": both(gold.train, "label", train), "test": both(gold.test, "label", test)})
    attributes = {"samples_per_label": 6, "n_experiments": 3, **attributes}
    expected = mteb_scores("AbsTaskMultilabelClassification", "MultilabelClassification", data, encoder, **attributes)
    settings = MultilabelClassificationSettings(**attributes)
    assert_same(harness_scores("MultilabelClassification", gold, encoder, settings), expected)


@each_kind
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
def test_multilabel_classification(kind: Kind) -> None:
    """Every mean and every experiment, with texts of no label, and of labels that only one side has."""
    train = label_sets(120, seed=1, names=(*LABELS, "only here"))
    check_multilabel(kind, train, label_sets(90, seed=2, names=(*LABELS, "only there")))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
def test_multilabel_classification_of_a_sample() -> None:
    """Of a large test split the same texts are scored as in mteb, with integers as labels and repeated ones."""
    train = [[*labels, labels[0]] if labels else [] for labels in label_sets(60, seed=3, names=range(9))]
    check_multilabel(look_up_gaussian, train, label_sets(300, seed=4, names=range(9), most=5), max_eval_samples=80)


def look_up_gaussian(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.normal(size=(n, 24)).astype(np.float32)


@pytest.mark.parametrize("seed", range(6))
def test_the_sample_of_a_large_test_split(seed: int) -> None:
    """Frequent and rare pairs of labels, and texts without labels, are drawn as mteb draws them."""
    from mteb.abstasks._stratification import _iterative_train_test_split
    from sklearn.preprocessing import MultiLabelBinarizer

    labels = [sorted(labels) for labels in label_sets(200, seed=seed, names=range(2 + 3 * seed), most=2 + seed // 2)]
    indicators = MultiLabelBinarizer().fit_transform(labels)
    _, expected = _iterative_train_test_split(
        np.arange(200).reshape(-1, 1), indicators, test_size=70 / 200, random_state=seed
    )
    assert stratified.multilabel_sample(labels, size=70, seed=seed).tolist() == expected.tolist()


def test_multilabel_draws_go_on_from_subset_to_subset() -> None:
    """The draws of a later subset are those of an mteb task that has drawn for the earlier ones."""
    from mteb.abstasks import AbsTaskMultilabelClassification

    sizes, theirs = (70, 50, 61), None
    task = object.__new__(type("Oracle", (AbsTaskMultilabelClassification,), {"_evaluate_subset": None}))
    task.np_rng = np.random.default_rng(42)
    for place, size in enumerate(sizes):
        gold = multilabelled(label_sets(size, seed=place), [], rows_before=sizes[:place])
        theirs = [[int(row) for row in task._undersample_data_indices(gold.train_labels, 6, None)[0]] for _ in range(4)]
        settings = MultilabelClassificationSettings(samples_per_label=6, n_experiments=4)
        assert multilabel_classification.draws(gold, settings) == theirs


# --- regression ----------------------------------------------------------------------------------------------------


def check_regression(kind: Kind, train: np.ndarray, test: np.ndarray, **attributes: Any) -> None:
    gold = Valued(
        train=[f"train {i}" for i in range(len(train))],
        train_values=train.astype(np.float64),
        test=[f"test {i}" for i in range(len(test))],
        test_values=test.astype(np.float64),
    )
    encoder = look_up(kind, [*gold.train, *gold.test])
    data = datasets.DatasetDict({"train": both(gold.train, "value", train), "test": both(gold.test, "value", test)})
    expected = mteb_scores("AbsTaskRegression", "Regression", data, encoder, **attributes)
    assert_same(harness_scores("Regression", gold, encoder, RegressionSettings(**attributes)), expected)


@each_kind
def test_regression_on_all_texts(kind: Kind) -> None:
    """Every mean and every experiment, for numbers of any size."""
    rng = np.random.default_rng(5)
    check_regression(kind, rng.normal(size=90) * 40, rng.normal(size=70) * 40, n_experiments=2)


@pytest.mark.parametrize("values", ["years", "counts", "reals"])
def test_regression_on_a_sample(values: str) -> None:
    """Training texts are drawn by deciles as mteb draws them, whether these are many, few or of unequal size."""
    rng = np.random.default_rng(6)
    kinds: dict[str, Callable[[int], np.ndarray]] = {
        "years": lambda n: rng.integers(2007, 2024, size=n),
        "counts": lambda n: rng.geometric(0.3, size=n) - 1,
        "reals": lambda n: rng.normal(size=n),
    }
    check_regression(look_up_gaussian, kinds[values](400), kinds[values](120), n_samples=150, n_experiments=3)


def test_regression_that_predicts_one_number() -> None:
    """Where all predictions are equal, Kendall's tau is NaN in mteb and None here."""

    def alike(rng: np.random.Generator, n: int) -> np.ndarray:
        return np.ones((n, 24), np.float32)

    with np.errstate(all="ignore"):
        check_regression(alike, np.arange(30.0), np.arange(20.0), n_experiments=2)


def test_kendall_is_scipys_and_the_mean_of_its_items() -> None:
    """Tau-b with ties in both orders; the items' mean is tau, and their standard error that of a jackknife."""
    rng = np.random.default_rng(7)
    true, predicted = rng.integers(12, size=300).astype(float), np.float32(rng.integers(40, size=300))
    predicted += np.float32(true)
    [agreement] = kendall.agreements(true, [predicted])
    assert agreement.tau == pytest.approx(stats.kendalltau(true, predicted).statistic, abs=1e-12)
    assert agreement.of_items.mean() == pytest.approx(agreement.tau, abs=1e-12)
    keep = [np.delete(np.arange(300), row) for row in range(300)]
    left_out = np.array([stats.kendalltau(true[rows], predicted[rows]).statistic for rows in keep])
    jackknife = np.sqrt(299 / 300 * ((left_out - left_out.mean()) ** 2).sum())
    assert agreement.of_items.std(ddof=1) / np.sqrt(300) == pytest.approx(jackknife, rel=0.01)


def test_regression_draws_the_rows_that_mteb_draws() -> None:
    """In the same order, for each experiment."""
    from mteb.abstasks.regression import AbsTaskRegression

    values = np.random.default_rng(8).geometric(0.2, size=500).astype(float)
    gold = Valued(train=["text"] * 500, train_values=values, test=[], test_values=values[:0])
    settings = RegressionSettings(n_samples=123, n_experiments=3)
    table = datasets.Dataset.from_dict({"value": values, "row": range(500)})
    for place, rows in enumerate(regression.draws(gold, settings)):
        drawn = AbsTaskRegression.stratified_subsampling(
            datasets.DatasetDict({"train": table}), seed=42 + place, splits=["train"], n_samples=123
        )
        assert rows.tolist() == list(drawn["train"]["row"])


# --- summarization -------------------------------------------------------------------------------------------------


def summaries(n: int, *, seed: int) -> Summaries:
    """Texts with unequal numbers of summaries; the grades of one text are all equal."""
    rng = random.Random(seed)
    machine = [[f"machine {i} {j}" for j in range(rng.randrange(4, 9))] for i in range(n)]
    grades = [[rng.randrange(1, 11) / 2 for _ in of_text] for of_text in machine]
    grades[3] = [2.5] * len(grades[3])
    return Summaries(
        sources=[f"text {i}" for i in range(n)],
        human=[[f"human {i} {j}" for j in range(rng.randrange(1, 5))] for i in range(n)],
        machine=machine,
        grades=grades,
    )


def exact_ties(rng: np.random.Generator, n: int) -> np.ndarray:
    """Few distinct vectors of length 4, whose products and cosines are exact, so that equal ones are equal to the bit.

    Where rounding decides between equal cosines, mteb's scores depend on the machine's linear algebra library.
    """
    return rng.choice([-1, 1], size=(7, 16)).astype(np.float32)[rng.integers(7, size=n)]


@pytest.mark.parametrize("average_p_values", [False, True])
@pytest.mark.parametrize("kind", [gaussian, uniform, half, exact_ties], ids=lambda kind: kind.__name__)
def test_summarization(kind: Kind, average_p_values: bool) -> None:
    """All six correlations, in both versions of mteb's evaluator."""
    from mteb._evaluators.text import summarization_evaluator as theirs

    gold = summaries(25, seed=9)
    encoder = look_up(kind, [text for group in (*gold.human, *gold.machine) for text in group])
    table = {
        "text": gold.sources,
        "human_summaries": gold.human,
        "machine_summaries": gold.machine,
        "relevance": gold.grades,
    }
    evaluator = theirs.DeprecatedSummarizationEvaluator if average_p_values else theirs.SummarizationEvaluator
    with pytest.warns() if average_p_values else np.errstate():
        expected = mteb_scores(
            "AbsTaskSummarization",
            "Summarization",
            {"test": datasets.Dataset.from_dict(table)},
            encoder,
            min_score=1,
            max_score=5,
            evaluator=evaluator,
        )
    settings = SummarizationSettings(min_score=1, max_score=5, average_p_values=average_p_values)
    found = harness_scores("Summarization", gold, encoder, settings, own_similarity=True)
    assert_same(found, expected, tolerance=1e-9 if kind is exact_ties else 1e-6)
