"""The size of a part before anything is downloaded, for plans and for the order of a night's cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.evaluators import KINDS
from harness.tasks import mteb_metadata
from harness.types import Part, TaskSpec

_CHARACTERS_PER_TOKEN = 4


class Size(NamedTuple):
    """The number of texts to encode, and of their tokens, estimated at four characters each."""

    texts: int
    tokens: int


def estimate(task: TaskSpec, part: Part) -> Size | None:
    """The size of `part`: counted for a local task, else as mteb published it; None if mteb published none.

    A mean of other tasks has no texts of its own.
    """
    if task.members:
        return Size(0, 0)
    if task.source.kind == "local":
        return _counted(task, part)
    return _published(task, part)


def of_parts(task: TaskSpec, parts: Sequence[Part]) -> tuple[Size | None, ...]:
    """The size of each of the parts; of a task that is the mean of others, those of all parts of the others."""
    if task.members:
        return tuple(estimate(member, part) for member in task.members for part in member.parts)
    return tuple(estimate(task, part) for part in parts)


def _counted(task: TaskSpec, part: Part) -> Size:
    from harness import data

    fields = KINDS[task.type].texts(data.load(task, part).gold, task.settings)
    items = [text for texts in fields.values() for text in texts.items]
    return Size(len(items), sum(map(len, items)) // _CHARACTERS_PER_TOKEN)


def _published(task: TaskSpec, part: Part) -> Size | None:
    published = mteb_metadata.get(task.name)
    sizes = published.sizes if published is not None else {}
    tested = sizes.get(part)
    if tested is None:
        return None
    texts, characters = tested.texts, tested.characters
    kind = KINDS[task.type]
    if kind.training is not None:
        training = kind.training(task.settings)
        train = sizes.get(Part(training.split, part.subset))
        if train is not None:
            of_labels = None if training.texts_per_label is None else training.texts_per_label * (tested.labels or 0)
            drawn = min(most for most in (of_labels, training.texts, train.texts) if most is not None)
            texts += drawn
            characters += train.characters * drawn // max(1, train.texts)
    return Size(texts, characters // _CHARACTERS_PER_TOKEN)
