"""The cells of a night through an engine: what was recorded, what failed, and what is left for the next night."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from harness.errors import HANDLING, RecordError, failure_of
from harness.nightly.engines import corpus_shards
from harness.nightly.engines.protocol import Answer, Engine, Outcome, Searched, Shard, Work
from harness.nightly.night_state import Journal
from harness.nightly.schedule.cell_order import Ordered
from harness.nightly.schedule.schedule_contents import Schedule
from harness.runner.cells import Cell
from harness.runner.recording import keep

SHARDS = "shards"


class News(NamedTuple):
    """What just happened, for whoever shows progress: a sentence, and the outcome that it is about."""

    text: str
    outcome: Outcome | None = None
    done: int = 0
    total: int = 0


OnNews = Callable[[News], None]


@dataclasses.dataclass(slots=True)
class Ran:
    """How the cells went.

    Attributes:
        left: cells that were not started, or not finished, before the budget ended.
    """

    computed: int = 0
    left: int = 0
    failures: dict[str, str] = dataclasses.field(default_factory=dict)
    problems: list[str] = dataclasses.field(default_factory=list)


def compute(
    schedule: Schedule, engine: Engine, order: Ordered, journal: Journal, deadline: float | None, on_news: OnNews
) -> Ran:
    """Give the cells to the engine: whole ones and shards first, then the cells whose shards are complete."""
    ran, full = Ran(), _Full()
    cut = _Cut(schedule, order.cells)
    # A worker that sees this machine's disk records there itself; from elsewhere the record comes back in the answer.
    folder = schedule.results if schedule.engine.kind == "local" else None
    work = [
        Work(cell=cell, results=folder, timeout=schedule.engine.timeout, shard=shard)
        for cell in order.cells
        for shard in cut.missing(cell)
    ]

    def stop() -> bool:
        return full.disk or (deadline is not None and time.monotonic() >= deadline)

    def outcomes() -> Iterator[Outcome]:
        if work:
            yield from engine.run(work, stop=stop)
        merges = [
            Work(cell=cell, results=folder, timeout=schedule.engine.timeout, searched=searched)
            for cell, searched in cut.complete()
        ]
        if merges:
            yield from engine.run(merges, stop=stop)

    finished: set[str] = set()
    left = _Left(order)
    for outcome in outcomes():
        outcome = _taken(outcome, schedule, cut)
        journal.take(outcome)
        cell, answer = outcome.work.cell, outcome.answer
        name = str(cell.key)
        if outcome.kind == "done" and answer.failure is not None:
            reason = answer.failure.error
            ran.failures[name] = journal.status.failures[name] = reason
            if HANDLING[answer.failure.kind].stops_night and not full.disk:
                full.disk = True
                ran.problems.append(f"the disk is full: nothing more was started ({reason})")
        elif outcome.kind == "done" and outcome.work.shard is None:
            finished.add(name)
            ran.computed += 1
            cut.forget(cell)
        if outcome.kind == "done":
            journal.status.seconds_left = left.without(cell, deadline)
        on_news(News(_sentence(outcome), outcome, len(finished) + len(ran.failures), len(order.cells)))
    ran.left = len(order.cells) - len(finished | set(ran.failures))
    return ran


class _Full:
    """Whether the disk is."""

    disk = False


class _Cut:
    """The cells whose corpora are searched in shards, and the shards that are done."""

    def __init__(self, schedule: Schedule, cells: Sequence[Cell]) -> None:
        self._folder = schedule.history / SHARDS
        self._shards = {cell.key: corpus_shards.cut(cell, schedule.engine.shard_documents) for cell in cells}
        self._cells = {cell.key: cell for cell in cells if self._shards[cell.key]}
        self._done: dict[tuple[object, Shard], Searched] = {}
        for key, cell in self._cells.items():
            for shard in self._shards[key]:
                if (known := corpus_shards.load(corpus_shards.path(self._folder, cell, shard), shard)) is not None:
                    self._done[key, shard] = known

    def missing(self, cell: Cell) -> Sequence[Shard | None]:
        """The shards of a cell to search; `[None]` for one that stays whole."""
        own = self._shards[cell.key]
        return [shard for shard in own if (cell.key, shard) not in self._done] if own else [None]

    def add(self, cell: Cell, searched: Searched) -> None:
        """Keep a shard, on disk too.

        Raises:
            OSError: the disk refuses.
        """
        self._done[cell.key, searched.shard] = searched
        corpus_shards.save(corpus_shards.path(self._folder, cell, searched.shard), searched)

    def complete(self) -> list[tuple[Cell, tuple[Searched, ...]]]:
        """The cells all of whose shards are searched."""
        return [
            (cell, tuple(self._done[key, shard] for shard in self._shards[key]))
            for key, cell in self._cells.items()
            if all((key, shard) in self._done for shard in self._shards[key])
        ]

    def forget(self, cell: Cell) -> None:
        """The cell is recorded."""
        corpus_shards.forget(self._folder, cell, self._shards[cell.key])


def _taken(outcome: Outcome, schedule: Schedule, cut: _Cut) -> Outcome:
    """What came back is put where it belongs; a disk that refuses makes a failure of it."""
    answer = outcome.answer
    if outcome.kind != "done" or answer.failure is not None:
        return outcome
    try:
        if (own := answer.delivered) is not None:
            keep(schedule.results, own.record, model_meta=own.model_meta, own=own.items)
        if answer.searched is not None:
            cut.add(outcome.work.cell, answer.searched)
    except (OSError, RecordError) as err:
        failure = failure_of(err, cell=str(outcome.work))
        return outcome._replace(answer=Answer(failure=failure, seconds=answer.seconds))
    return outcome


class _Left:
    """How long the rest may take, as far as that is known."""

    def __init__(self, order: Ordered) -> None:
        self._seconds = dict(order.seconds)
        self._unknown = {cell.key for cell in order.cells} - self._seconds.keys()

    def without(self, cell: Cell, deadline: float | None) -> float | None:
        """Seconds, once this cell is done; None where some cell was never timed."""
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
        return f"{'FAILED' if outcome.kind == 'done' else 'AGAIN'} {what}: {answer.failure.error}"
    return f"{what}: {answer.seconds:.1f} s"
