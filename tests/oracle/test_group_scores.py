"""The further metrics of search tasks equal those of mteb's own tasks on the same vectors.

mteb's `task_specific_scores` is taken from the very task that has the metric, or from mteb's function where the task's
method would ask the hub.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness import data, encoding, models
from harness.errors import DataError
from harness.evaluators import KINDS, search
from harness.evaluators.instruction_retrieval import InstructionRerankingSettings
from harness.evaluators.query_groups import FurtherMetrics, grouped, of_mteb
from harness.evaluators.ranked import Ranked
from harness.evaluators.retrieval import RetrievalSettings
from harness.tasks import registry
from harness.types import EncodeOptions, Part, Prompt, Texts
from tests.conftest import bundled_folder

from .mteb_tasks import LookUp, assert_same, mteb, mteb_scores, search_data
from .test_evaluators import SPREADS, look_up

K_VALUES = (1, 3, 5, 10, 20, 40)


def judged(query_ids: Sequence[str], *, seed: int, alike: Callable[[str], str] = str) -> Ranked:
    """Queries over 60 documents, each with 20 candidates; those of one `alike` share judgements and candidates."""
    rng = random.Random(seed)
    documents = [f"d{i}" for i in range(60)]
    rng.shuffle(documents)
    candidates = {alike(query): rng.sample(documents, 20) for query in query_ids}
    qrels = {name: {doc: rng.choice([0, 1, 1, 2]) for doc in docs[::3]} for name, docs in candidates.items()}
    return Ranked(
        query_ids=query_ids,
        queries=[f"query {name}" for name in query_ids],
        document_ids=documents,
        documents=[f"document {name}" for name in documents],
        qrels={query: qrels[alike(query)] for query in query_ids},
        candidates={query: candidates[alike(query)] for query in query_ids},
    )


def changes_of(gold: Ranked) -> dict[str, list[str]]:
    """Documents that changed instructions make irrelevant: one of them is no candidate, one query has no partner."""
    topics = grouped(gold.query_ids, "p-MRR")
    changed = {topic: list(gold.qrels[f"{topic}-og"])[:4] for topic in topics}
    first = next(iter(topics))
    changed[first] = [*changed[first], next(doc for doc in gold.document_ids if doc not in changed[first])]
    return {**changed, "lonely": ["d1"]}


def method_of(name: str) -> Any:
    """How mteb's task of this name scores what only it has."""
    return type(mteb.get_task(name)).task_specific_scores


def problem(further: str, **attributes: Any) -> tuple[Ranked, Any, Any]:
    """Gold, the settings, and mteb's method."""
    settings = RetrievalSettings(k_values=K_VALUES, further_metrics=further, **attributes)
    if further == "R_cap":
        gold = judged([f"q{i}" for i in range(30)], seed=1)
        nothing = {"q3": dict.fromkeys(gold.qrels["q3"], 0)}
        return replace(gold, qrels={**gold.qrels, **nothing}), settings, method_of("LoCoMo")
    if further == "max_over_subqueries":
        ids = [f"topic_{i // 3}_{i % 3}" for i in range(36)]
        return (
            judged(ids, seed=2, alike=lambda query: query.rpartition("_")[0]),
            settings,
            method_of("MindSmallReranking"),
        )
    if further == "paired_accuracy":
        return judged([f"{i // 2}_q{i % 2 + 1}" for i in range(40)], seed=3), settings, method_of("NevIR")
    if further == "robustness_at_10":
        return judged([f"{i // 4}_{i % 4}" for i in range(40)], seed=4), settings, method_of("InstructIR")
    if further == "level_scores":
        return judged([f"q{i}-v{i % 3 + 1}" for i in range(30)], seed=5), settings, method_of("IFIRAila")
    gold = judged([f"{i // 2}-{('og', 'changed')[i % 2]}" for i in range(30)], seed=6)
    changes = changes_of(gold)
    settings = InstructionRerankingSettings(k_values=K_VALUES, **attributes)
    return replace(gold, changes=changes), settings, p_mrr_of(changes)


def p_mrr_of(changes: Mapping[str, Sequence[str]]) -> Any:
    """mteb's method for p-MRR, with these changes in place of those on the hub."""
    from mteb._evaluators.retrieval_metrics import evaluate_p_mrr_change

    def p_mrr(self: Any, scores: Any, qrels: Any, results: Any, **_: Any) -> Mapping[str, Any]:
        return evaluate_p_mrr_change(qrels, results, changes, self.k_values)

    return p_mrr


def compare(further: str, kind: Callable[..., np.ndarray], **attributes: Any) -> tuple[dict[str, Any], Any]:
    gold, settings, method = problem(further, **attributes)
    encoder = look_up(kind, [*gold.queries, *gold.documents])
    return compare_on(gold, settings, method, encoder, **attributes)


def compare_on(
    gold: Ranked, settings: Any, method: Any, encoder: LookUp, *, tolerance: float = 1e-9, **attributes: Any
) -> tuple[dict[str, Any], Any]:
    """mteb's scores, which ours equal, and our items."""
    content = search_data(gold)
    content["default"]["test"]["top_ranked"] = gold.candidates
    expected = mteb_scores(
        "AbsTaskRetrieval",
        "Retrieval",
        content,
        encoder,
        k_values=K_VALUES,
        task_specific_scores=method,
        **attributes,
    )
    place = {name: position for position, name in enumerate(gold.document_ids)}
    assert gold.candidates is not None
    hits = search.rerank(
        encoder.rows(gold.queries),
        encoder.rows(gold.documents),
        [np.array([place[name] for name in gold.candidates[query]]) for query in gold.query_ids],
        document_ids=gold.document_ids,
        k=max(K_VALUES),
        similarity="dot",
    )
    scores, items = KINDS["Retrieval"].score(gold, hits, settings=settings)
    assert_same(scores, expected, tolerance=tolerance)
    return expected, items


@pytest.mark.parametrize(
    "further", ["R_cap", "max_over_subqueries", "paired_accuracy", "robustness_at_10", "level_scores", "p-MRR"]
)
@pytest.mark.parametrize("kind", SPREADS, ids=lambda kind: kind.__name__)
def test_further_metrics(kind: Callable[..., np.ndarray], further: FurtherMetrics) -> None:
    """Every metric, further or not, equals mteb's, and the items of a further one average to it."""
    expected, items = compare(further, kind)
    names = {"R_cap": "R_cap_at_10", "max_over_subqueries": "max_over_subqueries_map_at_40"}
    metric = names.get(further, further)
    assert metric in expected
    if further != "level_scores":
        assert items[metric].is_sound()
        assert items[metric].whole() == pytest.approx(expected[metric], abs=1e-5)


@pytest.fixture(scope="module")
def real() -> tuple[Ranked, LookUp]:
    """Answers in English with the vectors of all-MiniLM-L6-v2, 16 of its queries."""
    bundled_folder()
    gold = data.load(registry.get_task("MiniAnswersEnglish"), Part("test", "default")).gold
    assert isinstance(gold, Ranked)
    texts = [*gold.queries[:16], *gold.documents]
    options = EncodeOptions(device="cpu", precision="fp32")
    encoder = models.open_model(models.resolve(models.BUNDLED), options)
    vectors = encoding.encode(encoder, Texts(items=texts), prompt=Prompt(None, None)).vectors  # type: ignore[arg-type]
    encoder.close()
    return replace(gold, query_ids=gold.query_ids[:16], queries=gold.queries[:16]), LookUp(dict(zip(texts, vectors)))


@pytest.mark.parametrize(
    ("further", "pattern"),
    [
        ("R_cap", "q{0}"),
        ("max_over_subqueries", "user_{1}_{2}"),
        ("paired_accuracy", "{1}_q{3}"),
        ("robustness_at_10", "{1}_{2}"),
        ("level_scores", "q{0}-v{5}"),
        ("p-MRR", "{1}-{4}"),
    ],
)
def test_further_metrics_of_real_texts(real: tuple[Ranked, LookUp], further: FurtherMetrics, pattern: str) -> None:
    """The same on the vectors of real sentences, to 1e-6."""
    answers, encoder = real
    ids = [pattern.format(i, i // 2, i % 2, i % 2 + 1, ("og", "changed")[i % 2], i % 3 + 1) for i in range(16)]
    shared = [answers.qrels[answers.query_ids[i]] for i in range(16)]
    if further == "max_over_subqueries":  # subqueries share their judgements
        shared = [shared[i - i % 2] for i in range(16)]
    gold = replace(answers, query_ids=ids, qrels=dict(zip(ids, shared)))
    near = {name: [*gold.qrels[name], *gold.document_ids[::13]] for name in ids}
    gold = replace(gold, candidates={name: [*dict.fromkeys(documents)] for name, documents in near.items()})
    changed = {str(i): list(gold.qrels[ids[2 * i]])[:1] for i in range(8)}
    _, settings, method = problem(further)
    if further == "p-MRR":
        gold, method = replace(gold, changes=changed), p_mrr_of(changed)
    compare_on(gold, settings, method, encoder, tolerance=1e-6)


@pytest.mark.parametrize("further", ["R_cap", "max_over_subqueries", "p-MRR"])
def test_identical_ids_are_removed_first(further: FurtherMetrics) -> None:
    """A hit with the query's own id counts for no further metric either."""
    compare(further, SPREADS[1], ignore_identical_ids=True)


def test_mteb_names_further_metrics_in_code_alone() -> None:
    """Each task of mteb with scores of its own is told by its method, and one with others is not taken for known."""
    named = {name: of_mteb(mteb.get_task(name)) for name in ("MindSmallReranking", "mFollowIR", "IFIRPm", "SciFact")}
    assert named == {
        "MindSmallReranking": "max_over_subqueries",
        "mFollowIR": "p-MRR",
        "IFIRPm": "level_scores",
        "SciFact": "none",
    }
    with_others = type("WithOthers", (type(mteb.get_task("SciFact")),), {"task_specific_scores": lambda self: {}})
    assert of_mteb(with_others()) is None


def test_pairs_that_are_not_whole_are_refused() -> None:
    """A pair of which one query is missing is named, where mteb raises a KeyError."""
    gold, settings, _ = problem("paired_accuracy")
    kept = replace(gold, query_ids=gold.query_ids[:-1], queries=gold.queries[:-1])
    encoder = look_up(SPREADS[0], [*gold.queries, *gold.documents])
    hits = search.search(
        encoder.rows(kept.queries),
        [encoder.rows(kept.documents)],
        document_ids=kept.document_ids,
        k=20,
        similarity="dot",
    )
    with pytest.raises(DataError, match="the pair '19' is not whole; expected queries 19_q1 and 19_q2"):
        KINDS["Reranking"].score(kept, hits, settings=settings)
