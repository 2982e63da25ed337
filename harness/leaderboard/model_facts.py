"""What is known of a model beyond its scores: its revisions, its metadata, how it was run."""

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
    """How a model was run, from our own records of the board's tasks; None where no record says.

    Attributes:
        tokens_per_second: tokens encoded by seconds of encoding, over the tasks that tell both.
    """

    device: str | None = None
    precision: str | None = None
    tokens_per_second: float | None = None
    texts_per_second: float | None = None


class IndexLists(NamedTuple):
    """An index with the columns that are looked up cell by cell as lists, which is ten times faster."""

    folders: Sequence[Folder]
    folder_of: list[int]
    fact_of: list[int]
    facts: Sequence[Facts]

    @classmethod
    def of(cls, index: Index) -> IndexLists:
        """The lists of an index."""
        own = index.columns
        return cls(index.folders, own.files["folder"].tolist(), own.files["facts"].tolist(), own.facts)


def revisions(sources: Sequence[IndexLists], cells: Mapping[str, IndexRow]) -> tuple[str, ...]:
    """Of the files that stand for the model, most used first."""
    used: dict[str, int] = {}
    for index, row in cells.values():
        revision = sources[index].folders[sources[index].folder_of[row]].owner.identity.revision
        used[revision] = used.get(revision, 0) + 1
    return tuple(sorted(used, key=lambda revision: (-used[revision], revision)))


def facts(sources: Sequence[IndexLists], cells: Mapping[str, IndexRow]) -> ModelFacts:
    """What the model's own metadata says: each fact from the first folder that tells it."""
    places = dict.fromkeys((index, sources[index].folder_of[row]) for index, row in cells.values())
    known = [sources[index].folders[folder].owner.facts for index, folder in places]
    if len(known) == 1:
        return known[0]
    values = {}
    for name in ModelFacts.__struct_fields__:
        values[name] = next((value for facts in known if (value := getattr(facts, name)) is not None), None)
    return ModelFacts(**values)


def throughput(sources: Sequence[IndexLists], cells: Mapping[str, IndexRow]) -> Throughput:
    """How the model was run, on the device that most of its records name."""
    numbers = ((sources[index], sources[index].fact_of[row]) for index, row in cells.values())
    facts = [source.facts[number] for source, number in numbers if number != NONE]
    devices = [fact.device for fact in facts if fact.device]
    if not devices:
        return Throughput()
    device = max(sorted(set(devices)), key=devices.count)
    own = [fact for fact in facts if fact.device == device]
    timed = [fact for fact in own if fact.encode_seconds]
    seconds = math.fsum(fact.encode_seconds or 0.0 for fact in timed)
    tokens = [fact.tokens for fact in timed]
    texts = [fact.texts for fact in timed]
    return Throughput(
        device=device,
        precision=next((fact.precision for fact in own if fact.precision), None),
        tokens_per_second=_rate(tokens, seconds),
        texts_per_second=_rate(texts, seconds),
    )


def _rate(counts: Sequence[int | None], seconds: float) -> float | None:
    known = [count for count in counts if count is not None]
    return sum(known) / seconds if known and len(known) == len(counts) and seconds > 0 and sum(known) else None


def zero_shot(facts: ModelFacts, tasks: Sequence[ScopedTask]) -> float | None:
    """The share of the tasks that the model was not trained on; None where nobody said."""
    if facts.trained_on is None:
        return None
    trained = set(facts.trained_on)
    return sum(task.name not in trained for task in tasks) / len(tasks)
