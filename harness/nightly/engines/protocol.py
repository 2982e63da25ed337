"""Between a night and what computes its cells: one small Protocol, and what goes back and forth.

A night hands an engine a list of `Work` and takes what it yields. Everything in here can be pickled: work and answers
travel between processes, and between machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from harness.errors import HANDLING, Failure
from harness.runner.cells import Cell
from harness.types import EncoderFacts, Part, Record

if TYPE_CHECKING:
    from harness.evaluators.items import Items
    from harness.runner.corpus_search import ShardHits


class Shard(NamedTuple):
    """A piece of a corpus, `number` from 0 of `of`; see `corpus.search_shard`."""

    number: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What the search of one shard found, and by what encoder."""

    shard: Shard
    hits: ShardHits
    facts: EncoderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a worker is given: a cell, a shard of one, or the shards of one to put together.

    Attributes:
        results: the folder to record in; None where the worker sees no common disk, and sends the record back.
        timeout: seconds.
    """

    cell: Cell
    results: Path | None
    timeout: float
    shard: Shard | None = None
    searched: tuple[Searched, ...] = ()

    def __str__(self) -> str:
        piece = f" shard {self.shard.number + 1} of {self.shard.of}" if self.shard else ""
        return f"{self.cell.key}{piece}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A record that was made out of reach of the results folder.

    Attributes:
        items: see `harness.evaluators.items`, by part; empty where the task has none.
    """

    record: Record
    model_meta: Mapping[str, Any]
    items: Mapping[Part, Items] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of some work.

    Attributes:
        failure: why it could not be done; None where it was.
        delivered: where the work had no results folder.
        searched: where the work was a shard.
        seconds: that the work took, in its worker.
    """

    failure: Failure | None = None
    delivered: Delivered | None = None
    searched: Searched | None = None
    seconds: float = 0.0

    @property
    def may_pass(self) -> bool:
        """Whether the work failed in a way that is worth another attempt."""
        return self.failure is not None and HANDLING[self.failure.kind].retried


class Outcome(NamedTuple):
    """News of an engine. Of every work one `done` comes, or none where the engine was told to stop before it.

    Attributes:
        kind: `started` (perhaps again), `again` (it will be tried once more), `done`.
        worker: where.
    """

    kind: Literal["started", "again", "done"]
    work: Work
    worker: str
    answer: Answer = Answer()


class Engine(Protocol):
    """Computes cells, somewhere."""

    def run(self, work: Sequence[Work], *, stop: Callable[[], bool]) -> Iterator[Outcome]:
        """Do the work, in about this order, and tell what happens.

        Once `stop()` says so, or a disk is full, nothing more is started; what is under way is finished and told.
        """
        ...

    def close(self) -> None:
        """End all processes and give everything back."""
        ...


class Computer(Protocol):
    """What a worker process does with its work; `compute.CellComputer`, or a stand-in of a test."""

    def compute(self, work: Work) -> Answer:
        """Do it. Exceptions are the caller's to report."""
        ...


COMPUTER = "harness.nightly.engines.cell_computer:CellComputer"
