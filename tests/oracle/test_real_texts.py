"""The task types that learn, grade or follow instructions: every metric equals mteb's on vectors of real sentences.

The vectors are those of all-MiniLM-L6-v2, whole and rounded to half precision, for sentences of the suite `mini`.
`test_real_embeddings` does the same for the other types.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from harness import encoding, models
from harness.evaluators import KINDS, search
from harness.evaluators.multilabel_classification import MultilabelClassificationSettings, Multilabelled
from harness.evaluators.ranked import Ranked
from harness.evaluators.regression import RegressionSettings, Valued
from harness.evaluators.summarization import Summaries, SummarizationSettings
from harness.tasks import registry
from harness.types import EncodeOptions, Prompt, Texts
from tests.conftest import ROOT, bundled_folder

from .mteb_tasks import assert_same, datasets, harness_scores, mteb_scores
from .test_group_scores import p_mrr_of
from .test_real_embeddings import Cosine

halves = pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])


class Sentence(NamedTuple):
    text: str
    intent: str
    language: str


def rows_of(name: str) -> list[dict[str, Any]]:
    lines = (ROOT / "tasks" / "mini" / "data" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def sentences(split: str) -> list[Sentence]:
    """German and English messages to a caretaker, in turns."""
    sides = [
        [Sentence(row["text"], row["label"], language) for row in rows_of(f"MiniIntents{language}/{split}")[:60]]
        for language in ("English", "German")
    ]
    return [sentence for pair in zip(*sides, strict=True) for sentence in pair]


TRAIN, TEST = sentences("train"), sentences("test")
ANSWERS = [row["text"] for row in rows_of("MiniAnswersEnglish/corpus")][:60]
INSTRUCTIONS = ("Name only what is about a building.", "Name only what is about people, and nothing of a building.")
QUERIES = [sentence.text for sentence in TEST[:40:2]]
"""Each is asked with both instructions."""


@pytest.fixture(scope="module")
def vectors() -> dict[str, np.ndarray]:
    bundled_folder()
    asked = [f"{query} {instruction}" for query in QUERIES for instruction in INSTRUCTIONS]
    texts = list(dict.fromkeys([*(sentence.text for sentence in (*TRAIN, *TEST)), *ANSWERS, *asked]))
    encoder = models.open_model(models.resolve(models.BUNDLED), EncodeOptions(device="cpu", precision="fp32"))
    rows = encoding.encode(encoder, Texts(items=texts), prompt=Prompt(None, None)).vectors  # type: ignore[arg-type]
    encoder.close()
    return dict(zip(texts, rows, strict=True))


def look_up(vectors: dict[str, np.ndarray], *, half: bool) -> Cosine:
    return Cosine({text: row.astype(np.float16).astype(np.float32) if half else row for text, row in vectors.items()})


def texts_of(group: Sequence[Sentence]) -> list[str]:
    return [sentence.text for sentence in group]


def split_table(group: Sequence[Sentence], column: str, values: Sequence[Any]) -> Any:
    return datasets.Dataset.from_dict({"text": texts_of(group), column: list(values)})


@halves
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
def test_multilabel_classification(vectors: dict[str, np.ndarray], half: bool) -> None:
    """Labels are the intent, the language of every second pair of texts, and none for every tenth text."""

    def labels(group: Sequence[Sentence]) -> list[list[str]]:
        return [
            [] if place % 10 == 9 else [sentence.intent, *([sentence.language] if place // 2 % 2 else [])]
            for place, sentence in enumerate(group)
        ]

    train, test, encoder = labels(TRAIN), labels(TEST), look_up(vectors, half=half)
    names = sorted({label for of_text in (*train, *test) for label in of_text})
    gold = Multilabelled(
        train=texts_of(TRAIN),
        train_labels=[[names.index(label) for label in of_text] for of_text in train],
        test=texts_of(TEST),
        test_labels=[[names.index(label) for label in of_text] for of_text in test],
        label_names=tuple(names),
    )
    data = datasets.DatasetDict(train=split_table(TRAIN, "label", train), test=split_table(TEST, "label", test))
    settings = MultilabelClassificationSettings(samples_per_label=5, n_experiments=3)
    expected = mteb_scores(
        "AbsTaskMultilabelClassification",
        "MultilabelClassification",
        data,
        encoder,
        samples_per_label=5,
        n_experiments=3,
    )
    found = harness_scores("MultilabelClassification", gold, encoder, settings)
    assert_same(found, expected, tolerance=1e-6)
    assert found["lrap"] > 0.3, "the sentences tell something of the labels"


@halves
def test_regression(vectors: dict[str, np.ndarray], half: bool) -> None:
    """The number is that of the words of a text."""
    encoder = look_up(vectors, half=half)
    train, test = ([float(len(sentence.text.split())) for sentence in group] for group in (TRAIN, TEST))
    gold = Valued(train=texts_of(TRAIN), train_values=np.array(train), test=texts_of(TEST), test_values=np.array(test))
    data = datasets.DatasetDict(train=split_table(TRAIN, "value", train), test=split_table(TEST, "value", test))
    attributes = {"n_samples": 80, "n_experiments": 3}
    expected = mteb_scores("AbsTaskRegression", "Regression", data, encoder, **attributes)
    found = harness_scores("Regression", gold, encoder, RegressionSettings(**attributes))
    assert_same(found, expected, tolerance=1e-6)


@halves
def test_summarization(vectors: dict[str, np.ndarray], half: bool) -> None:
    """Sentences of an intent stand for its summaries; graders like those of the same intent, and short ones."""
    encoder = look_up(vectors, half=half)
    intents = sorted({sentence.intent for sentence in TEST})
    human = [[sentence.text for sentence in TRAIN if sentence.intent == intent][:3] for intent in intents]
    machine = [TEST[place : place + 7] for place in range(0, 7 * len(intents), 7)]
    grades = [
        [(4.0 if sentence.intent == intent else 1.0) + (len(sentence.text) < 60) for sentence in group]
        for intent, group in zip(intents, machine, strict=True)
    ]
    gold = Summaries(sources=intents, human=human, machine=[texts_of(group) for group in machine], grades=grades)
    table = {
        "text": gold.sources,
        "human_summaries": gold.human,
        "machine_summaries": gold.machine,
        "relevance": gold.grades,
    }
    data = {"test": datasets.Dataset.from_dict(table)}
    expected = mteb_scores("AbsTaskSummarization", "Summarization", data, encoder, min_score=1, max_score=5)
    settings = SummarizationSettings(min_score=1, max_score=5)
    assert_same(harness_scores("Summarization", gold, encoder, settings), expected, tolerance=1e-6)


@halves
@pytest.mark.parametrize("task", ["IFIRNFCorpus", "Core17InstructionRetrieval"])
def test_search_by_instruction(vectors: dict[str, np.ndarray], task: str, half: bool) -> None:
    """Each query is read together with its instruction, and all documents or its candidates are ranked.

    What is right for a query are the messages of its intent; the second instruction takes away every other of these.
    """
    encoder, spec = look_up(vectors, half=half), registry.get_task(task)
    reranking = spec.type == "InstructionReranking"
    ids = [f"{number}-{name}" for number in range(len(QUERIES)) for name in ("og", "changed")]
    documents = [*texts_of(TRAIN[::2]), *ANSWERS]
    document_ids = [f"d{place}" for place in range(len(documents))]
    right = [[f"d{i}" for i, other in enumerate(TRAIN[::2]) if other.intent == TEST[2 * n].intent] for n in range(20)]
    changes = {str(number): names[::2] for number, names in enumerate(right)}
    qrels = {name: dict.fromkeys(right[place // 2][place % 2 :: 1 + place % 2], 1) for place, name in enumerate(ids)}
    near = {name: [*dict.fromkeys([*right[place // 2], *document_ids[place::9]])] for place, name in enumerate(ids)}
    tables: dict[str, dict[str, list[Any]]] = {
        "corpus": {"_id": document_ids, "text": documents},
        "queries": {"_id": ids, "text": [query for query in QUERIES for _ in INSTRUCTIONS]},
        "instructions": {"query-id": ids, "instruction": [*INSTRUCTIONS] * len(QUERIES)},
        "qrels": {
            "query-id": [query for query, of_query in qrels.items() for _ in of_query],
            "corpus-id": [name for of_query in qrels.values() for name in of_query],
            "score": [1 for of_query in qrels.values() for _ in of_query],
        },
    }
    if reranking:
        tables["candidates"] = {"query-id": ids, "corpus-ids": [near[name] for name in ids]}
        tables["changes"] = {"query-id": [*changes], "corpus-ids": [*changes.values()]}
    kind = KINDS[spec.type]
    gold = kind.read(spec, spec.parts[0], lambda name, **_: tables.get(name, {})).gold  # type: ignore[arg-type,misc]
    assert isinstance(gold, Ranked)
    most = max(spec.settings.k_values)
    sides: Any = (encoder.rows(gold.queries), encoder.rows(gold.documents))
    if reranking:
        assert gold.candidates is not None
        places = [np.array([document_ids.index(name) for name in gold.candidates[query]]) for query in gold.query_ids]
        hits = search.rerank(*sides, places, document_ids=gold.document_ids, k=most, similarity="cosine")
    else:
        hits = search.search(sides[0], [sides[1]], document_ids=gold.document_ids, k=most, similarity="cosine")
    expected = mteb_scores(
        "AbsTaskRetrieval",
        spec.type,
        instructed(tables, qrels, near if reranking else None),
        encoder,
        k_values=spec.settings.k_values,
        **({"task_specific_scores": p_mrr_of(changes)} if reranking else {}),
    )
    found = kind.score(gold, hits, settings=spec.settings).scores
    assert_same(found, expected, tolerance=1e-6)
    assert 0 < abs(found[spec.main_metric]) < 1


def instructed(tables: dict[str, Any], qrels: dict[str, Any], near: dict[str, list[str]] | None) -> Any:
    """The problem as mteb's retrieval task holds it, with a column of instructions."""
    from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData

    corpus, queries = tables["corpus"], tables["queries"]
    split = RetrievalSplitData(
        corpus=datasets.Dataset.from_dict({"id": corpus["_id"], "text": corpus["text"]}),
        queries=datasets.Dataset.from_dict(
            {
                "id": queries["_id"],
                "text": queries["text"],
                "instruction": tables["instructions"]["instruction"],
            }
        ),
        relevant_docs=qrels,
        top_ranked=near,
    )
    return {"default": {"test": split}}
