"""Scorers with hand-written arrays: what they ask to have encoded, what they make of it, what they refuse."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from harness.errors import DataError
from harness.evaluators import KINDS, classification
from harness.evaluators.classification import ClassificationSettings, Labelled
from harness.evaluators.clustering import Clustered, ClusteredSets, ClusteringSettings
from harness.evaluators.pair_classification import PairClassificationSettings
from harness.evaluators.retrieval import Ranked, RetrievalSettings
from harness.evaluators.sts import Pairs, STSSettings
from harness.types import Hits


def rows(*values: list[float]) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def noise(n: int, *, dim: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


# --- the table -----------------------------------------------------------------------------------------------------


def test_what_takes_hits_is_searched() -> None:
    """Every type whose scorer takes hits says what to search, and no other does; only such a type is searched."""
    for kind in KINDS.values():
        assert (kind.takes == "hits") == (kind.search is not None)
        assert kind.search is not None or not (kind.shards or kind.ranks)


def test_importing_the_table_is_light() -> None:
    """scikit-learn and scipy wait until something is scored."""
    code = "import sys, harness.evaluators; print(sorted({'sklearn', 'scipy', 'torch', 'mteb'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# --- pairs ---------------------------------------------------------------------------------------------------------

PAIRS = Pairs(left=["a", "b", "c"], right=["d", "e", "f"], gold=np.array([5.0, 2.0, 0.0]))
LEFT, RIGHT = rows([1, 0], [1, 0], [1, 0]), rows([2, 0], [3, 3], [0, 4])
"""Cosines 1, 0.7, 0; Euclidean distances 1, 3.6, 4.1; Manhattan distances 1, 5, 5; dot products 2, 3, 0."""


@pytest.mark.parametrize("task_type", ["STS", "PairClassification"])
def test_pairs_encode_both_sides(task_type: Any) -> None:
    """Left and right texts are named as they are, in no role."""
    texts = KINDS[task_type].texts(PAIRS, None)
    assert {field: (one.items, one.role) for field, one in texts.items()} == {
        "left": (["a", "b", "c"], None),
        "right": (["d", "e", "f"], None),
    }


def test_sts_by_hand() -> None:
    """Gold and cosine fall together; the Manhattan tie costs Spearman sqrt(3)/2; nearer means more similar."""
    scores = KINDS["STS"].score(PAIRS, {"left": LEFT, "right": RIGHT}, settings=STSSettings()).scores
    assert scores["cosine_spearman"] == pytest.approx(1)
    assert scores["euclidean_spearman"] == pytest.approx(1)
    assert scores["manhattan_spearman"] == pytest.approx(3**0.5 / 2)
    assert scores["spearman"] == scores["cosine_spearman"]
    assert scores["dot_spearman"] == pytest.approx(1 / 2)
    assert len(scores) == 10


def test_sts_takes_the_similarity_of_the_model() -> None:
    """`pearson` and `spearman` are of the given similarity, and the others do not change."""
    plain = KINDS["STS"].score(PAIRS, {"left": LEFT, "right": RIGHT}, settings=STSSettings()).scores
    with_own = {"left": LEFT, "right": RIGHT, "similarity": np.array([1.0, 2.0, 3.0])}
    own = KINDS["STS"].score(PAIRS, with_own, settings=STSSettings()).scores
    assert own["spearman"] == pytest.approx(-1)
    assert own["pearson"] == pytest.approx(-(5 / 2) / (19 / 3) ** 0.5)
    assert own["cosine_pearson"] == plain["cosine_pearson"]


def test_pair_classification_by_hand() -> None:
    """With pairs 1 and 2 matching, every similarity but Manhattan separates; its tie leaves one false match."""
    gold = Pairs(left=PAIRS.left, right=PAIRS.right, gold=np.array([1.0, 1.0, 0.0]))
    vectors = {"left": LEFT, "right": RIGHT, "similarity": np.array([0.0, 1.0, 2.0], dtype=np.float32)}
    scores = KINDS["PairClassification"].score(gold, vectors, settings=PairClassificationSettings()).scores
    assert scores["cosine_ap"] == scores["euclidean_f1"] == scores["dot_accuracy"] == 1
    assert scores["manhattan_ap"] == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)
    assert (scores["manhattan_f1"], scores["manhattan_precision"], scores["manhattan_recall"]) == (
        pytest.approx(2 / 3),
        1,
        1 / 2,
    )
    assert scores["similarity_ap"] == pytest.approx(1 / 2 * 1 / 2 + 1 / 2 * 2 / 3)
    assert scores["similarity_accuracy"] == 1 / 3
    assert scores["max_ap"] == scores["max_recall"] == 1
    assert len(scores) == 30


@pytest.mark.parametrize("dim", [3, 32, 384, 1024])
def test_dot_products_are_those_of_a_loop(dim: int) -> None:
    """The vectorised products equal np.dot row by row to the last bit, on which near ties depend."""
    left, right = noise(50, dim=dim, seed=1), noise(50, dim=dim, seed=2)
    assert np.vecdot(left, right).tolist() == [np.dot(a, b) for a, b in zip(left, right)]


# --- classification ------------------------------------------------------------------------------------------------


def labelled(train: list[int], test: list[int], names: tuple[str | int, ...] = (0, 1, 2)) -> Labelled:
    return Labelled(
        train=[f"train {i}" for i in range(len(train))],
        train_labels=np.array(train, dtype=np.int64),
        test=[f"test {i}" for i in range(len(test))],
        test_labels=np.array(test, dtype=np.int64),
        label_names=names,
    )


def test_each_experiment_draws_so_many_of_each_label() -> None:
    """Four of a common label, all two of a rare one, no row twice, and not the same rows each time."""
    gold = labelled([0] * 30 + [1] * 2 + [2] * 30, [0])
    chosen = classification.draws(gold, ClassificationSettings(samples_per_label=4, n_experiments=5))
    assert len(chosen) == 5
    for one in chosen:
        assert np.bincount(gold.train_labels[one]).tolist() == [4, 2, 4]
        assert len(set(one.tolist())) == 10
    assert len({tuple(sorted(one.tolist())) for one in chosen}) > 1


def test_only_drawn_texts_are_encoded_in_their_order() -> None:
    """`train` holds the rows that some experiment uses, ascending, once each."""
    gold = labelled([0, 1] * 200, [0, 1])
    settings = ClassificationSettings(samples_per_label=3, n_experiments=2)
    texts = KINDS["Classification"].texts(gold, settings)
    used = sorted({int(row) for one in classification.draws(gold, settings) for row in one})
    assert texts["train"].items == [f"train {row}" for row in used]
    assert texts["test"].items == ["test 0", "test 1"]


def test_separable_labels_are_classified_perfectly() -> None:
    """Every metric of every experiment is 1 where a line tells the labels apart."""
    gold = labelled([0, 1] * 10, [1, 0, 1])
    settings = ClassificationSettings(samples_per_label=3, n_experiments=2)
    items = KINDS["Classification"].texts(gold, settings)["train"].items
    train = rows(*([[-1.0, 0.0], [1.0, 0.0]][int(text.split()[1]) % 2] for text in items))
    test = rows([3, 0], [-3, 0], [3, 0])
    scores = KINDS["Classification"].score(gold, {"train": train, "test": test}, settings=settings).scores
    experiments = scores.pop("scores_per_experiment")
    assert set(scores.values()) == {1.0}
    assert len(scores) == 9
    assert experiments == [scores, scores]


@pytest.mark.parametrize(
    ("test", "names", "defined"),
    [([0, 1, 2], (0, 1, 2), False), ([0, 1], (0, 1, 2), True), ([0, 1], ("no", "yes"), True), ([0], (0, 1), False)],
)
def test_average_precision_needs_two_labels(test: list[int], names: tuple[Any, ...], defined: bool) -> None:
    """`ap` is a number where the test set has two labels, of whatever kind, and None otherwise."""
    gold = labelled([0, 1] * 10, test, names)
    settings = ClassificationSettings(samples_per_label=2, n_experiments=2)
    count = len(KINDS["Classification"].texts(gold, settings)["train"].items)
    embeddings = {"train": noise(count), "test": noise(len(test))}
    scores = KINDS["Classification"].score(gold, embeddings, settings=settings).scores
    assert all((one["ap"] is not None) == defined for one in [scores, *scores["scores_per_experiment"]])


def test_one_label_is_refused() -> None:
    """Training data of a single label cannot train anything, and the message names it."""
    gold = labelled([1, 1], [1, 0], ("ham", "spam"))
    with pytest.raises(DataError, match=r"split 'train' have 1 distinct label\(s\) \('spam'\)"):
        KINDS["Classification"].texts(gold, ClassificationSettings())


# --- clustering ----------------------------------------------------------------------------------------------------

SMALL = {"n_clusters": 2, "max_documents_per_cluster": 40, "max_fraction_of_documents_to_embed": None}


def clustered(labels: list[Any]) -> Clustered:
    return Clustered(texts=[f"text {i}" for i in range(len(labels))], labels=[(label,) for label in labels])


def test_separated_groups_are_found() -> None:
    """Vectors that stand in two heaps, one per label, give V-measure and mutual information 1 in every draw."""
    gold = clustered(["a", "b"] * 10)
    vectors = rows(*[[0, 0], [9, 9]] * 10)
    scores = KINDS["Clustering"].score(gold, {"texts": vectors}, settings=ClusteringSettings(**SMALL)).scores
    assert scores == {
        "v_measure": 1.0,
        "v_measure_std": 0.0,
        "v_measures": {"Level 0": [1.0, 1.0]},
        "ami": 1.0,
        "ami_std": 0.0,
        "ami_scores": {"Level 0": [1.0, 1.0]},
    }


@pytest.mark.parametrize(
    ("limits", "count"),
    [
        ({"max_document_to_embed": 7}, 7),  # the fraction, 0.04 by default, gives way
        ({"max_document_to_embed": 99}, 50),
        ({"max_fraction_of_documents_to_embed": 0.25}, 12),
        ({"max_fraction_of_documents_to_embed": None}, 50),
    ],
)
def test_only_the_sample_is_encoded(limits: dict[str, Any], count: int) -> None:
    """As many distinct texts as the limit says are asked for."""
    gold = clustered(["a", "b"] * 25)
    items = KINDS["Clustering"].texts(gold, ClusteringSettings(**limits))["texts"].items
    assert len(items) == len(set(items)) == count


def test_clustering_keeps_no_state() -> None:
    """Neither an earlier score nor the global generators change a number."""
    gold, vectors = clustered([f"label {i % 3}" for i in range(30)]), noise(30)
    settings = ClusteringSettings(**SMALL)
    first = KINDS["Clustering"].score(gold, {"texts": vectors}, settings=settings).scores
    random.seed(7)
    np.random.seed(7)
    assert KINDS["Clustering"].score(gold, {"texts": vectors}, settings=settings).scores == first
    other = ClusteringSettings(**SMALL, seed=1)
    assert KINDS["Clustering"].score(gold, {"texts": vectors}, settings=other).scores != first


def test_a_sample_too_small_to_cluster_is_refused() -> None:
    """4 % of twenty texts are none, and the message names the settings to change."""
    with pytest.raises(DataError, match=r"0 of 20 texts are left .* max_document_to_embed \(now None\)"):
        KINDS["Clustering"].texts(clustered(["a", "b"] * 10), ClusteringSettings())


def test_a_single_label_is_refused() -> None:
    """One label is found by any clustering, so its score would say nothing."""
    settings = ClusteringSettings(max_document_to_embed=10)
    with pytest.raises(DataError, match=r"all 10 texts to cluster have the label \('a',\)"):
        KINDS["Clustering"].texts(clustered(["a"] * 20), settings)


def test_legacy_sets_with_one_label_are_not_encoded() -> None:
    """They score 1, as in mteb, and ask for no vectors."""
    gold = ClusteredSets(sets=[clustered(["a", "a"]), clustered(["a", "b", "a", "b"]), clustered(["b"])])
    settings = ClusteringSettings(method="legacy")
    assert KINDS["Clustering"].texts(gold, settings)["texts"].items == [f"text {i}" for i in range(4)]
    vectors = rows([0, 0], [0, 0], [9, 9], [9, 9])  # tells nothing about the labels
    scores = KINDS["Clustering"].score(gold, {"texts": vectors}, settings=settings).scores
    assert scores["v_measures"] == pytest.approx([1, 0, 1])
    assert scores["v_measure"] == pytest.approx(2 / 3)
    assert scores["v_measure_std"] == pytest.approx(2**0.5 / 3)


def test_legacy_sets_without_two_labels_are_refused() -> None:
    """If no set has anything to tell apart there is nothing to score."""
    gold = ClusteredSets(sets=[clustered(["a", "a"]), clustered(["b"])])
    with pytest.raises(DataError, match="none of the 2 sets to cluster has at least 2 labels"):
        KINDS["Clustering"].texts(gold, ClusteringSettings(method="legacy"))


# --- retrieval -----------------------------------------------------------------------------------------------------

RANKED = Ranked(
    query_ids=["q1", "d1", "q3"],
    queries=["one", "two", "three"],
    document_ids=["d0", "d1", "d2"],
    documents=["zero", "one", "two"],
    qrels={"q1": {"d0": 1, "d9": 1}, "d1": {"d2": 2, "d1": 1}, "q3": {"d0": 0}},
)
FOUND = Hits(
    indices=np.array([[1, 0, 2], [1, 2, 0], [0, -1, -1]]),
    scores=rows([3, 2, 1], [3, 2, 0], [5, 0, 0]),
)


def retrieval_scores(**settings: Any) -> dict[str, Any]:
    return KINDS["Retrieval"].score(RANKED, FOUND, settings=RetrievalSettings(k_values=(1, 3), **settings)).scores


def test_retrieval_encodes_by_role() -> None:
    """Only here do texts have roles, which pick the prompts."""
    texts = KINDS["Retrieval"].texts(RANKED, RetrievalSettings())
    assert [(field, one.items, one.role) for field, one in texts.items()] == [
        ("queries", ["one", "two", "three"], "query"),
        ("documents", ["zero", "one", "two"], "document"),
    ]


def test_retrieval_by_hand() -> None:
    """First relevant hits at ranks 2, 1 and never; one relevant document is not in the corpus; a judgment of 0."""
    scores = retrieval_scores()
    assert scores["mrr_at_3"] == (1 / 2 + 1 + 0) / 3
    assert scores["mrr_at_1"] == (0 + 1 + 0) / 3
    assert scores["recall_at_3"] == (1 / 2 + 1 + 0) / 3
    assert scores["recall_at_1"] == scores["accuracy"] == round((0 + 1 / 2 + 0) / 3, 5)
    assert scores["precision_at_3"] == round((1 / 3 + 2 / 3 + 0) / 3, 5)
    assert scores["hit_rate_at_3"] == round(2 / 3, 5)
    assert scores["map_at_3"] == round(((1 / 2) / 2 + (1 + 1) / 2 + 0) / 3, 5)


def test_means_are_rounded_but_not_mrr() -> None:
    """Five digits as mteb writes them, except for MRR."""
    scores = retrieval_scores()
    assert scores["hit_rate_at_1"] == 0.33333
    assert scores["mrr_at_1"] == 1 / 3


def test_the_query_itself_can_be_ignored() -> None:
    """Without document d1 query d1 finds d2 first; the relevant d1 is still missed by recall."""
    scores = retrieval_scores(ignore_identical_ids=True)
    assert scores["mrr_at_1"] == 1 / 3
    assert scores["recall_at_3"] == round((1 / 2 + 1 / 2 + 0) / 3, 5)
    assert scores["precision_at_3"] == round((1 / 3 + 1 / 3 + 0) / 3, 5)


def test_the_first_result_can_be_skipped() -> None:
    """Every ranking starts at its second hit."""
    scores = retrieval_scores(skip_first_result=True)
    assert scores["mrr_at_1"] == (1 + 1 + 0) / 3
    assert scores["recall_at_3"] == round((1 / 2 + 1 / 2 + 0) / 3, 5)


def test_hits_are_left_as_they_were() -> None:
    """Removing hits works on a copy."""
    before = FOUND.indices.copy(), FOUND.scores.copy()
    retrieval_scores(ignore_identical_ids=True, skip_first_result=True)
    assert np.array_equal(FOUND.indices, before[0])
    assert np.array_equal(FOUND.scores, before[1])


def test_accuracy_needs_a_cutoff_of_one() -> None:
    """Without k = 1 there is no recall at 1 to report as accuracy."""
    scores = KINDS["Retrieval"].score(RANKED, FOUND, settings=RetrievalSettings(k_values=(3,))).scores
    assert scores["accuracy"] is None


def test_undefined_nauc_is_none() -> None:
    """One query gives nothing to abstain from."""
    gold = Ranked(query_ids=["q"], queries=["q"], document_ids=["d"], documents=["d"], qrels={"q": {"d": 1}})
    hits = Hits(indices=np.array([[-1]]), scores=rows([0]))
    scores = KINDS["Retrieval"].score(gold, hits, settings=RetrievalSettings(k_values=(1,))).scores
    assert {value for key, value in scores.items() if key.startswith("nauc")} == {None}


def test_no_queries_are_refused() -> None:
    """A mean over nothing is an error of the data."""
    gold = Ranked(query_ids=[], queries=[], document_ids=["d"], documents=["d"], qrels={})
    hits = Hits(indices=np.zeros((0, 1), dtype=np.int64), scores=np.zeros((0, 1), dtype=np.float32))
    with pytest.raises(DataError, match="no queries"):
        KINDS["Retrieval"].score(gold, hits, settings=RetrievalSettings())


# --- all -----------------------------------------------------------------------------------------------------------


def test_scores_are_strict_json() -> None:
    """What any scorer returns survives JSON without NaN and without numpy."""
    pairs = {"left": LEFT, "right": RIGHT}
    gold = labelled([0, 1] * 4, [0, 1, 2])
    settings = ClassificationSettings(n_experiments=2)
    sets = ClusteredSets(sets=[clustered(["a", "b"])])
    everything = [
        KINDS["STS"].score(PAIRS, pairs, settings=STSSettings()).scores,
        KINDS["PairClassification"].score(PAIRS, pairs, settings=PairClassificationSettings()).scores,
        KINDS["Classification"].score(gold, {"train": noise(8), "test": noise(3)}, settings=settings).scores,
        KINDS["Clustering"]
        .score(clustered(["a", "b"] * 5), {"texts": noise(10)}, settings=ClusteringSettings(**SMALL))
        .scores,
        KINDS["Clustering"].score(sets, {"texts": noise(2)}, settings=ClusteringSettings(method="legacy")).scores,
        retrieval_scores(),
    ]
    assert json.loads(json.dumps(everything, allow_nan=False)) == everything
