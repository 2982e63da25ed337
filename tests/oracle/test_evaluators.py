"""Every metric of every task type equals that of the installed mteb on the same vectors.

mteb runs its own task on data held in memory with an encoder that looks vectors up by text; the scorer gets the same
vectors. Agreement is asked for far below the promised 1e-6, because what differs is a definition, not rounding.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics.pairwise import paired_cosine_distances, paired_euclidean_distances, paired_manhattan_distances

from harness.evaluators import KINDS, classification, similarity
from harness.evaluators.classification import ClassificationSettings, Labelled
from harness.evaluators.clustering import Clustered, ClusteredSets, ClusteringSettings
from harness.evaluators.pair_classification import PairClassificationSettings
from harness.evaluators.retrieval import Ranked, RetrievalSettings
from harness.evaluators.sts import Pairs, STSSettings
from harness.types import Hits, Scores

from .mteb_tasks import LookUp, assert_same, datasets, harness_scores, mteb_scores, search_data

DIM = 24


# --- vectors -------------------------------------------------------------------------------------------------------


def gaussian(rng: np.random.Generator, n: int) -> np.ndarray:
    """Normal vectors around a few centres, scaled to length 1, as a sentence encoder gives."""
    centres = rng.normal(size=(5, DIM))
    rows = centres[rng.integers(5, size=n)] + 0.6 * rng.normal(size=(n, DIM))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def uniform(rng: np.random.Generator, n: int) -> np.ndarray:
    """Vectors of any length and direction."""
    return rng.uniform(-3, 3, size=(n, DIM)).astype(np.float32)


def half(rng: np.random.Generator, n: int) -> np.ndarray:
    """What is left of unit vectors after float16, the near ties of half-precision models."""
    return gaussian(rng, n).astype(np.float16).astype(np.float32)


def ties(rng: np.random.Generator, n: int) -> np.ndarray:
    """Few distinct vectors of small integers: exact ties and exact duplicates everywhere."""
    return rng.integers(1, 3, size=(6, DIM)).astype(np.float32)[rng.integers(6, size=n)]


def some_zero(rng: np.random.Generator, n: int) -> np.ndarray:
    """Zero vectors among others, as static embeddings give texts of unknown words."""
    rows = gaussian(rng, n)
    rows[::7] = 0
    return rows


SPREADS: list[Callable[[np.random.Generator, int], np.ndarray]] = [gaussian, uniform, half, ties, some_zero]
each_kind = pytest.mark.parametrize("kind", SPREADS, ids=lambda kind: kind.__name__)


def each_kind_or_name(table: Mapping[str, Any]) -> pytest.MarkDecorator:
    """Every kind of vector on the first entry, and every other entry on one kind: all pairs would take a minute."""
    first, *others = table
    cases = [*((kind, first) for kind in SPREADS), *((half, name) for name in others)]
    return pytest.mark.parametrize(("kind", "name"), cases, ids=[f"{kind.__name__}-{name}" for kind, name in cases])


def look_up(kind: Callable[..., np.ndarray], texts: Sequence[str], *, seed: int = 0) -> LookUp:
    return LookUp(dict(zip(texts, kind(np.random.default_rng(seed), len(texts)), strict=True)))


# --- pairs ---------------------------------------------------------------------------------------------------------


def pair_texts(n: int) -> tuple[list[str], list[str]]:
    return [f"left {i}" for i in range(n)], [f"right {i}" for i in range(n)]


@each_kind
def test_sts(kind: Callable[..., np.ndarray]) -> None:
    """All eight correlations, with gold scores that tie and a range that is not the default."""
    left, right = pair_texts(150)
    encoder = look_up(kind, left + right)
    gold = np.random.default_rng(1).integers(2, 11, size=150) / 2
    data = {"test": datasets.Dataset.from_dict({"sentence1": left, "sentence2": right, "score": gold.tolist()})}
    expected = mteb_scores("AbsTaskSTS", "STS", data, encoder, min_score=1, max_score=5)
    settings = STSSettings(min_score=1, max_score=5)
    found = harness_scores("STS", Pairs(left=left, right=right, gold=gold), encoder, settings, own_similarity=True)
    assert_same(found, expected)


def test_sts_of_identical_pairs_is_undefined_in_both() -> None:
    """Where every pair is equally similar mteb has NaN and the harness None, for the same metrics."""
    left, right = pair_texts(20)
    row = np.ones(DIM, dtype=np.float32)
    encoder = LookUp(dict.fromkeys(left + right, row))
    gold = np.arange(20) / 4
    data = {"test": datasets.Dataset.from_dict({"sentence1": left, "sentence2": right, "score": gold.tolist()})}
    with np.errstate(all="ignore"):
        expected = mteb_scores("AbsTaskSTS", "STS", data, encoder)
    found = harness_scores("STS", Pairs(left=left, right=right, gold=gold), encoder, STSSettings(), own_similarity=True)
    assert_same(found, expected)
    assert found["cosine_spearman"] is None


@each_kind
@pytest.mark.parametrize("scale", [1.0, 1e-7])
def test_pairs_are_compared_to_the_bit(kind: Callable[..., np.ndarray], scale: float) -> None:
    """Cosine, Manhattan and Euclidean are scikit-learn's to the last bit. Rows that are hardly there, which
    scikit-learn takes for none, have the cosine of their directions.
    """
    rng = np.random.default_rng(3)
    left, right = (np.float32(scale) * kind(rng, 500) for _ in range(2))
    right[:50] = left[:50]
    left[50] = 0
    found = similarity.pair_scores(left, right)
    if scale == 1.0:
        assert np.array_equal(found.cosine, 1 - paired_cosine_distances(left, right))
    else:
        directions = [rows.astype(np.float64) / scale for rows in (left, right)]
        assert found.cosine == pytest.approx(1 - paired_cosine_distances(*directions), abs=1e-6)
    assert np.array_equal(found.manhattan, paired_manhattan_distances(left, right))
    assert np.array_equal(found.euclidean, paired_euclidean_distances(left, right))
    assert {values.dtype for values in found} == {np.dtype("float32")}


@each_kind
@pytest.mark.parametrize("share", [0.5, 0.05])
def test_pair_classification(kind: Callable[..., np.ndarray], share: float) -> None:
    """All thirty metrics, for balanced and for rare matches."""
    left, right = pair_texts(200)
    encoder = look_up(kind, left + right)
    gold = (np.random.default_rng(2).random(200) < share).astype(np.int64)
    data = {"test": datasets.Dataset.from_dict({"sentence1": left, "sentence2": right, "labels": gold.tolist()})}
    expected = mteb_scores("AbsTaskPairClassification", "PairClassification", data, encoder)
    pairs = Pairs(left=left, right=right, gold=gold.astype(np.float64))
    found = harness_scores("PairClassification", pairs, encoder, PairClassificationSettings(), own_similarity=True)
    assert_same(found, expected)


def near_ties(n: int) -> LookUp:
    """Pairs that are all equally similar but for rounding: the same two vectors, coordinates shuffled alike."""
    rng = np.random.default_rng(3)
    shuffles = np.array([rng.permutation(DIM) for _ in range(n)])
    rows = [row[shuffles] for row in gaussian(rng, 2)]
    return LookUp(
        {text: row for texts, side in zip(pair_texts(n), rows, strict=True) for text, row in zip(texts, side)}
    )


def test_near_ties_fall_alike() -> None:
    """Where only the last bit of a similarity differs from pair to pair, it is the same last bit."""
    left, right = pair_texts(200)
    encoder, gold = near_ties(200), np.random.default_rng(2).integers(2, size=200)
    columns = {"sentence1": left, "sentence2": right, "labels": gold.tolist(), "score": gold.tolist()}
    data = {"test": datasets.Dataset.from_dict(columns)}
    pairs = Pairs(left=left, right=right, gold=gold.astype(np.float64))
    expected = mteb_scores("AbsTaskPairClassification", "PairClassification", data, encoder)
    found = harness_scores("PairClassification", pairs, encoder, PairClassificationSettings(), own_similarity=True)
    assert_same(found, expected)
    expected = mteb_scores("AbsTaskSTS", "STS", data, encoder)
    assert_same(harness_scores("STS", pairs, encoder, STSSettings(), own_similarity=True), expected)


# --- classification ------------------------------------------------------------------------------------------------


def labelled(train: Sequence[Any], test: Sequence[Any]) -> Labelled:
    names = sorted({*train, *test})
    return Labelled(
        train=[f"train {i}" for i in range(len(train))],
        train_labels=np.array([names.index(label) for label in train]),
        test=[f"test {i}" for i in range(len(test))],
        test_labels=np.array([names.index(label) for label in test]),
        label_names=tuple(names),
    )


def draw(labels: Sequence[Any], n: int, *, seed: int) -> list[Any]:
    return random.Random(seed).choices(labels, k=n)


CLASSIFICATION = {
    "binary": (draw([0, 1], 90, seed=1), draw([0, 1, 1], 80, seed=2)),
    "binary, labels 1 and 2": (draw([1, 2], 90, seed=1), draw([1, 2], 80, seed=2)),
    "many labels": (draw(range(7), 200, seed=1), draw(range(7), 80, seed=2)),
    "strings": (draw("abc", 90, seed=1), draw("abc", 80, seed=2)),
    "test has two of three labels": (draw([0, 1, 2], 90, seed=1), draw([0, 1], 80, seed=2)),
    "test has a label that training lacks": (draw([0, 1], 90, seed=1), draw([0, 1, 2], 80, seed=2)),
    "rare label": ([0] * 40 + [1] * 3 + [2] * 30, draw([0, 1, 2], 80, seed=2)),
}


@each_kind_or_name(CLASSIFICATION)
def test_classification(kind: Callable[..., np.ndarray], name: str) -> None:
    """Every mean and every experiment, whatever the labels are."""
    labels = CLASSIFICATION[name]
    gold = labelled(*labels)
    encoder = look_up(kind, [*gold.train, *gold.test])
    data = datasets.DatasetDict(
        {
            "train": datasets.Dataset.from_dict({"text": gold.train, "label": labels[0]}),
            "test": datasets.Dataset.from_dict({"text": gold.test, "label": labels[1]}),
        }
    )
    settings = ClassificationSettings(samples_per_label=6, n_experiments=2)
    expected = mteb_scores(
        "AbsTaskClassification", "Classification", data, encoder, samples_per_label=6, n_experiments=2
    )
    assert_same(harness_scores("Classification", gold, encoder, settings), expected)


def test_classification_draws_the_same_rows_in_the_same_order() -> None:
    """Each experiment goes on shuffling where the last one stopped."""
    from mteb.abstasks import AbsTaskClassification

    gold = labelled(draw("abc", 90, seed=1), ["a", "b"])
    data = datasets.Dataset.from_dict({"label": gold.train_labels.tolist()})
    task = SimpleNamespace(seed=42, label_column_name="label", samples_per_label=6)
    order, expected = None, []
    for experiment in range(4):
        _, order, rows = AbsTaskClassification._undersample_data(task, data, experiment, order)
        expected.append(rows)
    settings = ClassificationSettings(samples_per_label=6, n_experiments=4)
    assert [rows.tolist() for rows in classification.draws(gold, settings)] == expected


# --- clustering ----------------------------------------------------------------------------------------------------

N_CLUSTERED = 120
FLAT = draw(range(6), N_CLUSTERED, seed=3)
FINE = draw(range(3), N_CLUSTERED, seed=4)
ENDS_EARLY = draw([False, False, True], N_CLUSTERED, seed=5)
PATHS = {
    "integers": FLAT,
    "strings": [f"topic {label}" for label in FLAT],
    "two levels": [[label // 2, label] for label in FLAT],
    "integers, some end early": [[a] if end else [a, b] for a, b, end in zip(FLAT, FINE, ENDS_EARLY, strict=True)],
    "strings, some end early": [
        [f"a{a}"] if end else [f"a{a}", f"b{b}"] for a, b, end in zip(FLAT, FINE, ENDS_EARLY, strict=True)
    ],
    "integers, -1 is no label": [label - 1 for label in FLAT],
}
SAMPLES: dict[str, dict[str, Any]] = {
    "all": {"max_document_to_embed": None, "max_fraction_of_documents_to_embed": None},
    "at most 60": {"max_document_to_embed": 60, "max_fraction_of_documents_to_embed": None},
    "more than there are": {"max_document_to_embed": 999, "max_fraction_of_documents_to_embed": None},
    "half": {"max_document_to_embed": None, "max_fraction_of_documents_to_embed": 0.5},
}


def check_clustering(kind: Callable[..., np.ndarray], labels: list[Any], **attributes: Any) -> None:
    texts = [f"text {i}" for i in range(len(labels))]
    encoder = look_up(kind, texts)
    data = {"test": datasets.Dataset.from_dict({"sentences": texts, "labels": labels})}
    attributes = {"n_clusters": 3, "max_documents_per_cluster": 150, "k_mean_batch_size": 40, **attributes}
    expected = mteb_scores("AbsTaskClustering", "Clustering", data, encoder, **attributes)
    paths = [tuple(label) if isinstance(label, list) else (label,) for label in labels]
    found = harness_scores(
        "Clustering", Clustered(texts=texts, labels=paths), encoder, ClusteringSettings(**attributes)
    )
    assert_same(found, expected)


@each_kind_or_name(PATHS)
def test_clustering_by_labels(kind: Callable[..., np.ndarray], name: str) -> None:
    """V-measure and adjusted mutual information of every draw of every level."""
    check_clustering(kind, PATHS[name], **SAMPLES["at most 60"])


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_clustering_by_sample(sample: dict[str, Any]) -> None:
    """The generator is spent alike whether texts are sampled or not."""
    check_clustering(gaussian, PATHS["two levels"], **sample)


def test_clustering_depth() -> None:
    """A depth limit leaves out the levels below it."""
    check_clustering(gaussian, PATHS["two levels"], max_depth=1, **SAMPLES["all"])


@each_kind
def test_legacy_clustering(kind: Callable[..., np.ndarray]) -> None:
    """One V-measure per set, sets with a single label included."""
    labels = [
        draw("abcd", 40, seed=6),
        ["a"] * 10,
        draw("ab", 700, seed=7),
        draw([str(i) for i in range(30)], 31, seed=8),
    ]
    texts = [[f"set {s} text {i}" for i in range(len(one))] for s, one in enumerate(labels)]
    encoder = look_up(kind, [text for one in texts for text in one])
    data = {"test": datasets.Dataset.from_dict({"sentences": texts, "labels": labels})}
    expected = mteb_scores("AbsTaskClusteringLegacy", "Clustering", data, encoder)
    gold = ClusteredSets(
        sets=[
            Clustered(texts=names, labels=[(label,) for label in one]) for names, one in zip(texts, labels, strict=True)
        ]
    )
    found = harness_scores("Clustering", gold, encoder, ClusteringSettings(method="legacy"))
    assert_same(found, expected)


# --- retrieval -----------------------------------------------------------------------------------------------------


def ranked(n_queries: int, n_documents: int, *, seed: int) -> Ranked:
    """Graded judgments, some of them of documents that are not there; the first query has nothing relevant.

    Every third query bears the id of a document.
    """
    rng = random.Random(seed)
    documents = [f"d{i}" for i in range(n_documents)]
    rng.shuffle(documents)
    queries = [f"d{i}" if i % 3 == 0 else f"q{i}" for i in range(n_queries)]
    qrels = {query: {name: rng.choice([0, 1, 1, 2, 3]) for name in rng.sample(documents, 8)} for query in queries}
    qrels[queries[0]] = dict.fromkeys(documents[:3], 0)
    qrels[queries[1]]["not in the corpus"] = 2
    qrels[queries[2]] = dict.fromkeys(documents, 1)
    return Ranked(
        query_ids=queries,
        queries=[f"query {name}" for name in queries],
        document_ids=documents,
        documents=[f"document {name}" for name in documents],
        qrels=qrels,
    )


def search(gold: Ranked, encoder: LookUp, *, depth: int) -> Hits:
    """The best documents, equal scores by id descending."""
    similarity = encoder.similarity(encoder.rows(gold.queries), encoder.rows(gold.documents))
    by_id = np.argsort(np.argsort(gold.document_ids))
    order = np.array([np.lexsort((-by_id, -row)) for row in similarity])[:, :depth]
    return Hits(indices=order, scores=np.take_along_axis(similarity, order, axis=1))


def check_retrieval(gold: Ranked, encoder: LookUp, **attributes: Any) -> Scores:
    expected = mteb_scores("AbsTaskRetrieval", "Retrieval", search_data(gold), encoder, **attributes)
    settings = RetrievalSettings(**attributes)
    hits = search(gold, encoder, depth=max(settings.k_values))
    found = KINDS["Retrieval"].score(gold, hits, settings=settings).scores
    assert_same(found, expected)
    return found


@each_kind
@pytest.mark.parametrize("ignore_identical_ids", [False, True])
def test_retrieval_over_a_small_corpus(kind: Callable[..., np.ndarray], ignore_identical_ids: bool) -> None:
    """All metrics where the search returns the whole corpus, ties broken by document id."""
    gold = ranked(40, 70, seed=9)
    encoder = look_up(kind, [*gold.queries, *gold.documents])
    found = check_retrieval(gold, encoder, ignore_identical_ids=ignore_identical_ids)
    assert len([key for key in found if key.startswith("nauc_")]) == 105


@pytest.mark.parametrize("kind", [gaussian, uniform, half], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("skip_first_result", [False, True])
@pytest.mark.parametrize("ignore_identical_ids", [False, True])
def test_retrieval_to_a_depth(
    kind: Callable[..., np.ndarray], skip_first_result: bool, ignore_identical_ids: bool
) -> None:
    """Nothing moves up from below the depth when a hit is removed, and cutoffs need not be the default."""
    gold = ranked(40, 200, seed=10)
    encoder = look_up(kind, [*gold.queries, *gold.documents])
    check_retrieval(
        gold,
        encoder,
        k_values=(1, 2, 5, 30),
        skip_first_result=skip_first_result,
        ignore_identical_ids=ignore_identical_ids,
    )


def test_retrieval_of_the_query_itself() -> None:
    """A query whose only hit is itself keeps no hit at all when identical ids are ignored."""
    gold = Ranked(
        query_ids=["a", "b"],
        queries=["query a", "query b"],
        document_ids=["a"],
        documents=["document a"],
        qrels={"a": {"a": 1}, "b": {"a": 1}},
    )
    encoder = look_up(gaussian, [*gold.queries, *gold.documents])
    found = check_retrieval(gold, encoder, ignore_identical_ids=True)
    assert found["recall_at_1"] == 0.5


@pytest.mark.parametrize("kind", [gaussian, half], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("ignore_identical_ids", [False, True])
def test_retrieval_where_documents_share_an_id(kind: Callable[..., np.ndarray], ignore_identical_ids: bool) -> None:
    """Documents of one id, with one text or with several, count as mteb counts them, near the top and at the depth."""
    gold = ranked(30, 60, seed=12)
    repeated = [*gold.document_ids[:10], *gold.document_ids[:5]]
    texts = [*gold.documents[:5], *(f"other {name}" for name in repeated[5:])]
    gold = replace(gold, document_ids=[*gold.document_ids, *repeated], documents=[*gold.documents, *texts])
    encoder = look_up(kind, [*gold.queries, *dict.fromkeys(gold.documents)])
    for cutoffs in ((1, 3, 10, 100), (1, 5, 12)):
        check_retrieval(gold, encoder, ignore_identical_ids=ignore_identical_ids, k_values=cutoffs)


@pytest.mark.parametrize("n_queries", [1, 3, 10, 40])
def test_retrieval_where_queries_score_alike(n_queries: int) -> None:
    """nAUC of a metric with one value for all is 0 / 0 but for rounding; what mteb makes of it is followed.

    With one document to find in a corpus of thirty, recall is 1 and precision 1/k for every query at large k.
    """
    documents, queries = [f"d{i}" for i in range(30)], [f"q{i}" for i in range(n_queries)]
    gold = Ranked(
        query_ids=queries,
        queries=[f"query {name}" for name in queries],
        document_ids=documents,
        documents=[f"document {name}" for name in documents],
        qrels={name: {documents[i % 30]: 1} for i, name in enumerate(queries)},
    )
    found = check_retrieval(gold, look_up(gaussian, [*gold.queries, *gold.documents]))
    assert found["nauc_recall_at_1000_max"] is None
