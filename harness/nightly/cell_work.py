"""Gives the cells of a night to an engine, records what it returns, and counts what failed or is left."""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from harness.errors import HANDLING, failure_of
from harness.nightly.engines import corpus_shards
from harness.nightly.engines.protocol import Answer, Engine, Outcome, Shard, Work
from harness.nightly.night_state import Journal
from harness.nightly.schedule.cell_order import Ordered
from harness.nightly.schedule.schedule_contents import Schedule
from harness.runner import task_means
from harness.runner.cells import Cell, CellKey
from harness.runner.corpus_search import SearchedShard
from harness.runner.measurement import MeasuredPart
from harness.runner.recorder import Recorder, record_key
from harness.types import Record

SHARDS = "shards"
_LOG = logging.getLogger(__name__)


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

    Results are written here, so that workers need no access to the results folder; parts of a record that takes long to
    write are written together (see `Recorder`), and reported when they are. Once the disk is full, nothing more is
    written, and cells still being computed are left for the next night.
    """
    measured = [cell for cell in order.cells if not cell.task.members]
    means = [cell for cell in order.cells if cell.task.members]
    sharded = _ShardedCells(schedule, measured)
    timeout = schedule.engine.timeout
    work = [Work(cell=cell, timeout=timeout, shard=shard) for cell in measured for shard in sharded.missing(cell)]
    outcomes = _Outcomes(sharded, journal, order, deadline, on_news)

    def stop() -> bool:
        return outcomes.is_full or (deadline is not None and time.monotonic() >= deadline)

    with Recorder(schedule.results) as recorder:
        writing = _Writing(recorder, schedule, sharded, measured)

        def take(outcome: Outcome) -> None:
            for line in outcome.answer.log:
                _LOG.info("%s: %s", outcome.work, line)
            if not (outcomes.is_full and outcome.kind == "done"):
                outcomes.take(writing.put(outcome))

        for outcome in engine.run(work, stop=stop) if work else ():
            take(outcome)
        joins = [Work(cell=cell, timeout=timeout, shards=shards) for cell, shards in sharded.complete()]
        for outcome in engine.run(joins, stop=stop) if joins else ():
            take(outcome)
        if not outcomes.is_full:
            outcomes.take(writing.rest())
        for cell in () if stop() else means:
            take(Outcome("done", Work(cell=cell, timeout=timeout), "this process"))
    return outcomes.ran()


class _Outcomes:
    """Counts, logs and reports the outcomes of a night."""

    def __init__(
        self, sharded: _ShardedCells, journal: Journal, order: Ordered, deadline: float | None, on_news: OnNews
    ) -> None:
        self.is_full = False
        self._ran, self._sharded, self._journal, self._on_news = CellsRun(), sharded, journal, on_news
        self._total, self._deadline, self._time_left = len(order.cells), deadline, _TimeLeft(order)
        self._finished: set[str] = set()
        self._failed: set[str] = set()

    def take(self, outcomes: Iterable[Outcome]) -> None:
        """Count, log and report outcomes."""
        for outcome in outcomes:
            self._take(outcome)

    def _take(self, outcome: Outcome) -> None:
        journal, ran = self._journal, self._ran
        journal.take(outcome)
        cell, failure = outcome.work.cell, outcome.answer.failure
        name, repeated = str(cell.key), False
        if outcome.kind == "done" and failure is not None:
            self._failed.add(name)
            blamed = failure.cell if failure.cell == cell.group_label else name
            repeated = ran.failures.get(blamed) == failure.error
            ran.failures[blamed] = journal.status.failures[blamed] = failure.error
            if HANDLING[failure.kind].stops_night and not self.is_full:
                self.is_full = True
                ran.problems.append(f"the disk is full: nothing more was started ({failure.error})")
        elif outcome.kind == "done" and outcome.work.shard is None:
            self._finished.add(name)
            ran.computed += 1
            self._sharded.forget(cell)
        if outcome.kind == "done":
            journal.status.seconds_left = self._time_left.without(cell, self._deadline)
        if not repeated:
            self._on_news(News(_sentence(outcome), outcome, len(self._finished) + len(self._failed), self._total))

    def ran(self) -> CellsRun:
        """What became of the cells."""
        return dataclasses.replace(self._ran, left=self._total - len(self._finished | self._failed))


class _Writing:
    """Writes the results of outcomes; an error of writing becomes the failure of the cell."""

    def __init__(
        self, recorder: Recorder, schedule: Schedule, sharded: _ShardedCells, measured: Sequence[Cell]
    ) -> None:
        self._recorder, self._results, self._sharded = recorder, schedule.results, sharded
        self._finished: list[Outcome] = []
        self._left = Counter(map(record_key, measured))

    def put(self, outcome: Outcome) -> list[Outcome]:
        """Write a measured part or a shard's hits; what is finished by that, which may be earlier parts too."""
        work, result = outcome.work, outcome.answer.result
        if outcome.kind == "done" and work.shard is None and not work.cell.task.members:
            self._left[record_key(work.cell)] -= 1
        if isinstance(result, MeasuredPart):
            recorded: Future[Record] = Future()
            recorded.add_done_callback(functools.partial(self._end, outcome))
            self._recorder.record(work.cell, result, recorded)
        else:
            self._finished.append(self._written_at_once(outcome))
        if outcome.kind == "done" and not self._left[record_key(work.cell)]:
            self._recorder.flush(record_key(work.cell))
        return self._taken()

    def rest(self) -> list[Outcome]:
        """Write the parts that wait; what is finished by that."""
        self._recorder.flush()
        return self._taken()

    def _taken(self) -> list[Outcome]:
        finished, self._finished = self._finished, []
        return finished

    def _end(self, outcome: Outcome, recorded: Future[Record]) -> None:
        err = recorded.exception()
        self._finished.append(outcome if err is None else _failed(outcome, err))

    def _written_at_once(self, outcome: Outcome) -> Outcome:
        work, result = outcome.work, outcome.answer.result
        try:
            if outcome.kind == "done" and work.cell.task.members:
                task_means.put(self._results, work.cell)
            elif isinstance(result, SearchedShard):
                assert work.shard is not None, "only shards return hits"
                self._sharded.add(work.cell, work.shard, result)
        except Exception as err:  # an error fails this cell only
            return _failed(outcome, err)
        return outcome


def _failed(outcome: Outcome, err: BaseException) -> Outcome:
    answer = Answer(failure_of(err, cell=str(outcome.work)), outcome.answer.seconds)
    return outcome._replace(answer=answer)


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


class _TimeLeft:
    """How long the remaining cells may take, where that can be estimated."""

    def __init__(self, order: Ordered) -> None:
        self._seconds = dict(order.seconds)
        self._total = math.fsum(self._seconds.values())
        self._unknown = {cell.key for cell in order.cells} - self._seconds.keys()

    def without(self, cell: Cell, deadline: float | None) -> float | None:
        """Seconds for the cells other than this one, which is done; None where some cell was never timed."""
        self._total -= self._seconds.pop(cell.key, 0.0)
        self._unknown.discard(cell.key)
        if self._unknown:
            return None
        left = max(0.0, self._total) if self._seconds else 0.0
        return left if deadline is None else max(0.0, min(left, deadline - time.monotonic()))


def _sentence(outcome: Outcome) -> str:
    what, answer = str(outcome.work), outcome.answer
    if outcome.kind == "started":
        return f"{what} on {outcome.worker}"
    if answer.failure is not None:
        blamed = answer.failure.cell if outcome.kind == "done" else what
        return f"{'FAILED' if outcome.kind == 'done' else 'AGAIN'} {blamed}: {answer.failure.error}"
    return f"{what}: {answer.seconds:.1f} s"
