"""mteb's own tasks on data held in memory, and the harness's scorers on the same vectors.

An encoder that looks vectors up by text stands in for the model, so that both sides score the very same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from harness.evaluators import KINDS
from harness.evaluators.retrieval import Ranked
from harness.evaluators.task_kind import Sides
from harness.types import Scores

mteb = pytest.importorskip("mteb", reason="the oracle is mteb")
datasets = pytest.importorskip("datasets")

TOLERANCE = 1e-9
MAIN = {
    "Clustering": "v_measure",
    "Regression": "kendalltau",
    "Retrieval": "ndcg_at_1",
    "STS": "pearson",
    "Summarization": "pearson",
}
BEYOND = {"dot_pearson", "dot_spearman"}
"""Metrics of ours that mteb does not have."""


class LookUp:
    """An mteb encoder of a fixed table text -> vector. Its similarity is the dot product."""

    mteb_model_meta = None

    def __init__(self, table: Mapping[str, np.ndarray]) -> None:
        self.table = table
        self.dimensions = len(next(iter(table.values())))

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([self.table[text] for text in texts], dtype=np.float32).reshape(-1, self.dimensions)

    def encode(self, inputs: Any, **_: Any) -> np.ndarray:
        return self.rows([text for batch in inputs for text in batch["text"]])

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.asarray(left) @ np.asarray(right).T

    def similarity_pairwise(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.einsum("ij,ij->i", left, right)


# --- mteb's side ---------------------------------------------------------------------------------------------------


def mteb_task(base: str, task_type: str, data: Any, **attributes: Any) -> Any:
    """An instance of mteb's own task class that holds the data and needs no download."""
    import mteb.abstasks as abstasks
    from mteb.abstasks.task_metadata import TaskMetadata

    metadata = TaskMetadata(
        name=f"Oracle{base}",
        description="In memory",
        reference=None,
        dataset={"path": "none", "revision": "none"},
        type=task_type,
        category="t2t",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score=MAIN.get(task_type, "accuracy"),
        date=None,
        domains=None,
        task_subtypes=None,
        license=None,
        annotations_creators=None,
        dialect=None,
        sample_creation=None,
        bibtex_citation="",
    )
    if task_type == "PairClassification":
        metadata.main_score = "max_ap"
    module = getattr(abstasks, base, None) or getattr(pytest.importorskip("mteb.abstasks.clustering_legacy"), base)
    task = type(f"Oracle{base}", (module,), {"metadata": metadata, **attributes})()
    task.dataset, task.data_loaded = data, True
    return task


def mteb_scores(base: str, task_type: str, data: Any, encoder: LookUp, **attributes: Any) -> dict[str, Any]:
    """What mteb's own task class makes of the data, without the main score, NaN as None."""
    task = mteb_task(base, task_type, data, **attributes)
    scores = task.evaluate(encoder, split="test", encode_kwargs={"batch_size": 64, "show_progress_bar": False})
    found = plain(scores["default"])
    del found["main_score"]
    return found


def search_data(gold: Ranked) -> Any:
    """A search problem as mteb's retrieval task holds it."""
    from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData

    def table(ids: Sequence[str], texts: Sequence[str]) -> Any:
        return datasets.Dataset.from_dict({"id": ids, "text": texts})

    split = RetrievalSplitData(
        corpus=table(gold.document_ids, gold.documents),
        queries=table(gold.query_ids, gold.queries),
        relevant_docs={query: dict(judged) for query, judged in gold.qrels.items()},
        top_ranked=None,
    )
    return {"default": {"test": split}}


def plain(value: Any) -> Any:
    """Dicts, lists, floats and None only."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return None if value is None or math.isnan(value) else float(value)


# --- the harness's side --------------------------------------------------------------------------------------------


def harness_scores(
    task_type: Any, gold: Any, encoder: LookUp, settings: Any, *, own_similarity: bool = False
) -> dict[str, Any]:
    """What the harness's scorer makes of the gold, for every task type but retrieval."""
    evaluator = KINDS[task_type]
    given: Any = {field: encoder.rows(texts.items) for field, texts in evaluator.texts(gold, settings).items()}
    if evaluator.takes == "sides":
        given = Sides(**given, similarity="dot" if own_similarity else "cosine")
    elif own_similarity:
        given["similarity"] = encoder.similarity_pairwise(given["left"], given["right"])
    return evaluator.score(gold, given, settings=settings).scores


# --- both ----------------------------------------------------------------------------------------------------------


def assert_same(found: Scores, expected: Mapping[str, Any], *, tolerance: float = TOLERANCE) -> None:
    """Same keys but for `BEYOND`, same shape, same values, and nothing but plain Python."""
    found = {key: value for key, value in found.items() if key in expected or key not in BEYOND}
    assert set(found) == set(expected), f"in one only: {sorted(set(found) ^ set(expected))}"
    wrong = {
        key: (found[key], expected[key]) for key in expected if not same(found[key], expected[key], tolerance=tolerance)
    }
    assert not wrong, f"(harness, mteb): {wrong}"


def same(found: Any, expected: Any, *, tolerance: float = TOLERANCE) -> bool:
    if isinstance(expected, dict):
        return set(found) == set(expected) and all(
            same(found[key], expected[key], tolerance=tolerance) for key in expected
        )
    if isinstance(expected, list):
        return len(found) == len(expected) and all(
            same(one, other, tolerance=tolerance) for one, other in zip(found, expected, strict=True)
        )
    if expected is None:
        return found is None
    return type(found) in (float, int) and abs(found - expected) <= tolerance
