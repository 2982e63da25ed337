"""What the records say about a model besides its scores: revisions, metadata, speed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.leaderboard.counted_tasks import ScopedTask
from harness.leaderboard.file_index import Folder, Index
from harness.leaderboard.file_summary import Facts
from harness.leaderboard.folder_owners import ModelFacts
from harness.leaderboard.index_columns import NONE
from harness.leaderboard.record_choice import IndexRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """How fast a model was, by the records of the board's tasks that this harness wrote; None where none of them tells.

    Attributes:
        tokens_per_second: tokens encoded per second of encoding, over the tasks whose records hold both.
    """

    device: str | None = None
    precision: str | None = None
    tokens_per_second: float | None = None
    texts_per_second: float | None = None


class IndexLists(NamedTuple):
    """An index with the columns that are looked up value by value as lists, which is ten times faster."""

    folders: Sequence[Folder]
    folder_of: list[int]
    fact_of: list[int]
    facts: Sequence[Facts]

    @classmethod
    def of(cls, index: Index) -> IndexLists:
        """The lists of an index."""
        columns = index.columns
        return cls(index.folders, columns.files["folder"].tolist(), columns.files["facts"].tolist(), columns.facts)


def revisions(sources: Sequence[IndexLists], files: Mapping[str, IndexRow]) -> tuple[str, ...]:
    """Of the files that stand for the model, most used first."""
    used: dict[str, int] = {}
    for index, row in files.values():
        revision = sources[index].folders[sources[index].folder_of[row]].owner.identity.revision
        used[revision] = used.get(revision, 0) + 1
    return tuple(sorted(used, key=lambda revision: (-used[revision], revision)))


def facts(sources: Sequence[IndexLists], files: Mapping[str, IndexRow]) -> ModelFacts:
    """What the model's own metadata says: each fact from the first folder that tells it."""
    places = dict.fromkeys((index, sources[index].folder_of[row]) for index, row in files.values())
    by_folder = [sources[index].folders[folder].owner.facts for index, folder in places]
    if len(by_folder) == 1:
        return by_folder[0]
    values = {}
    for name in ModelFacts.__struct_fields__:
        values[name] = next((value for facts in by_folder if (value := getattr(facts, name)) is not None), None)
    return ModelFacts(**values)


def throughput(sources: Sequence[IndexLists], files: Mapping[str, IndexRow]) -> Throughput:
    """The throughput on the device that most of the records name."""
    numbers = ((sources[index], sources[index].fact_of[row]) for index, row in files.values())
    facts = [source.facts[number] for source, number in numbers if number != NONE]
    devices = [fact.device for fact in facts if fact.device]
    if not devices:
        return Throughput()
    device = max(sorted(set(devices)), key=devices.count)
    on_device = [fact for fact in facts if fact.device == device]
    timed = [fact for fact in on_device if fact.encode_seconds]
    seconds = math.fsum(fact.encode_seconds or 0.0 for fact in timed)
    tokens = [fact.tokens for fact in timed]
    texts = [fact.texts for fact in timed]
    return Throughput(
        device=device,
        precision=next((fact.precision for fact in on_device if fact.precision), None),
        tokens_per_second=_rate(tokens, seconds),
        texts_per_second=_rate(texts, seconds),
    )


def _rate(counts: Sequence[int | None], seconds: float) -> float | None:
    if not counts or None in counts or seconds <= 0:
        return None
    return sum(count for count in counts if count) / seconds or None


def zero_shot(facts: ModelFacts, tasks: Sequence[ScopedTask]) -> float | None:
    """The share of the tasks that the model was not trained on; None where the metadata does not say."""
    if facts.trained_on is None:
        return None
    trained = set(facts.trained_on)
    return sum(task.name not in trained for task in tasks) / len(tasks)
