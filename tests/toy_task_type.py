"""A task type in one file, as anyone could add it: is the odd text of three the one farthest from the first?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.evaluators import sampling, tables
from harness.evaluators.task_kind import ReadPart, ReadTable, Scored, TaskKind
from harness.types import ItemText, Part, TaskSpec, Texts

if TYPE_CHECKING:
    from harness.types import Float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Triplets:
    """Texts, each with one that belongs to it and one that does not."""

    anchor: Sequence[str]
    near: Sequence[str]
    odd: Sequence[str]

    def contents(self) -> Iterator[str]:
        """Triplet by triplet."""
        for triplet in zip(self.anchor, self.near, self.odd, strict=True):
            yield from triplet

    def sample(self, n: int, *, settings: Any = None) -> Triplets:
        """At most `n` triplets."""
        rows = sampling.rows(len(self.anchor), n)
        anchor, near, odd = (sampling.picked(side, rows) for side in (self.anchor, self.near, self.odd))
        return Triplets(anchor=anchor, near=near, odd=odd)

    def item_text(self, position: int) -> ItemText:
        """A triplet."""
        return ItemText((self.anchor[position], self.near[position]), f"odd: {self.odd[position]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TripletSettings:
    """How much nearer the near text must be."""

    margin: float = 0.0
    rounds: int = 1


def texts(gold: Triplets, settings: TripletSettings) -> dict[str, Texts]:
    """All three columns."""
    return {"anchor": Texts(items=gold.anchor), "near": Texts(items=gold.near), "odd": Texts(items=gold.odd)}


def score(gold: Triplets, given: Mapping[str, Float32], *, settings: TripletSettings) -> Scored:
    """`solved`: the share of triplets whose near text is nearer by the margin."""
    from harness.evaluators import items
    from harness.evaluators.similarity import paired

    near, odd = (paired(given["anchor"], given[side], similarity="cosine") for side in ("near", "odd"))
    solved = near - odd > settings.margin
    return Scored({"solved": float(solved.mean())}, {"solved": items.values(solved, metric="solved", unit="text")})


def _read(task: TaskSpec, part: Part, table: ReadTable) -> ReadPart:
    rows, where = table(part.split), f"{task.name} {part}"
    columns = {field: tables.texts(rows, column, where=where) for field, column in task.columns.items()}
    return ReadPart(Triplets(**columns), {part.split: tables.length(rows)})


KIND = TaskKind(
    settings=TripletSettings,
    main_metric="solved",
    metrics=lambda settings: ("solved",),
    columns={"anchor": "text", "near": "near", "odd": "odd"},
    read=_read,
    texts=texts,
    takes="vectors",
    score=score,
    description="Texts, each with one that belongs to it and one that does not",
)
