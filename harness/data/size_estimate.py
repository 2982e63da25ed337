"""The size of a part before anything is downloaded, for plans and for the order of a night's cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.evaluators import KINDS
from harness.tasks import mteb_metadata
from harness.types import Part, TaskSpec

CHARACTERS_PER_TOKEN = 4


class Size(NamedTuple):
    """The number of texts to encode, and of their tokens, estimated at four characters each."""

    texts: int
    tokens: int


class TotalSize(NamedTuple):
    """The size of several parts together; `unknown` of the `parts` are not counted in texts and tokens."""

    texts: int
    tokens: int
    parts: int
    unknown: int


def total(sizes: Sequence[Size | None]) -> TotalSize:
    """The sum of the sizes that are known."""
    counted = [size for size in sizes if size is not None]
    texts, tokens = sum(size.texts for size in counted), sum(size.tokens for size in counted)
    return TotalSize(texts, tokens, len(sizes), len(sizes) - len(counted))


def estimate(task: TaskSpec, part: Part) -> Size | None:
    """The size of `part`: counted for a local task, else as mteb published it; None if mteb published none.

    A mean of other tasks has no texts of its own.
    """
    if task.members:
        return Size(0, 0)
    if task.source.kind == "local":
        return _counted(task, part)
    return _published(task, part)


def of_parts(task: TaskSpec, parts: Sequence[Part]) -> list[Size | None]:
    """The size of each of the parts, where every text is encoded once.

    The parts of a parallel table share its columns: each column counts in the first of the parts that has it. The size
    of a task that is the mean of others is that of all parts of the others.
    """
    if task.members:
        return [size for member in task.members for size in of_parts(member, member.parts)]
    published = mteb_metadata.get(task.name)
    if published is None or not published.column_sizes:
        return [estimate(task, part) for part in parts]
    counted: set[tuple[str, str]] = set()
    sizes: list[Size | None] = []
    for part in parts:
        columns = [column for column in part.subset.split("-") if (part.split, column) not in counted]
        counted.update((part.split, column) for column in columns)
        sizes.append(_of_columns(published.column_sizes.get(part.split, {}), columns))
    return sizes


def _of_columns(sizes: Mapping[str, mteb_metadata.PartSize], columns: Sequence[str]) -> Size | None:
    if not all(column in sizes for column in columns):
        return None
    characters = sum(sizes[column].characters for column in columns)
    return Size(sum(sizes[column].texts for column in columns), characters // CHARACTERS_PER_TOKEN)


def _counted(task: TaskSpec, part: Part) -> Size:
    from harness import data

    fields = KINDS[task.type].texts(data.load(task, part).gold, task.settings)
    items = [text for texts in fields.values() for text in texts.items]
    return Size(len(items), sum(map(len, items)) // CHARACTERS_PER_TOKEN)


def _published(task: TaskSpec, part: Part) -> Size | None:
    published = mteb_metadata.get(task.name)
    sizes = published.sizes if published is not None else {}
    tested = sizes.get(part)
    if tested is None:
        columns = published.column_sizes.get(part.split, {}) if published is not None else {}
        return _of_columns(columns, part.subset.split("-")) if columns else None
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
    return Size(texts, characters // CHARACTERS_PER_TOKEN)
