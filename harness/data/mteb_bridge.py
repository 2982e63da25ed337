"""Any text task of the installed mteb: its metadata as a TaskSpec, its data as tables. Owns `mteb`.

The bridge takes names and data from mteb and nothing else: embeddings, scores and records are ours. It costs mteb's
import, so a task that has a spec of its own never comes here.
"""

from __future__ import annotations

import functools
import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from harness.data.rows_to_gold import Table
from harness.errors import DataError, UnknownName
from harness.types import (
    TASK_TYPES,
    BitextMiningSettings,
    ClassificationSettings,
    ClusteringSettings,
    PairClassificationSettings,
    RetrievalSettings,
    Settings,
    Source,
    STSSettings,
    TaskSpec,
)


def installed() -> bool:
    """Whether mteb can be imported, without importing it."""
    return importlib.util.find_spec("mteb") is not None


def listed() -> tuple[str, ...]:
    """The names of mteb's tasks, without importing mteb: those that it ships statistics of."""
    return tuple(listed_types())


def listed_types() -> dict[str, str]:
    """Name -> type of mteb's tasks, sorted by name, without importing mteb; `Image` stands for all types of images."""
    found = importlib.util.find_spec("mteb")
    if found is None or not found.submodule_search_locations:
        return {}
    folder = Path(found.submodule_search_locations[0]) / "descriptive_stats"
    files = sorted(folder.rglob("*.json"), key=lambda file: file.stem)
    return {file.stem: file.relative_to(folder).parts[0] for file in files}


def spec(name: str) -> TaskSpec:
    """The TaskSpec of mteb's task `name`, with source kind `mteb`.

    Raises:
        UnknownName: mteb has no such task.
        DataError: the task is not one that the harness can score; the message says why.
    """
    task = _task(name)
    metadata = task.metadata
    if metadata.type not in TASK_TYPES:
        raise DataError(f"{name}: mteb's type {metadata.type} is not scored here; types: {', '.join(TASK_TYPES)}")
    if list(metadata.modalities) != ["text"]:
        raise DataError(f"{name}: holds {', '.join(metadata.modalities)}; only tasks of text alone are scored here")
    if _is_aggregate(task):
        raise DataError(f"{name}: an aggregate of other tasks; run those: {', '.join(_members(task))}")
    return TaskSpec(
        name=name,
        type=metadata.type,
        description=str(metadata.description),
        source=Source(kind="mteb", path=str(metadata.dataset["path"]), revision=str(metadata.dataset["revision"])),
        splits=tuple(metadata.eval_splits),
        # mteb names some twice: `deu-Latn` for both sides of a subset, a domain by mistake
        subsets={sub: tuple(dict.fromkeys(spoken)) for sub, spoken in metadata.hf_subsets_to_langscripts.items()},
        columns=_columns(task),
        main_metric=str(metadata.main_score),
        settings=_settings(task),
        prompt=_prompt(metadata.prompt),
        domains=tuple(dict.fromkeys(metadata.domains or ())),
        reference=str(metadata.reference) if metadata.reference else None,
        license=str(metadata.license) if metadata.license and metadata.license != "not specified" else None,
    )


def changes(name: str) -> tuple[str, ...]:
    """What mteb does besides loading the task's data set from the hub; nothing where rows are scored as they lie."""
    task = _task(name)
    found = []
    for method in ("load_data", "dataset_transform"):
        owner = next(kind for kind in type(task).__mro__ if method in vars(kind))
        if not owner.__module__.startswith("mteb.abstasks"):
            found.append(f"{owner.__name__}.{method}")
    if task.fast_loading:
        found.append("fast_loading")
    options = {key: value for key, value in task.metadata.dataset.items() if key not in ("path", "revision")}
    return (*found, *(f"the option {key}={value!r}" for key, value in options.items()))


def names(types: Sequence[str] = TASK_TYPES) -> list[str]:
    """The names of mteb's text tasks of these types, sorted."""
    import mteb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = mteb.get_tasks(task_types=cast(Any, list(types)), modalities=["text"], exclusive_modality_filter=True)
    return sorted(task.metadata.name for task in found)


def read(task: TaskSpec, *, table: str, subset: str, split: str) -> Table:
    """One table of an mteb task as columns, after mteb's own transformations.

    Raises:
        DataError: mteb cannot load the data.
    """
    loaded = _loaded(task.name, subset)
    if task.type in ("Retrieval", "Reranking"):
        return _search_table(loaded, task, table=table, subset=subset, split=split)
    dataset = loaded.dataset
    by_split = dataset.get(subset, dataset)
    name = split if task.type in ("Retrieval", "Reranking") else table
    if name not in by_split:
        raise DataError(f"{task.name}: mteb loads no split {name!r}; found {', '.join(map(str, by_split))}")
    return _columns_of(by_split[name])


def _search_table(loaded: Any, task: TaskSpec, *, table: str, subset: str, split: str) -> Table:
    part = loaded.dataset[subset][split]
    if table == "qrels":
        rows = [(query, doc, score) for query, docs in part["relevant_docs"].items() for doc, score in docs.items()]
        return {
            "query-id": [row[0] for row in rows],
            "corpus-id": [row[1] for row in rows],
            "score": [row[2] for row in rows],
        }
    if table == "candidates":
        ranked = part["top_ranked"] or {}
        return {"query-id": list(ranked), "corpus-ids": [list(docs) for docs in ranked.values()]}
    columns = _columns_of(part[table])
    if table == "queries" and "instruction" in columns:
        joined = zip(columns["text"], columns["instruction"], strict=True)
        texts = [text if instruction is None else f"{text} {instruction}" for text, instruction in joined]
        return {"id": columns["id"], "text": texts}
    if table == "queries" and any(not isinstance(text, str) for text in columns["text"]):
        raise DataError(f"{task.name}: its queries are conversations, which are not scored here")
    return columns


def _columns_of(dataset: Any) -> Table:
    """A Dataset, a dict of columns, or the list of one dict of columns that some of mteb's transformations leave."""
    if isinstance(dataset, list) and len(dataset) == 1 and isinstance(dataset[0], Mapping):
        dataset = dataset[0]
    if isinstance(dataset, Mapping):
        return {name: list(values) for name, values in dataset.items()}
    return {name: list(dataset[name]) for name in dataset.column_names}


def _task(name: str) -> Any:
    import mteb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return mteb.get_task(name)
        except KeyError as err:
            from mteb.get_tasks import _TASKS_REGISTRY

            raise UnknownName.of("task", name, _TASKS_REGISTRY) from err


@functools.lru_cache(maxsize=2)
def _loaded(name: str, subset: str) -> Any:
    """A fresh task of one subset with its data; kept for the splits that follow."""
    import mteb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task: Any = mteb.get_task(name, hf_subsets=None if subset == "default" else [subset])
        task.load_data()
        if hasattr(task, "convert_v1_dataset_format_to_v2"):
            task.convert_v1_dataset_format_to_v2(num_proc=None)
    return task


def _is_aggregate(task: Any) -> bool:
    return bool(getattr(task, "is_aggregate", False)) or hasattr(task.metadata, "tasks")


def _members(task: Any) -> list[str]:
    return [member.metadata.name for member in getattr(task.metadata, "tasks", [])]


def _columns(task: Any) -> dict[str, str]:
    kind = task.metadata.type
    if kind == "STS":
        left, right = task.column_names
        return {"left": left, "right": right, "gold": "score"}
    if kind == "PairClassification":
        return {"left": task.input1_column_name, "right": task.input2_column_name, "gold": task.label_column_name}
    if kind in ("Classification", "Clustering"):
        return {"text": task.input_column_name, "label": task.label_column_name}
    if kind == "BitextMining":
        return {"left": "sentence1", "right": "sentence2"}
    return {}


def _settings(task: Any) -> Settings:
    kind = task.metadata.type
    if kind == "STS":
        return STSSettings(min_score=task.min_score, max_score=task.max_score)
    if kind == "PairClassification":
        return PairClassificationSettings()
    if kind == "Classification":
        if task.is_cross_validation:
            raise DataError(f"{task.metadata.name}: scored by cross-validation, which is not offered here")
        return ClassificationSettings(
            samples_per_label=task.samples_per_label,
            n_experiments=task.n_experiments,
            train_split=task.train_split,
            max_iter=int(task.evaluator_model.get_params().get("max_iter", 100)),
            seed=task.seed,
        )
    if kind == "Clustering":
        return _clustering_settings(task)
    if kind == "BitextMining":
        if task.parallel_subsets:
            raise DataError(f"{task.metadata.name}: its subsets share one parallel table, which is not offered here")
        return BitextMiningSettings()
    return RetrievalSettings(
        k_values=tuple(task.k_values),
        ignore_identical_ids=task.ignore_identical_ids,
        skip_first_result=task.skip_first_result,
    )


def _clustering_settings(task: Any) -> ClusteringSettings:
    if not hasattr(task, "max_documents_per_cluster"):
        return ClusteringSettings(method="legacy", seed=task.seed)
    return ClusteringSettings(
        max_document_to_embed=task.max_document_to_embed,
        max_fraction_of_documents_to_embed=task.max_fraction_of_documents_to_embed,
        max_documents_per_cluster=task.max_documents_per_cluster,
        n_clusters=task.n_clusters,
        k_mean_batch_size=task.k_mean_batch_size,
        max_depth=task.max_depth,
        seed=task.seed,
    )


def _prompt(prompt: Any) -> str | dict[str, str] | None:
    if isinstance(prompt, Mapping):
        return {str(getattr(role, "value", role)): str(text) for role, text in prompt.items()}
    return str(prompt) if prompt else None
