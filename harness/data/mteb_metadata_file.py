"""A task of mteb as a line of `tasks/mteb_tasks.json`, whose fields are those of `tasks.mteb_metadata.MtebTask`.

Settings and columns have the names of this package and are written only where they are not the defaults of their type.
The file itself is written by `python -m tests.generators`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.evaluators import KINDS
from harness.evaluators.task_kind import FromMteb
from harness.tasks import mteb_metadata
from harness.tasks.settings import changed_settings


def row(kind: type[Any]) -> dict[str, Any]:
    """The line of one of mteb's tasks, given as its class.

    A task that is not of text alone gets name, type, main metric and modalities only; an aggregate gets no data set.
    """
    facts: Any = kind.metadata
    content: dict[str, Any] = {"name": str(facts.name), "type": str(facts.type), "main_metric": str(facts.main_score)}
    if list(facts.modalities) != ["text"]:
        return {**content, "modalities": list(facts.modalities)}
    members = [member.metadata.name for member in getattr(facts, "tasks", ())]
    content = {
        **content,
        **(_mean_of(facts, members) if members else _data(kind())),
        "prompt": _prompt(facts.prompt),
        # mteb collects the domains of an aggregate in a set, and names some domains twice
        "domains": sorted(facts.domains) if members else list(dict.fromkeys(facts.domains or ())),
        "license": str(facts.license) if facts.license and facts.license != "not specified" else None,
        "reference": str(facts.reference) if facts.reference else None,
        "description": str(facts.description),
        "superseded_by": facts.superseded_by,
        "private": not facts.is_public,
    }
    empty: tuple[Any, ...] = (None, [], {}, False)
    return {name: value for name, value in content.items() if value not in empty}


def _data(task: Any) -> dict[str, Any]:
    """The data set of a task, its parts, and how they are scored."""
    facts = task.metadata
    kind = KINDS.get(facts.type)
    columns, settings, protocol = kind.from_mteb(task) if kind and kind.from_mteb else FromMteb({}, None)
    training = [kind.training(settings).split] if kind and kind.training else []
    return {
        "dataset": str(facts.dataset["path"]),
        "revision": str(facts.dataset["revision"]),
        "splits": list(facts.eval_splits),
        **_subsets(facts),
        "columns": {name: column for name, column in columns.items() if kind and kind.columns.get(name) != column},
        "settings": changed_settings(settings) if settings is not None else {},
        "protocol": protocol or ("own_scores" if _scores_itself(task) else None),
        "ranks": _ranks(task),
        "code": _code(task),
        # those of 41,000 pairs of languages would make the file half as large again
        **_sizes_of(task, training),
    }


def _mean_of(facts: Any, members: list[str]) -> dict[str, Any]:
    """The members and parts of an aggregate. mteb collects its languages in a set."""
    return {
        "members": members,
        "revision": str(facts.dataset["revision"]),
        "splits": list(facts.eval_splits),
        "subsets": {"default": sorted(facts.eval_langs)},
    }


def _scores_itself(task: Any) -> bool:
    """Whether a task has a scorer of its own, in place of that of its type."""
    owner = next(kind for kind in type(task).__mro__ if "_evaluate_subset" in vars(kind))
    return not owner.__module__.startswith("mteb.abstasks")


def _subsets(facts: Any) -> dict[str, Any]:
    """Subset -> languages, in the shortest of the three forms that `mteb_metadata.task_of` reads."""
    # mteb names a language twice if both sides of a subset are in it
    subsets = {name: list(dict.fromkeys(langs)) for name, langs in facts.hf_subsets_to_langscripts.items()}
    sides = list(dict.fromkeys(name.partition("-")[0] for name in subsets))
    if subsets != mteb_metadata.languages_in_names(subsets):
        return {"subsets": subsets}
    return {"subset_pairs": sides} if list(subsets) == mteb_metadata.paired(sides) else {"subsets": list(subsets)}


def _prompt(prompt: Any) -> str | dict[str, str] | None:
    if isinstance(prompt, Mapping):
        return {str(getattr(role, "value", role)): str(text) for role, text in prompt.items()}
    return str(prompt) if prompt else None


def _ranks(task: Any) -> str | None:
    """What a search task ranks by its published statistics, where its type says something else."""
    kind = KINDS.get(task.metadata.type)
    usual = kind.ranks if kind is not None else None
    published = (task.metadata.descriptive_stats or {}).values()
    parts = [part for split in published for part in (split, *split.get("hf_subset_descriptive_stats", {}).values())]
    candidates = [part["top_ranked_statistics"] for part in parts if "top_ranked_statistics" in part]
    if usual is None or not candidates:
        return None
    ranks = "candidates" if any(candidates) else "corpus"
    return None if ranks == usual else ranks


def _code(task: Any) -> list[str]:
    """What mteb does besides loading the task's data set from the hub; empty if the rows are scored unchanged."""
    code = []
    for method in ("load_data", "dataset_transform"):
        owner = next(kind for kind in type(task).__mro__ if method in vars(kind))
        if not owner.__module__.startswith("mteb.abstasks"):
            code.append(f"{owner.__name__}.{method}")
    if task.fast_loading:
        code.append("fast_loading")
    options = {key: value for key, value in task.metadata.dataset.items() if key not in ("path", "revision")}
    return [*code, *(f"the option {key}={value!r}" for key, value in options.items())]


def _sizes_of(task: Any, training: list[str]) -> dict[str, Any]:
    """Sizes by part; of a parallel table, by column."""
    if getattr(task, "parallel_subsets", False):
        return {"column_sizes": _column_sizes(task)}
    return {"sizes": _sizes(task, training)}


def _column_sizes(task: Any) -> dict[str, dict[str, list[int]]]:
    """Split -> column of the parallel table -> texts and characters, as mteb published them for pairs of columns."""
    sizes: dict[str, dict[str, list[int]]] = {}
    for split in task.metadata.eval_splits:
        pairs = ((task.metadata.descriptive_stats or {}).get(split) or {}).get("hf_subset_descriptive_stats") or {}
        for pair, published in pairs.items():
            for column, side in zip(pair.split("-"), ("sentence1_statistics", "sentence2_statistics"), strict=True):
                texts, characters = published["num_samples"], published[side]["total_text_length"]
                sizes.setdefault(split, {})[column] = [int(texts), int(characters)]
    return sizes


def _sizes(task: Any, training: list[str]) -> dict[str, list[list[int] | None]]:
    """Split -> of each subset, in order: texts, characters and, where there are any, labels, as mteb published them."""
    published = task.metadata.descriptive_stats or {}
    subsets = list(task.metadata.hf_subsets_to_langscripts)
    sizes = {}
    for split in dict.fromkeys((*task.metadata.eval_splits, *training)):
        whole = published.get(split) or {}
        of_subset = whole.get("hf_subset_descriptive_stats") or {}
        if "default" in subsets:
            of_subset = {"default": whole, **of_subset}
        counted = [_size(of_subset[name]) if of_subset.get(name) else None for name in subsets]
        if any(counted):
            sizes[split] = counted
    return sizes


def _size(published: Mapping[str, Any]) -> list[int]:
    """Texts, characters and labels. Both sides of pairs, or queries and documents, are counted together."""
    groups = [value for key, value in published.items() if key.endswith("text_statistics") or key.startswith("text")]
    characters = sum((group or {}).get("total_text_length") or 0 for group in groups if isinstance(group, dict))
    sides = 2 if published.get("text1_statistics") or published.get("sentence1_statistics") else 1
    size = [
        int(published.get("num_samples") or 0) * sides,
        int(characters or published.get("number_of_characters") or 0),
    ]
    labels = (published.get("label_statistics") or {}).get("unique_labels")
    return [*size, int(labels)] if labels else size
