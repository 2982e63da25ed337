"""Every committed task that is also in the installed mteb says the same as mteb, but for what is listed here."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import pytest

from harness import registry, task_file
from harness.types import TaskSpec

mteb = pytest.importorskip("mteb")

HUB = {task.name: task for task in registry.tasks() if task.source.kind == "hub"}

_RENAMED = "mteb renames the column while loading; the harness reads it under its own name"
INTENDED = {
    ("STSBenchmarkMultilingualSTS", "columns.gold"): ("similarity_score", "score", _RENAMED),
    ("SIB200Classification", "columns.label"): ("category", "label", _RENAMED),
    ("SIB200ClusteringS2S", "columns.text"): ("text", "sentences", _RENAMED),
    ("SIB200ClusteringS2S", "columns.label"): ("category", "labels", _RENAMED),
}
"""(task, fact) -> what the harness says, what mteb says, and why they differ."""


@functools.cache
def _mteb_task(name: str) -> Any:
    return mteb.get_task(name)


def _mteb_says(name: str) -> dict[str, Any]:
    """What the installed mteb says about a task, fact by fact."""
    task = _mteb_task(name)
    metadata = task.metadata
    languages = metadata.eval_langs if isinstance(metadata.eval_langs, dict) else {"default": metadata.eval_langs}
    return {
        "type": metadata.type,
        "path": metadata.dataset["path"],
        "revision": metadata.dataset["revision"],
        "splits": list(metadata.eval_splits),
        "subsets": [(subset, list(spoken)) for subset, spoken in languages.items()],
        "main_metric": metadata.main_score,
        "prompt": metadata.prompt,
        "domains": sorted(metadata.domains or ()),
        "reference": metadata.reference,
        "license": None if metadata.license == "not specified" else metadata.license,
        **_mteb_settings(task),
    }


def _mteb_settings(task: Any) -> dict[str, Any]:
    """Settings and columns, under the harness's names."""
    kind = task.metadata.type
    if kind == "STS":
        left, right = task.column_names
        columns = {"left": left, "right": right, "gold": "score"}  # `score` is fixed in mteb's code
        return {"min_score": task.min_score, "max_score": task.max_score, **_prefixed(columns)}
    if kind == "PairClassification":
        names = (task.input1_column_name, task.input2_column_name, task.label_column_name)
        return _prefixed(dict(zip(("left", "right", "gold"), names)))
    if kind == "Classification":
        same = ("samples_per_label", "n_experiments", "train_split", "seed")
        columns = {"text": task.input_column_name, "label": task.label_column_name}
        settings = {name: getattr(task, name) for name in same} | {"max_iter": task.evaluator_model.max_iter}
        return settings | _prefixed(columns)
    if kind == "Clustering":
        columns = {"text": task.input_column_name, "label": task.label_column_name}
        return _clustering_settings(task) | {"seed": task.seed} | _prefixed(columns)
    assert kind == "Retrieval"
    return {name: getattr(task, name) for name in ("k_values", "ignore_identical_ids", "skip_first_result")}


def _clustering_settings(task: Any) -> dict[str, Any]:
    if any(base.__name__ == "AbsTaskClusteringLegacy" for base in type(task).__mro__):
        batch = inspect.signature(task.evaluator.__init__).parameters["clustering_batch_size"].default
        return {"method": "legacy", "clustering_batch_size": batch}
    same = (
        "max_document_to_embed",
        "max_fraction_of_documents_to_embed",
        "max_documents_per_cluster",
        "n_clusters",
        "k_mean_batch_size",
        "max_depth",
    )
    return {"method": "v2"} | {name: getattr(task, name) for name in same}


def _prefixed(columns: dict[str, str]) -> dict[str, str]:
    return {f"columns.{field}": column for field, column in columns.items()}


def _we_say(task: TaskSpec, facts: dict[str, Any]) -> dict[str, Any]:
    """What the committed file says about each of mteb's facts."""
    said = {
        "type": task.type,
        "path": task.source.path,
        "revision": task.source.revision,
        "splits": list(task.splits),
        "subsets": [(subset, list(spoken)) for subset, spoken in task.subsets.items()],
        "main_metric": task.main_metric,
        "prompt": task.prompt if task.prompt is None or isinstance(task.prompt, str) else dict(task.prompt),
        "domains": sorted(task.domains),
        "reference": task.reference,
        "license": task.license,
        **_prefixed(dict(task.columns)),
    }
    return {fact: said[fact] if fact in said else getattr(task.settings, fact) for fact in facts}


@pytest.mark.parametrize("name", HUB)
def test_a_committed_task_says_what_mteb_says(name: str) -> None:
    """Path, commit, splits, subsets, languages, metric, prompt and settings are mteb's, but for `INTENDED`."""
    theirs = _mteb_says(name)
    ours = _we_say(HUB[name], theirs)
    differences = {(name, fact): (ours[fact], theirs[fact]) for fact in theirs if ours[fact] != theirs[fact]}
    assert differences == {key: entry[:2] for key, entry in INTENDED.items() if key[0] == name}


def test_every_column_and_setting_is_compared() -> None:
    """No column or setting of a committed task escapes the comparison, except those its method does not use."""
    unused = {"legacy": set(task_file._ONLY_V2), "v2": set(task_file._ONLY_LEGACY)}
    for name, task in HUB.items():
        ours = {f"columns.{field}" for field in task.columns} | set(type(task.settings).__dataclass_fields__)
        assert ours - set(_mteb_says(name)) == unused.get(getattr(task.settings, "method", ""), set())


def test_merged_splits_are_those_that_mteb_joins_in_code() -> None:
    """mteb makes SIB200's test split of all three splits in its loader; no other committed task merges any."""
    merged = {name: dict(task.merge_splits) for name, task in HUB.items() if task.merge_splits}
    assert merged == {"SIB200ClusteringS2S": {"test": ("train", "validation", "test")}}
    source = inspect.getsource(type(_mteb_task("SIB200ClusteringS2S")).dataset_transform)
    assert '["train", "validation", "test"]' in source
