"""Every metric equals mteb's on real texts: the vectors of all-MiniLM-L6-v2, whole and rounded to half precision.

Made-up vectors have no near ties; those of real sentences do, and average precision, thresholds and rankings hang on
them. The last test lets both sides do everything themselves, encoding included.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import harness
from harness import data, encoding, models
from harness.evaluators import KINDS, search
from harness.evaluators.classification import ClassificationSettings, Labelled
from harness.evaluators.clustering import Clustered, ClusteredSets, ClusteringSettings
from harness.evaluators.pair_classification import PairClassificationSettings
from harness.evaluators.retrieval import Ranked, RetrievalSettings
from harness.evaluators.sts import Pairs, STSSettings
from harness.tasks import registry
from harness.types import EncodeOptions, Gold, Part, Prompt, Texts
from tests.conftest import SHARED, bundled_folder

from .mteb_runs import shortened
from .mteb_tasks import LookUp, assert_same, datasets, harness_scores, mteb, mteb_scores, mteb_task, plain, search_data

HUB = SHARED / "hub" / "datasets" / "mteb"
TEST = Part("test", "default")
CPU = EncodeOptions(device="cpu", precision="fp32")
EXPERIMENTS = 3
"""Of a classification, on both sides: mteb takes seconds for ten."""
BEGINNING = 80
"""Characters of a text that are encoded in the quick tests: twice as many take twice as long."""


class Problem(NamedTuple):
    """Real texts with what they are to be scored for."""

    gold: Gold
    settings: Any


# --- the texts -----------------------------------------------------------------------------------------------------


def mini(name: str) -> Problem:
    """A task of the suite `mini`."""
    task = registry.get_tasks().get(name)
    return Problem(data.load(task, TEST).gold, task.settings)


def part_of(problem: Problem) -> Problem:
    """Some of its pairs, or of its queries and documents: enough to score, and quick to encode."""
    gold, settings = problem
    if isinstance(gold, Pairs):
        gold = Pairs(left=gold.left[:60], right=gold.right[:60], gold=gold.gold[:60])
    elif isinstance(gold, Ranked):
        queries = gold.query_ids[:25]
        judged = {name for query in queries for name in gold.qrels[query]}
        kept = [i for i, name in enumerate(gold.document_ids) if name in judged or i % 3 == 0]
        gold = Ranked(
            query_ids=queries,
            queries=gold.queries[:25],
            document_ids=[gold.document_ids[i] for i in kept],
            documents=[gold.documents[i] for i in kept],
            qrels={query: gold.qrels[query] for query in queries},
        )
    elif isinstance(settings, ClassificationSettings):
        settings = replace(settings, n_experiments=EXPERIMENTS)
    return Problem(gold, settings)


def rows(file: str, limit: int | None = None) -> list[dict[str, Any]]:
    """The first rows of a file of the local hub."""
    lines = (HUB / file).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[:limit]]


def stsb() -> Problem:
    """Spanish pairs of the STS Benchmark."""
    found = rows("stsb_multi_mt/es/test.jsonl", 60)
    gold = np.array([row["similarity_score"] for row in found], dtype=np.float64)
    return Problem(
        Pairs(left=[row["sentence1"] for row in found], right=[row["sentence2"] for row in found], gold=gold),
        STSSettings(),
    )


def pawsx(limit: int | None = 60) -> Problem:
    """German pairs of PAWS-X: nearly the same words on both sides, so all similarities crowd below 1."""
    found = rows("PawsXPairClassification/de/test.jsonl", limit)
    gold = np.array([row["labels"] for row in found], dtype=np.float64)
    return Problem(
        Pairs(left=[row["sentence1"] for row in found], right=[row["sentence2"] for row in found], gold=gold),
        PairClassificationSettings(),
    )


def banking() -> Problem:
    """Eight intents of Banking77."""
    names = sorted({row["label_text"] for row in rows("banking77/data/test.jsonl")})[::10]
    sides = [few_of_each(rows(f"banking77/data/{split}.jsonl"), names, 8) for split in ("train", "test")]
    return Problem(
        Labelled(
            train=[row["text"] for row in sides[0]],
            train_labels=np.array([names.index(row["label_text"]) for row in sides[0]]),
            test=[row["text"] for row in sides[1]],
            test_labels=np.array([names.index(row["label_text"]) for row in sides[1]]),
            label_names=tuple(names),
        ),
        ClassificationSettings(samples_per_label=6, n_experiments=EXPERIMENTS),
    )


def few_of_each(found: Sequence[Mapping[str, Any]], names: Sequence[str], count: int) -> list[Mapping[str, Any]]:
    by_name = {name: [row for row in found if row["label_text"] == name][:count] for name in names}
    return [row for group in zip(*by_name.values(), strict=True) for row in group]


def sib200() -> Problem:
    """German sentences of SIB-200 by topic."""
    found = rows("sib200/deu_Latn/test.jsonl", 110)
    return Problem(
        Clustered(texts=[row["text"] for row in found], labels=[(row["category"],) for row in found]),
        ClusteringSettings(max_document_to_embed=100, max_documents_per_cluster=300),
    )


MINI = {
    "STS": "MiniSTSGerman",
    "PairClassification": "MiniPairsGerman",
    "Classification": "MiniIntentsGerman",
    "Clustering": "MiniTopicsGerman",
    "Clustering, legacy": "MiniTopicsSpanish",
    "Retrieval": "MiniAnswersGerman",
}
FROM_HUB = {"STS": stsb, "PairClassification": pawsx, "Classification": banking, "Clustering": sib200}
CASES = [*MINI.values(), *(make.__name__ for make in FROM_HUB.values())]
TYPES = {name: kind.partition(",")[0] for kind, name in MINI.items()} | {
    make.__name__: kind for kind, make in FROM_HUB.items()
}


@pytest.fixture(scope="module")
def problems() -> dict[str, Problem]:
    found = {name: part_of(mini(name)) for name in MINI.values()}
    if HUB.is_dir():
        found |= {make.__name__: make() for make in FROM_HUB.values()}
    return found


@pytest.fixture(scope="module")
def table(problems: Mapping[str, Problem]) -> dict[str, np.ndarray]:
    return vectors(problems.values(), characters=BEGINNING)


def vectors(problems: Iterable[Problem], *, characters: int | None = None) -> dict[str, np.ndarray]:
    """Text -> vector that all-MiniLM-L6-v2 in fp32 gives so many of its characters; all if there is no number."""
    bundled_folder()
    texts = list(dict.fromkeys(text for problem in problems for text in texts_of(problem.gold)))
    encoder = models.open_model(models.resolve(models.BUNDLED), CPU)
    beginnings = [text[:characters] for text in texts]
    embedded = encoding.encode(encoder, Texts(items=beginnings), prompt=Prompt(None, None))  # type: ignore[arg-type]
    encoder.close()
    return dict(zip(texts, embedded.vectors, strict=True))


def texts_of(gold: Gold) -> Iterator[str]:
    if isinstance(gold, Pairs):
        yield from (*gold.left, *gold.right)
    elif isinstance(gold, Labelled):
        yield from (*gold.train, *gold.test)
    elif isinstance(gold, Clustered):
        yield from gold.texts
    elif isinstance(gold, ClusteredSets):
        yield from (text for one in gold.sets for text in one.texts)
    else:
        yield from (*gold.queries, *gold.documents)


# --- both sides ----------------------------------------------------------------------------------------------------


class Cosine(LookUp):
    """Vectors by text; the similarity is that of sentence-transformers."""

    def similarity(self, left: Any, right: Any) -> Any:
        from sentence_transformers.util import cos_sim

        return cos_sim(left, right)

    def similarity_pairwise(self, left: Any, right: Any) -> np.ndarray:
        from sentence_transformers.util import pairwise_cos_sim

        return pairwise_cos_sim(np.asarray(left), np.asarray(right)).numpy()


class Theirs(NamedTuple):
    """What mteb needs to know to score a problem."""

    base: str
    type: str
    data: Any
    attributes: dict[str, Any]


def theirs(problem: Problem) -> Theirs:
    """The problem as mteb's task classes hold it."""
    gold, settings = problem
    if isinstance(gold, Pairs):
        kind, column = ("STS", "score") if isinstance(settings, STSSettings) else ("PairClassification", "labels")
        table = {"sentence1": gold.left, "sentence2": gold.right, column: gold.gold.tolist()}
        return Theirs(f"AbsTask{kind}", kind, {"test": datasets.Dataset.from_dict(table)}, asdict(settings))
    if isinstance(gold, Labelled):
        assert isinstance(settings, ClassificationSettings)
        sides = {"train": (gold.train, gold.train_labels), "test": (gold.test, gold.test_labels)}
        tables = {
            split: datasets.Dataset.from_dict({"text": texts, "label": [gold.label_names[i] for i in labels]})
            for split, (texts, labels) in sides.items()
        }
        attributes = {"samples_per_label": settings.samples_per_label, "n_experiments": settings.n_experiments}
        return Theirs("AbsTaskClassification", "Classification", datasets.DatasetDict(tables), attributes)
    if isinstance(gold, Ranked):
        return Theirs("AbsTaskRetrieval", "Retrieval", search_data(gold), {})
    assert isinstance(settings, ClusteringSettings)
    sets = gold.sets if isinstance(gold, ClusteredSets) else [gold]
    columns = [[one.texts for one in sets], [[path[0] for path in one.labels] for one in sets]]
    if settings.method == "v2":
        columns = [column[0] for column in columns]
    held = {"test": datasets.Dataset.from_dict(dict(zip(("sentences", "labels"), columns, strict=True)))}
    if settings.method == "legacy":
        return Theirs("AbsTaskClusteringLegacy", "Clustering", held, {})
    attributes = asdict(settings)
    for ours_only in ("method", "seed", "clustering_batch_size"):
        del attributes[ours_only]
    if settings.max_document_to_embed is not None:
        attributes["max_fraction_of_documents_to_embed"] = None  # mteb wants one of the two
    return Theirs("AbsTaskClustering", "Clustering", held, attributes)


def ours(problem: Problem, encoder: LookUp, *, task_type: str) -> dict[str, Any]:
    gold, settings = problem
    if not isinstance(gold, Ranked):
        return harness_scores(task_type, gold, encoder, settings, own_similarity=isinstance(gold, Pairs))
    assert isinstance(settings, RetrievalSettings)
    documents = encoder.rows(gold.documents)
    hits = search.search(
        encoder.rows(gold.queries),
        [documents[:100], documents[100:]],
        document_ids=gold.document_ids,
        k=max(settings.k_values),
        similarity="cosine",
    )
    return KINDS["Retrieval"].score(gold, hits, settings=settings).scores


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
@pytest.mark.parametrize("name", CASES)
def test_every_metric(name: str, half: bool, problems: Mapping[str, Problem], table: Mapping[str, np.ndarray]) -> None:
    """From the same vectors both sides get the same value of every metric, to 1e-6."""
    if name not in problems:
        pytest.skip("no ../shared beside this checkout")
    check(problems[name], table, task_type=TYPES[name], half=half)


def check(problem: Problem, table: Mapping[str, np.ndarray], *, task_type: str, half: bool) -> None:
    rounded = {text: row.astype(np.float16).astype(np.float32) for text, row in table.items()} if half else table
    encoder = Cosine(rounded)
    base, their_type, held, attributes = theirs(problem)
    expected = mteb_scores(base, their_type, held, encoder, **attributes)
    assert_same(ours(problem, encoder, task_type=task_type), expected, tolerance=1e-6)


@pytest.mark.slow
def test_near_ties_of_a_whole_task(shared: Path) -> None:
    """All 2,000 pairs of PawsX de, where the last bit of a score moves the third decimal of an average precision."""
    problem = pawsx(None)
    table = vectors([problem])
    for half in (False, True):
        check(problem, table, task_type="PairClassification", half=half)


END_TO_END = ["MiniPairsEnglish", "MiniTopicsEnglish", "MiniAnswersEnglish"]
NOT_METRICS = ("main_score", "hf_subset", "languages", "mteb_version")


def test_from_texts_to_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`mteb.evaluate` with the SentenceTransformer gives the records of `harness.run`: main scores to 1e-6."""
    import huggingface_hub.constants
    from sentence_transformers import SentenceTransformer

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # mteb asks the hub about the model
    model = SentenceTransformer(str(bundled_folder()), device="cpu")
    specs = [
        shortened(name, tmp_path / "tasks") if name == "MiniAnswersEnglish" else registry.get_tasks().get(name)
        for name in END_TO_END
    ]
    problems = [theirs(Problem(data.load(spec, TEST).gold, spec.settings)) for spec in specs]
    tasks = [mteb_task(base, kind, held, **extra) for base, kind, held, extra in problems]
    found = mteb.evaluate(model, tasks, cache=None, show_progress_bar=False, co2_tracker=False).task_results
    records = harness.run(models.BUNDLED, specs, device="cpu", precision="fp32", results=tmp_path)
    assert [record.task for record in records] == END_TO_END
    assert [result.task_name for result in found] == [task.metadata.name for task in tasks]
    for record, result in zip(records, found, strict=True):
        mine = {key: value for key, value in record.parts[TEST].items() if key not in NOT_METRICS}
        other = {key: plain(value) for key, value in result.scores["test"][0].items() if key not in NOT_METRICS}
        main = registry.get_tasks().get(record.task).main_metric
        assert record.parts[TEST]["main_score"] == mine[main]
        assert abs(mine[main] - other[main]) <= 1e-6
        assert_same(mine, other, tolerance=1e-5)
