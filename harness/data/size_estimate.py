"""How much a part holds, before anything is downloaded: for `harness run --plan`."""

from __future__ import annotations

import functools
import importlib.util
import json
from pathlib import Path
from typing import Any, NamedTuple

from harness.types import ClassificationSettings, Part, TaskSpec

_CHARACTERS_PER_TOKEN = 4


class Size(NamedTuple):
    """Texts to encode, and tokens estimated at four characters each."""

    texts: int
    tokens: int


def estimate(task: TaskSpec, part: Part) -> Size | None:
    """The size of `part`: counted for a local task, from mteb's published statistics for a hub task, else None."""
    if task.source.kind == "local":
        return _counted(task, part)
    return _published(task, part)


def _counted(task: TaskSpec, part: Part) -> Size:
    from harness import data, evaluators

    gold = data.load(task, part).gold
    fields = evaluators.EVALUATORS[task.type].texts(gold, task.settings)
    items = [text for texts in fields.values() for text in texts.items]
    return Size(len(items), sum(map(len, items)) // _CHARACTERS_PER_TOKEN)


def _published(task: TaskSpec, part: Part) -> Size | None:
    published = _statistics(task.name)
    if published is None:
        return None
    stats = _of_part(published, part)
    if stats is None:
        return None
    texts, characters = _total(stats)
    if isinstance(task.settings, ClassificationSettings):
        train = _of_part(published, Part(task.settings.train_split, part.subset))
        classes = (stats.get("label_statistics") or {}).get("unique_labels") or 0
        drawn = task.settings.samples_per_label * task.settings.n_experiments * classes
        if train:
            in_train, characters_in_train = _total(train)
            drawn = min(drawn, in_train)
            characters += characters_in_train * drawn // max(1, in_train)
            texts += drawn
    return Size(texts, characters // _CHARACTERS_PER_TOKEN)


@functools.lru_cache(maxsize=1)  # the parts of a task come one after another
def _statistics(name: str) -> dict[str, Any] | None:
    file = _statistics_files().get(name)
    content: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8")) if file else None
    return content


@functools.cache
def _statistics_files() -> dict[str, Path]:
    """What mteb publishes of its tasks' data, by task, found without importing it."""
    found = importlib.util.find_spec("mteb")
    if found is None or not found.submodule_search_locations:
        return {}
    folder = Path(found.submodule_search_locations[0]) / "descriptive_stats"
    return {file.stem: file for file in folder.rglob("*.json")}


def _of_part(published: dict[str, Any], part: Part) -> dict[str, Any] | None:
    stats = published.get(part.split)
    if stats is None or part.subset == "default":
        return stats
    return (stats.get("hf_subset_descriptive_stats") or {}).get(part.subset)


def _total(stats: dict[str, Any]) -> tuple[int, int]:
    """Texts and characters: both sides of pairs, queries and documents together."""
    groups = [value for key, value in stats.items() if key.endswith("text_statistics") or key.startswith("text")]
    characters = sum((group or {}).get("total_text_length") or 0 for group in groups if isinstance(group, dict))
    sides = 2 if stats.get("text1_statistics") else 1
    return int(stats.get("num_samples") or 0) * sides, int(characters or stats.get("number_of_characters") or 0)
