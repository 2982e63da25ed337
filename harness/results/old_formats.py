"""Converts result files from before mteb 1.11 to the current layout (pure).

They look like `{"mteb_dataset_name": ..., "test": {"cos_sim": {"spearman": 0.8}, "evaluation_time": 3.1}}`, with one
more level where a task has subsets. The reference is `TaskResult.from_disk` of mteb 2.26; deliberate differences:

- a task that mteb no longer has is read too: its main score is the one unambiguous metric, else None; `languages` is
  empty;
- a value that the file lacks is None, not a sentence such as "mteb version not available".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.errors import RecordError
from harness.tasks import mteb_metadata

FAMILIES: Mapping[str, str] = {
    "cos_sim": "cosine",
    "cosine": "cosine",
    "manhattan": "manhattan",
    "euclidean": "euclidean",
    "dot": "dot",
    "max": "max",
    "similarity": "similarity",
}
"""Name of a nested group of metrics by similarity -> prefix of the current flat metrics."""

_USUAL_METRICS = ("p-MRR", "cosine_spearman", "max_ap", "v_measure", "ndcg_at_10")
_NOT_SPLITS = ("mteb_dataset_name", "mteb_version", "dataset_revision", "evaluation_phases")
_FORMER_TASKS = {f"Scala{language}Classification": "accuracy" for language in ("Da", "Nb", "Nn", "Sv")}
"""Tasks that mteb no longer has but still reads (`outdated_tasks`) -> main metric."""
_FRENCH_ONLY_TASKS = ("MLSUMClusteringP2P", "MLSUMClusteringS2S")
_FRENCH_ONLY_VERSIONS = ("1.1.2.dev0", "1.1.3.dev0")


def modernise(data: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A file from before mteb 1.11 in the current layout; `path` is for messages.

    Raises:
        RecordError: A split or subset is not an object, or an `evaluation_time` is not a number.
    """
    given = data["mteb_dataset_name"]
    if not isinstance(given, str):
        raise RecordError(f"{path}: `mteb_dataset_name` is {given!r}, expected the name of a task")
    splits = {key: value for key, value in data.items() if key not in _NOT_SPLITS}
    for split, value in splits.items():
        if not isinstance(value, Mapping):
            raise RecordError(
                f"{path}: split {split!r} of a file from before mteb 1.11 is {value!r}, expected an object"
            )
    seconds = [value["evaluation_time"] for value in splits.values() if value.get("evaluation_time") is not None]
    if not all(isinstance(value, (int, float)) for value in seconds):
        raise RecordError(f"{path}: `evaluation_time` is {seconds}, expected numbers")
    splits = {
        split: {key: item for key, item in value.items() if key != "evaluation_time"} for split, value in splits.items()
    }
    if not any(_is_subset(key, item) for value in splits.values() for key, item in value.items()):
        splits = {split: {"default": value} for split, value in splits.items()}
    task = mteb_metadata.in_todays_case(mteb_metadata.current_name(given))
    version = data.get("mteb_version")
    return {
        "task_name": task,
        "dataset_revision": data.get("dataset_revision"),
        "mteb_version": version,
        "evaluation_time": sum(seconds) if seconds else None,
        "scores": {
            split: [
                _entry(
                    metrics, subset=_current_subset(task, subset, version), task=task, where=f"{path}: {split}/{subset}"
                )
                for subset, metrics in value.items()
            ]
            for split, value in splits.items()
        },
    }


def flat(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """`{"cos_sim": {"spearman": 0.8}}` -> `{"cosine_spearman": 0.8}`; everything else as it is."""
    result: dict[str, Any] = {}
    for name, value in metrics.items():
        if name in FAMILIES and isinstance(value, Mapping):
            result.update({f"{FAMILIES[name]}_{inner}": number for inner, number in value.items()})
        else:
            result[name] = value
    return result


def _is_subset(key: str, value: Any) -> bool:
    return isinstance(value, Mapping) and key not in FAMILIES and key != "v_measures"


def _entry(metrics: Any, *, subset: str, task: str, where: str) -> dict[str, Any]:
    if not isinstance(metrics, Mapping):
        raise RecordError(f"{where}: found {metrics!r} beside subsets, expected an object with metrics")
    entry = flat(metrics)
    main = {} if "main_score" in entry else {"main_score": _main_score(entry, task)}
    facts = mteb_metadata.get(task)
    languages = facts.subsets.get(subset, ()) if facts is not None else ()
    return {**entry, **main, "hf_subset": subset, "languages": list(languages)}


def _main_score(metrics: Mapping[str, Any], task: str) -> Any:
    main_metric = mteb_metadata.main_metric(task) or _FORMER_TASKS.get(task)
    if main_metric is not None:
        return metrics.get(main_metric)
    # Accuracy or F1 is the main metric of a classification task; a file with both does not tell which.
    unambiguous = [name for name in ("accuracy", "f1") if name in metrics]
    candidates = [*_USUAL_METRICS, *(unambiguous if len(unambiguous) == 1 else [])]
    return next((metrics[name] for name in candidates if name in metrics), None)


def _current_subset(task: str, subset: str, version: Any) -> str:
    if task == "XPQARetrieval" and subset == "fr":
        return "fra-fra"
    if task in _FRENCH_ONLY_TASKS and version in _FRENCH_ONLY_VERSIONS and subset == "default":
        return "fr"
    return subset
