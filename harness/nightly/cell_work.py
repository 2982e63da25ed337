"""Gives the cells of a night to an engine, records what it returns, and counts what failed or is left."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from harness.errors import HANDLING, failure_of
from harness.nightly.engines import corpus_shards
from harness.nightly.engines.protocol import Answer, Engine, Outcome, Shard, Work
from harness.nightly.night_state import Journal
from harness.nightly.schedule.cell_order import Ordered
from harness.nightly.schedule.schedule_contents import Schedule
from harness.runner import recording, task_means
from harness.runner.cells import Cell, CellKey
from harness.runner.corpus_search import SearchedShard
from harness.runner.measurement import MeasuredPart

SHARDS = "shards"


class News(NamedTuple):
    """One line of progress, and the engine's outcome that it reports, if it reports one."""

    text: str
    outcome: Outcome | None = None
    done: int = 0
    total: int = 0


OnNews = Callable[[News], None]


@dataclasses.dataclass(slots=True)
class CellsRun:
    """What became of the cells of a night.

    Attributes:
        computed: how many cells were computed and recorded.
        left: how many cells were not started or not finished when the night stopped.
        failures: cell, or a model that could not be opened -> error message.
        problems: errors that concern no single cell.
    """

    computed: int = 0
    left: int = 0
    failures: dict[str, str] = dataclasses.field(default_factory=dict)
    problems: list[str] = dataclasses.field(default_factory=list)


def compute(
    schedule: Schedule, engine: Engine, order: Ordered, journal: Journal, deadline: float | None, on_news: OnNews
) -> CellsRun:
    """Compute cells with the engine: whole cells and shards first, then the cells whose shards are all searched.

    Tasks that are the mean of others come last and need no engine.

    Results are written here, so that workers need no access to the results folder. Once the disk is full, nothing more
    is written, and cells still being computed are left for the next night.
    """
    measured = [cell for cell in order.cells if not cell.task.members]
    means = [cell for cell in order.cells if cell.task.members]
    ran, sharded = CellsRun(), _ShardedCells(schedule, measured)
    timeout, is_full = schedule.engine.timeout, False
    work = [Work(cell=cell, timeout=timeout, shard=shard) for cell in measured for shard in sharded.missing(cell)]

    def stop() -> bool:
        return is_full or (deadline is not None and time.monotonic() >= deadline)

    def outcomes() -> Iterator[Outcome]:
        if work:
            yield from engine.run(work, stop=stop)
        joins = [Work(cell=cell, timeout=timeout, shards=shards) for cell, shards in sharded.complete()]
        if joins:
            yield from engine.run(joins, stop=stop)
        for cell in () if stop() else means:
            yield Outcome("done", Work(cell=cell, timeout=timeout), "this process")

    finished: set[str] = set()
    failed: set[str] = set()
    time_left = _TimeLeft(order)
    for outcome in outcomes():
        if is_full and outcome.kind == "done":
            continue
        outcome = _put(outcome, schedule, sharded)
        journal.take(outcome)
        cell, failure = outcome.work.cell, outcome.answer.failure
        name, repeated = str(cell.key), False
        if outcome.kind == "done" and failure is not None:
            failed.add(name)
            blamed = failure.cell if failure.cell == cell.group_label else name
            repeated = ran.failures.get(blamed) == failure.error
            ran.failures[blamed] = journal.status.failures[blamed] = failure.error
            is_full = HANDLING[failure.kind].stops_night
            if is_full:
                ran.problems.append(f"the disk is full: nothing more was started ({failure.error})")
        elif outcome.kind == "done" and outcome.work.shard is None:
            finished.add(name)
            ran.computed += 1
            sharded.forget(cell)
        if outcome.kind == "done":
            journal.status.seconds_left = time_left.without(cell, deadline)
        if not repeated:
            on_news(News(_sentence(outcome), outcome, len(finished) + len(failed), len(order.cells)))
    ran.left = len(order.cells) - len(finished | failed)
    return ran


class _ShardedCells:
    """The cells whose corpora are searched in shards, and the shards that are searched already."""

    def __init__(self, schedule: Schedule, cells: Sequence[Cell]) -> None:
        self._folder = schedule.history / SHARDS
        self._shards = {cell.key: corpus_shards.cut(cell, schedule.engine.shard_documents) for cell in cells}
        self._cells = {cell.key: cell for cell in cells if self._shards[cell.key]}
        self._done: dict[tuple[CellKey, Shard], SearchedShard] = {}
        for key, cell in self._cells.items():
            for shard in self._shards[key]:
                searched = corpus_shards.load(corpus_shards.path(self._folder, cell, shard))
                if searched is not None:
                    self._done[key, shard] = searched

    def missing(self, cell: Cell) -> Sequence[Shard | None]:
        """The shards of a cell that are still to search; `[None]` for a cell that is not sharded."""
        shards = self._shards[cell.key]
        return [shard for shard in shards if (cell.key, shard) not in self._done] if shards else [None]

    def add(self, cell: Cell, shard: Shard, searched: SearchedShard) -> None:
        """Keep the hits of a shard, in memory and on disk.

        Raises:
            OSError: the file cannot be written.
        """
        self._done[cell.key, shard] = searched
        corpus_shards.save(corpus_shards.path(self._folder, cell, shard), searched)

    def complete(self) -> list[tuple[Cell, tuple[SearchedShard, ...]]]:
        """The cells whose shards are all searched, each with its shards."""
        return [
            (cell, tuple(self._done[key, shard] for shard in self._shards[key]))
            for key, cell in self._cells.items()
            if all((key, shard) in self._done for shard in self._shards[key])
        ]

    def forget(self, cell: Cell) -> None:
        """Delete the shards of a cell that is recorded."""
        corpus_shards.forget(self._folder, cell, self._shards.get(cell.key, ()))


def _put(outcome: Outcome, schedule: Schedule, sharded: _ShardedCells) -> Outcome:
    """Write a measured part to its record, or a shard's hits to the history; an error becomes the cell's failure."""
    work, answer = outcome.work, outcome.answer
    try:
        if outcome.kind == "done" and work.cell.task.members:
            task_means.put(schedule.results, work.cell)
        elif isinstance(answer.result, MeasuredPart):
            recording.put(schedule.results, work.cell, answer.result)
        elif isinstance(answer.result, SearchedShard):
            assert work.shard is not None, "only shards return hits"
            sharded.add(work.cell, work.shard, answer.result)
    except Exception as err:  # an error fails this cell only
        return outcome._replace(answer=Answer(failure_of(err, cell=str(work)), answer.seconds))
    return outcome


class _TimeLeft:
    """How long the remaining cells may take, where that can be estimated."""

    def __init__(self, order: Ordered) -> None:
        self._seconds = dict(order.seconds)
        self._unknown = {cell.key for cell in order.cells} - self._seconds.keys()

    def without(self, cell: Cell, deadline: float | None) -> float | None:
        """Seconds for the cells other than this one, which is done; None where some cell was never timed."""
        self._seconds.pop(cell.key, None)
        self._unknown.discard(cell.key)
        if self._unknown:
            return None
        left = sum(self._seconds.values())
        return left if deadline is None else max(0.0, min(left, deadline - time.monotonic()))


def _sentence(outcome: Outcome) -> str:
    what, answer = str(outcome.work), outcome.answer
    if outcome.kind == "started":
        return f"{what} on {outcome.worker}"
    if answer.failure is not None:
        blamed = answer.failure.cell if outcome.kind == "done" else what
        return f"{'FAILED' if outcome.kind == 'done' else 'AGAIN'} {blamed}: {answer.failure.error}"
    return f"{what}: {answer.seconds:.1f} s"
