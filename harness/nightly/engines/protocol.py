"""The Protocol between a night and an engine, which computes its cells, and the values that they exchange.

A night gives an engine a list of `Work` and reads the outcomes that it yields. All values here can be pickled, because
work and answers travel between processes and machines.
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
    """One of the `of` pieces of a corpus, `number` from 0; see `corpus_search.search_shard`."""

    number: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a worker is given: a whole cell, one shard of a cell, or all shards of a cell to join.

    Attributes:
        timeout: seconds.
        shard: the shard to search.
        shards: all shards of the cell's corpus, searched, to join.
    """

    cell: Cell
    timeout: float
    shard: Shard | None = None
    shards: tuple[SearchedShard, ...] = ()

    def __str__(self) -> str:
        piece = f" shard {self.shard.number + 1} of {self.shard.of}" if self.shard else ""
        return f"{self.cell.key}{piece}"


Result: TypeAlias = "MeasuredPart | SearchedShard | Failure"
"""The result of work: the measured part of a cell, the hits of a shard, or a failure."""


class Answer(NamedTuple):
    """A worker's answer.

    Attributes:
        result: None where there is no answer yet.
        seconds: how long the work took in its worker.
        log: what the worker's log told meanwhile.
    """

    result: Result | None = None
    seconds: float = 0.0
    log: tuple[str, ...] = ()

    @property
    def failure(self) -> Failure | None:
        """Why the work failed; None where it succeeded."""
        return self.result if isinstance(self.result, Failure) else None

    @property
    def may_pass(self) -> bool:
        """Whether the work failed with an error that another attempt may not meet."""
        return self.failure is not None and HANDLING[self.failure.kind].retried


class Outcome(NamedTuple):
    """What an engine reports. Each work gets one `done`, or none where the engine was stopped before it started.

    Attributes:
        kind: `started` (for every attempt), `again` (failed, and will be tried once more), `done`.
        worker: the name of the worker.
    """

    kind: Literal["started", "again", "done"]
    work: Work
    worker: str
    answer: Answer = Answer()


class Engine(Protocol):
    """Computes cells, on this machine or others. It writes no records: results are in its answers."""

    def run(self, work: Sequence[Work], *, stop: Callable[[], bool]) -> Iterator[Outcome]:
        """Do the work, in about this order, and yield every outcome.

        Once `stop()` is true, nothing more is started; work already started is finished and its outcome yielded.
        """
        ...

    def close(self) -> None:
        """End all processes and free all resources."""
        ...


class Computer(Protocol):
    """Does the work inside a worker process; `cell_computer.CellComputer`, or a test's own class."""

    def compute(self, work: Work) -> Result:
        """Do the work. The caller catches and reports exceptions."""
        ...


COMPUTER = "harness.nightly.engines.cell_computer:CellComputer"
