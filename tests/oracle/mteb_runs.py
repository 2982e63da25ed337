"""The scores that mteb gives a model on the data of a task of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict

from harness import data
from harness.models.mteb_tasks import metadata_of
from harness.tasks import registry, task_file
from harness.types import TaskSpec
from tests.conftest import ROOT
from tests.oracle.mteb_tasks import plain, search_data

RERANKING = "MyReranking"
CASES = ("MiniSTSGerman", "MiniIntentsGerman", "MiniAnswersGerman", RERANKING)
"""STS, classification, retrieval and reranking."""


def write_reranking(folder: Path) -> Path:
    """A reranking task over answers of the suite `mini`: 20 queries, candidates are the right ones and six others."""
    source, target = ROOT / "tasks" / "mini" / "data" / "MiniAnswersGerman", folder / "data"
    target.mkdir(parents=True)
    tables = {
        name: [json.loads(line) for line in (source / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        for name in ("corpus", "queries", "qrels")
    }
    tables["queries"] = tables["queries"][:20]
    queries = [row["_id"] for row in tables["queries"]]
    tables["qrels"] = [row for row in tables["qrels"] if row["query-id"] in queries]
    documents = [row["_id"] for row in tables["corpus"]]
    right: dict[str, list[str]] = {}
    for row in tables["qrels"]:
        right.setdefault(row["query-id"], []).append(row["corpus-id"])
    tables["candidates"] = [
        {"query-id": query, "corpus-ids": [*dict.fromkeys([*names, *documents[7 * place : 7 * place + 6]])]}
        for place, (query, names) in enumerate(right.items())
    ]
    for name, rows in tables.items():
        (target / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    file = folder / f"{RERANKING}.yaml"
    lines = [
        f"name: {RERANKING}",
        "type: Reranking",
        "description: Answers, ranked again",
        "license: Apache-2.0",
        "source: {kind: local, path: data}",
        "splits: [test]",
        "main_metric: map_at_1000",
        "subsets: {default: [deu-Latn]}",
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def shortened(name: str, folder: Path, *, queries: int = 20, every: int = 4) -> TaskSpec:
    """A search task of the suite `mini` with some of its queries and documents, which are long: quick to encode.

    Args:
        name: the task.
        folder: where its file and its data are written.
        queries: how many of its first queries.
        every: of so many documents one is taken, besides those that are relevant.
    """
    source, target = ROOT / "tasks" / "mini", folder / "data" / name
    if not target.exists():
        target.mkdir(parents=True)
        tables = {
            table: [
                json.loads(line) for line in (source / "data" / name / f"{table}.jsonl").read_text("utf-8").splitlines()
            ]
            for table in ("queries", "qrels", "corpus")
        }
        tables["queries"] = tables["queries"][:queries]
        asked = {query["_id"] for query in tables["queries"]}
        tables["qrels"] = [row for row in tables["qrels"] if row["query-id"] in asked]
        judged = {row["corpus-id"] for row in tables["qrels"]}
        tables["corpus"] = [
            row for place, row in enumerate(tables["corpus"]) if row["_id"] in judged or place % every == 0
        ]
        for table, rows in tables.items():
            (target / f"{table}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        (folder / f"{name}.yaml").write_bytes((source / f"{name}.yaml").read_bytes())
    return task_file.load_file(folder / f"{name}.yaml")


def task_of(name: str, folder: Path) -> TaskSpec:
    """One of `CASES`; the search tasks lie in `folder`, with few queries and documents. A classification has three
    experiments instead of ten, on both sides: what differs from model to model is the vectors.
    """
    if name == RERANKING:
        return task_file.load_file(folder / f"{RERANKING}.yaml")
    task = registry.get_tasks().get(name)
    if task.type == "Retrieval":
        return shortened(name, folder)
    return replace(task, settings=replace(task.settings, n_experiments=3)) if task.type == "Classification" else task


def mteb_scores_of(
    model: Any, task: TaskSpec, *, predictions: Path | None = None, after: tuple[Path, int] | None = None
) -> Mapping[str, Any]:
    """What mteb's task class makes of the first part of `task` with a model of its own.

    Args:
        model: mteb's.
        task: ours.
        predictions: a folder to which mteb writes what the model found.
        after: such a folder, whose best documents of each query, so many, are ranked instead of the corpus.
    """
    import mteb.abstasks as abstasks

    part = task.parts[0]
    gold: Any = data.load(task, part).gold
    if task.type == "STS":
        base: Any = abstasks.AbsTaskSTS
        table = {"sentence1": list(gold.left), "sentence2": list(gold.right), "score": gold.gold.tolist()}
        content: Any = {"default": DatasetDict({part.split: Dataset.from_dict(table)})}
    elif task.type == "Classification":
        base = abstasks.AbsTaskClassification
        tables = {
            "train": {"text": list(gold.train), "label": gold.train_labels.tolist()},
            part.split: {"text": list(gold.test), "label": gold.test_labels.tolist()},
        }
        content = {"default": DatasetDict({name: Dataset.from_dict(table) for name, table in tables.items()})}
    else:
        base, content = abstasks.AbsTaskRetrieval, search_data(gold)
        if gold.candidates is not None:
            split = content["default"]["test"]
            split["top_ranked"] = {query: list(names) for query, names in gold.candidates.items()}
    metadata = metadata_of(task).model_copy(
        update={"main_score": "accuracy" if task.type == "Classification" else task.main_metric}
    )
    instance = type(task.name, (base,), {"metadata": metadata, **_settings(task)})()
    instance.dataset, instance.data_loaded = content, True
    if after is not None:
        instance.convert_to_reranking(after[0], top_k=after[1])
    scores = instance.evaluate(
        model,
        split=part.split,
        subsets_to_run=["default"],
        encode_kwargs={"batch_size": 32, "show_progress_bar": False},
        prediction_folder=predictions,
    )
    return plain({name: value for name, value in scores["default"].items() if isinstance(value, (int, float))})


def _settings(task: TaskSpec) -> dict[str, Any]:
    settings = task.settings
    names = ("min_score", "max_score", "samples_per_label", "n_experiments", "k_values")
    return {name: getattr(settings, name) for name in names if hasattr(settings, name)}
