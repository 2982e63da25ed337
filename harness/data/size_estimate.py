"""How much a part holds, before anything is downloaded: for `harness run --plan`."""

from __future__ import annotations

from typing import NamedTuple

from harness.tasks import mteb_metadata
from harness.types import ClassificationSettings, Part, TaskSpec

_CHARACTERS_PER_TOKEN = 4


class Size(NamedTuple):
    """Texts to encode, and tokens estimated at four characters each."""

    texts: int
    tokens: int


def estimate(task: TaskSpec, part: Part) -> Size | None:
    """The size of `part`: counted for a local task, else as mteb published it; None where mteb published nothing."""
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
    published = mteb_metadata.get(task.name)
    sizes = published.sizes if published is not None else {}
    tested = sizes.get(part)
    if tested is None:
        return None
    texts, characters = tested.texts, tested.characters
    if isinstance(task.settings, ClassificationSettings):
        train = sizes.get(Part(task.settings.train_split, part.subset))
        if train is not None:
            wanted = task.settings.samples_per_label * task.settings.n_experiments * (tested.labels or 0)
            drawn = min(wanted, train.texts)
            texts += drawn
            characters += train.characters * drawn // max(1, train.texts)
    return Size(texts, characters // _CHARACTERS_PER_TOKEN)
