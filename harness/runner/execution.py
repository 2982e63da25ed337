"""The straight line: cells -> load | encode | score -> record.

Whatever is recorded under the same fingerprint is gone from the plan before a model is opened. An error of a cell, in
any of its stages, is told as that cell's and does not touch the others.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import NamedTuple

from harness import models, results
from harness.encoding import cache_upkeep
from harness.errors import CellsFailed, failure_of
from harness.hub.offline import offline_mode
from harness.runner import allocator
from harness.runner.cells import Cell, Plan, TaskCells
from harness.runner.corpus_search import ShardHits, search_shard
from harness.runner.events import Event, in_order, left_as_they_are
from harness.runner.measurement import Unscored, embed, put_together, scored
from harness.runner.plan import plan
from harness.runner.recording import keep, record_of
from harness.runner.request import Request
from harness.runner.stage_threads import Stage
from harness.types import (
    EncodeOptions,
    Encoder,
    EncoderFacts,
    Loaded,
    ModelSpec,
    Record,
    Searcher,
)


def carry_out(request: Request, *, on_event: Callable[[Event], None] = lambda event: None) -> list[Record]:
    """Do what is asked; one record per model and task, computed or kept.

    Returns:
        Records in the order of models, then tasks.

    Raises:
        HarnessError: the request is wrong (nothing has run), or `CellsFailed` after everything else has run.
    """
    events = []
    with offline_mode(on=request.offline):
        planned = plan(request)
        for event in execute(planned, request.results):
            on_event(event)
            events.append(event)
    events = in_order(events, planned)
    records = [event.record for event in events if event.kind in ("recorded", "kept") and event.record is not None]
    failures = [event.failure for event in events if event.failure is not None]
    last = {(record.model, record.revision, record.variant, record.task): record for record in records}
    if failures:
        raise CellsFailed(list(last.values()), failures)
    return list(last.values())


def execute(planned: Plan, folder: Path) -> Iterator[Event]:
    """Compute the cells of a plan in order, one model at a time, record them in `folder`, and tell what happens.

    Three stages overlap: while a part is encoded, the next one is loaded and the last one is scored and recorded. No
    number depends on that. A cell that fails is reported and the next one starts; whatever was finished is on disk.

    Raises:
        RecordError: the results folder cannot be written, found out before anything is computed.
    """
    todo = planned.todo
    if todo:
        results.check_writable(folder)
        allocator.keep_freed()
    with Stage("load") as loading, Stage("score") as scoring, _Opened() as opened:
        loaded_ahead: Future[_Loaded] | None = None
        recording: deque[_Recording] = deque()
        following = iter(todo[1:])
        for cells in planned.task_cells:
            yield from left_as_they_are(cells)
            for cell in map(cells.cell, cells.todo if cells.applies else ()):
                yield Event("load", cells, cell.part)
                loaded = loaded_ahead or loading.submit(_load, cell)
                loaded_ahead = None
                if not opened.holds(cell.model):
                    # Not side by side: `datasets` trips over a `transformers` that is just being imported. And what is
                    # recorded first gives its memory back.
                    wait([loaded])
                    yield from _recorded(recording, waiting=0)
                    yield Event("open", cells)
                    opened.open(cell.model, cell.options)
                if (next_cell := next(following, None)) is not None:
                    loaded_ahead = loading.submit(_load, next_cell)
                yield Event("encode", cells, cell.part)
                recording.append(_Recording(cells, cell, _encode(cell, opened, loaded, scoring, folder)))
                yield from _recorded(recording, waiting=1)
        yield from _recorded(recording, waiting=0)
    cache_upkeep.evict()


def compute(cell: Cell, encoder: Encoder | Searcher, folder: Path) -> Record:
    """One cell from its data to its record in `folder`, with a model that is open already.

    Raises:
        HarnessError: it cannot be computed or recorded.
    """
    data = _load(cell)
    unscored = embed(cell.task, cell.part, encoder, data.loaded, options=cell.options, transform=cell.transform)
    return _score(cell, encoder.facts, data, unscored, folder)


def compute_shard(cell: Cell, encoder: Encoder, *, number: int, of: int) -> ShardHits:
    """The search of one shard of a retrieval cell's corpus; see `corpus_search.search_shard`.

    Raises:
        HarnessError: it cannot be computed.
    """
    return search_shard(cell.task, encoder, _load(cell).loaded, number=number, of=of, options=cell.options)


def record_shards(cell: Cell, facts: EncoderFacts, shards: Sequence[ShardHits], folder: Path) -> Record:
    """The record of a retrieval cell whose shards have all been searched. Needs no model.

    Raises:
        HarnessError: it cannot be scored or recorded.
    """
    data = _load(cell)
    return _score(cell, facts, data, put_together(cell.task, data.loaded, shards), folder)


class _Loaded(NamedTuple):
    """A part's data, and how long it took to load."""

    loaded: Loaded
    seconds: float


class _Recording(NamedTuple):
    """A cell that is being scored and recorded."""

    cells: TaskCells
    cell: Cell
    record: Future[Record]


class _Opened:
    """The model that is loaded, one at a time; one that cannot be opened fails its own cells only."""

    def __init__(self) -> None:
        self._spec: ModelSpec | None = None
        self._encoder: Encoder | Searcher | None = None
        self._broken: Exception | None = None

    def __enter__(self) -> _Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def holds(self, spec: ModelSpec) -> bool:
        return self._spec == spec

    def open(self, spec: ModelSpec, options: EncodeOptions) -> None:
        self._close()
        self._spec, self._broken = spec, None
        try:
            self._encoder = models.open_model(spec, options)
        except Exception as err:  # of this model only; the next one may open
            self._broken = err

    def encoder(self) -> Encoder | Searcher:
        """The model, or the error that opening it came to."""
        if self._encoder is None:
            raise self._broken or AssertionError("no model is open")
        return self._encoder

    def _close(self) -> None:
        if self._encoder is not None:
            self._encoder.close()
            self._encoder = None


def _load(cell: Cell) -> _Loaded:
    """Stage one: the part's data."""
    from harness import data

    started = time.perf_counter()
    loaded = data.load(cell.task, cell.part)
    if cell.max_texts is not None:
        loaded = data.limited(cell.task, loaded, cell.max_texts)
    return _Loaded(loaded, time.perf_counter() - started)


def _encode(cell: Cell, opened: _Opened, loaded: Future[_Loaded], scoring: Stage, folder: Path) -> Future[Record]:
    """Stage two: the part's vectors or hits; what follows goes to the scoring thread. Errors are the cell's."""
    try:
        encoder = opened.encoder()
        data = loaded.result()
        unscored = embed(cell.task, cell.part, encoder, data.loaded, options=cell.options, transform=cell.transform)
    except Exception as err:  # the boundary: a cell's error is the cell's
        broken: Future[Record] = Future()
        broken.set_exception(err)
        return broken
    return scoring.submit(_score, cell, encoder.facts, data, unscored, folder)


def _score(cell: Cell, facts: EncoderFacts, data: _Loaded, unscored: Unscored, folder: Path) -> Record:
    """Stage three: scores, on disk."""
    measured = scored(unscored)
    measured = measured._replace(seconds={"load": data.seconds, **measured.seconds})
    record = record_of(cell, facts, data.loaded, measured)
    items = {} if measured.items is None else {cell.part: measured.items}
    return keep(folder, record, model_meta=models.meta(cell.model, facts), own=items)


def _recorded(recording: deque[_Recording], *, waiting: int) -> Iterator[Event]:
    """What has been recorded, in order, until at most `waiting` cells are under way."""
    while recording and (len(recording) > waiting or recording[0].record.done()):
        cells, cell, record = recording.popleft()
        try:
            yield Event("recorded", cells, cell.part, record=record.result())
        except Exception as err:  # the other side of the boundary
            yield Event("failed", cells, cell.part, failure=failure_of(err, cell=str(cell.key)))
