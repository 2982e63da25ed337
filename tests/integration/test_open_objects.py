"""Models that the caller has opened: the same scores as by name, and nothing of the caller's model changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import harness
from harness.errors import ModelError
from tests import tiny

from .conftest import Tasks

PROMPTS = {"query": "query: ", "document": "text: "}


def main_scores(records: list[Any]) -> list[float]:
    return [entry["main_score"] for record in records for entry in record.parts.values()]


def state(model: Any) -> dict[str, Any]:
    """What measuring could change: mode, attributes and hooks of every module."""
    return {
        name: (module.training, sorted(vars(module)), len(module._forward_hooks), len(module._forward_pre_hooks))
        for name, module in model.named_modules()
    }


def test_a_sentence_transformer(tasks: Tasks, results: Path, tmp_path: Path) -> None:
    """The object scores what its folder scores, prompts included, and stays in training mode and as it was."""
    from sentence_transformers import SentenceTransformer

    for name in ("STS", "Retrieval", "Clustering"):
        tasks.write(f"My{name}", name)
    folder = tiny.save_sentence_transformer(tmp_path / "model", prompts=PROMPTS)
    model = SentenceTransformer(str(folder), device="cpu").train()
    before = state(model)
    chosen = ["MySTS", "MyRetrieval", "MyClustering"]
    of_object = harness.run(model, chosen, tasks_dirs=[tasks.path], results=results, name="org/open")
    of_folder = harness.run(str(folder), chosen, tasks_dirs=[tasks.path], results=results)
    assert main_scores(of_object) == pytest.approx(main_scores(of_folder), abs=1e-6)
    assert state(model) == before
    assert {record.model for record in of_object} == {"org/open"}
    assert of_object[1].harness["encoder"]["kind"] == "open SentenceTransformer"
    again = harness.run(model, "MySTS", tasks_dirs=[tasks.path], results=results, name="org/open")
    words = model[0].auto_model.embeddings.word_embeddings.weight
    with pytest.MonkeyPatch.context() as patch:  # other weights: neither the record nor kept vectors count
        patch.setattr(words, "data", words.data.flip(0))
        other = harness.run(model, "MySTS", tasks_dirs=[tasks.path], results=results, name="org/open")
    assert main_scores(again) == main_scores(of_object[:1])
    assert main_scores(other) != main_scores(again)


@pytest.mark.parametrize("class_name", ["CrossEncoder", "SparseEncoder"])
def test_other_objects(tasks: Tasks, tmp_path: Path, results: Path, class_name: str) -> None:
    """An open cross-encoder ranks candidates and an open sparse encoder searches, as their folders do."""
    import sentence_transformers

    tasks.write("MyRetrieval", "Retrieval")
    save = {"CrossEncoder": tiny.save_cross_encoder, "SparseEncoder": tiny.save_sparse_encoder}[class_name]
    model = getattr(sentence_transformers, class_name)(str(save(tmp_path / "model")), device="cpu")
    before = state(model)
    first: dict[str, Any] = {"first_stage": "baseline/bm25"} if class_name == "CrossEncoder" else {}
    asked = {"tasks_dirs": [tasks.path], "results": results, **first}
    of_object = harness.run(model, "MyRetrieval", name="org/open", **asked)
    of_folder = harness.run(str(tmp_path / "model"), "MyRetrieval", **asked)
    assert main_scores(of_object) == pytest.approx(main_scores(of_folder), abs=1e-6)
    assert state(model) == before


class Lengths:
    """An encoder of one's own."""

    prompts: ClassVar[dict[str, str]] = PROMPTS

    def __init__(self) -> None:
        self.seen: list[str] = []

    def encode(self, texts: list[str]) -> Any:
        self.seen += texts
        return np.array([[len(text), 1 + text.count("a")] for text in texts], dtype=np.float32)


def test_any_object_with_encode(tasks: Tasks, results: Path) -> None:
    """Prompts that the object brings, or that the user gives, stand before its texts; without encode it is refused."""
    tasks.write("MyRetrieval", "Retrieval")
    model = Lengths()
    (record,) = harness.run(model, "MyRetrieval", tasks_dirs=[tasks.path], results=results, name="org/mine")
    assert record.model == "org/mine"
    assert sum(text.startswith("query: ") for text in model.seen) == 2
    assert sum(text.startswith("text: ") for text in model.seen) == 6
    model.seen.clear()
    harness.run(model, "MyRetrieval", tasks_dirs=[tasks.path], results=results, prompts={"query": "ask: "})
    assert sum(text.startswith("ask: ") for text in model.seen) == 2
    with pytest.raises(ModelError, match=r"a model is a name, a callable .* or an object with encode; found object"):
        harness.run(object(), "MyRetrieval", tasks_dirs=[tasks.path], results=results)


def test_the_evaluator_of_a_trainer(tasks: Tasks, results: Path, tmp_path: Path) -> None:
    """It returns the main score of each task and their mean under its name, and keeps the records by step."""
    from sentence_transformers import SentenceTransformer

    tasks.write("MySTS")
    tasks.write("MyRetrieval", "Retrieval")
    model = SentenceTransformer(str(tiny.save_sentence_transformer(tmp_path / "model")), device="cpu")
    evaluator = harness.HarnessEvaluator(["MySTS", "MyRetrieval"], name="dev", tasks_dirs=[tasks.path])
    metrics = evaluator(model, str(tmp_path / "eval"), epoch=0.5, steps=10)
    assert list(metrics) == ["dev_MySTS_cosine_spearman", "dev_MyRetrieval_ndcg_at_10", "dev_mean"]
    assert evaluator.primary_metric == "dev_mean"
    assert metrics["dev_mean"] == pytest.approx(
        (metrics["dev_MySTS_cosine_spearman"] + metrics["dev_MyRetrieval_ndcg_at_10"]) / 2
    )
    evaluator(model, str(tmp_path / "eval"), epoch=1.0, steps=20)
    kept = harness.load_results(tmp_path / "eval" / "harness")
    assert {record.model for record in kept} == {"python/dev-step-10", "python/dev-step-20"}
    assert main_scores(list(kept))[0] in metrics.values()
