"""Between a night and what computes its cells: one small Protocol, and what goes back and forth.

A night hands an engine a list of `Work` and takes what it yields. Everything in here can be pickled: work and answers
travel between processes, and between machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from harness.errors import HANDLING, Failure
from harness.runner.cells import Cell

if TYPE_CHECKING:
    from harness.runner.corpus_search import SearchedShard
    from harness.runner.measurement import MeasuredPart


class Shard(NamedTuple):
    """A piece of a corpus, `number` from 0 of `of`; see `corpus_search.search_shard`."""

    number: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a worker is given: a cell, a shard of one, or the shards of one to put together.

    Attributes:
        timeout: seconds.
        shard: the shard to search.
        shards: all shards of the cell's corpus, searched, to put together.
    """

    cell: Cell
    timeout: float
    shard: Shard | None = None
    shards: tuple[SearchedShard, ...] = ()

    def __str__(self) -> str:
        piece = f" shard {self.shard.number + 1} of {self.shard.of}" if self.shard else ""
        return f"{self.cell.key}{piece}"


Result: TypeAlias = "MeasuredPart | SearchedShard | Failure"
"""What work comes to: of a whole cell its measured part, of a shard its hits, or why it could not be done."""


class Answer(NamedTuple):
    """What became of some work.

    Attributes:
        result: None where there is no answer yet.
        seconds: that the work took, in its worker.
    """

    result: Result | None = None
    seconds: float = 0.0

    @property
    def failure(self) -> Failure | None:
        """Why the work could not be done; None where it was."""
        return self.result if isinstance(self.result, Failure) else None

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
    """Computes cells, on this machine or elsewhere. It writes no results: these are in its answers."""

    def run(self, work: Sequence[Work], *, stop: Callable[[], bool]) -> Iterator[Outcome]:
        """Do the work, in about this order, and tell what happens.

        Once `stop()` is true nothing more is started; what is under way is finished and told.
        """
        ...

    def close(self) -> None:
        """End all processes and give everything back."""
        ...


class Computer(Protocol):
    """What a worker process does with its work; `cell_computer.CellComputer`, or a stand-in of a test."""

    def compute(self, work: Work) -> Result:
        """Do it. Exceptions are the caller's to report."""
        ...


COMPUTER = "harness.nightly.engines.cell_computer:CellComputer"
