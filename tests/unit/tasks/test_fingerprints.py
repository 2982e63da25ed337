"""The fingerprints of tasks: which of them changed when what they rank came to count."""

from __future__ import annotations

from collections import Counter

from harness.tasks import mteb_metadata, registry
from harness.tasks.registry import fingerprint_of


def test_tasks_whose_data_decide_what_is_ranked() -> None:
    """The fingerprints of mteb's 36 retrieval tasks with candidates, and of its 4 reranking tasks without, say so."""
    ranked = [(task.type, fingerprint_of(task).get("ranks")) for task in mteb_metadata.scored()]
    assert Counter(ranking for ranking in ranked if ranking[1]) == {
        ("Retrieval", "candidates"): 36,
        ("Reranking", "corpus"): 4,
    }
    for name in ("BrightPonyRetrieval", "OBLIQBenchMathRetrieval", "LMEBMLDR", "CodeRAGProgrammingSolutions"):
        assert fingerprint_of(registry.get_task(name))["ranks"]


def test_the_other_fingerprints_stay() -> None:
    """No committed task has such a fact, and a fingerprint holds nothing beside the keys that it had before."""
    before = {"type", "source", "columns", "merge_splits", "main_metric", "settings", "prompt"}
    for task in (*registry.get_tasks(), registry.get_task("SciFact"), registry.get_task("MindSmallReranking")):
        assert fingerprint_of(task).keys() - {"members", "configs"} == before, task.name
