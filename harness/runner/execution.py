"""Carries out a plan: cells -> load | encode | score and put -> records, in three overlapping stages.

Cells that are recorded under the same fingerprint are not computed. An error in any stage of a cell fails this cell
only.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness import models, results
from harness.encoding import cache_upkeep
from harness.encoding.vector_cache import Namespaces
from harness.errors import CellsFailed, Failure, failure_of
from harness.hub.offline import offline_mode
from harness.models.devices import require_devices
from harness.runner import task_means
from harness.runner.cells import Cell, Plan
from harness.runner.events import Event, in_order, left_as_they_are
from harness.runner.measurement import EncodedPart, encode, load, score
from harness.runner.open_model import OpenModel
from harness.runner.plan import plan
from harness.runner.recorder import Recorder
from harness.runner.request import Request
from harness.runner.stage_threads import Stage
from harness.types import Loaded, ModelSpec, Record

_WAITING_PARTS = 4
"""How many parts may be encoded and not scored."""
_WAITING_BYTES = 1 << 30
"""How much they may hold together, if there are several."""


def carry_out(request: Request, *, on_event: Callable[[Event], None] = lambda event: None) -> list[Record]:
    """Run a request; one record per model and task, computed or kept from before.

    Returns:
        Records in the order of models, then tasks.

    Raises:
        HarnessError: the request is wrong (nothing has run), among them `NothingApplies`, or `CellsFailed` after
            everything else has run.
    """
    events = []
    require_devices(request.options.device)
    with offline_mode(on=request.offline):
        planned = plan(request)
        for event in execute(planned, request.results):
            on_event(event)
            events.append(event)
    planned.require_applicable()
    events = in_order(events, planned)
    records = [event.record for event in events if event.kind in ("recorded", "kept") and event.record is not None]
    failures = list(dict.fromkeys(event.failure for event in events if event.failure is not None))
    last = {(record.model, record.revision, record.variant, record.task): record for record in records}
    if failures:
        raise CellsFailed(list(last.values()), failures)
    return list(last.values())


def execute(planned: Plan, folder: Path) -> Iterator[Event]:
    """Compute the cells of a plan in order, one model at a time, record them in `folder`, and yield every event.

    While a part is encoded, the next one is loaded and those before it are scored and recorded; no score depends on
    that. Several parts may wait for the scorer, so that one that takes long to score does not hold up the device.
    After a cell that fails the next one starts, and after a model that cannot be opened the next model. Every finished
    cell is on disk at once, or soon; see `recorder`.

    Raises:
        RecordError: the results folder cannot be written, which is checked before anything is computed.
    """
    todo = planned.todo
    encoded_here = [cell for cell in todo if not cell.task.members]
    if todo:
        results.check_writable(folder)
    with (
        Recorder(folder) as recorder,
        Stage("load") as loading,
        Stage("score") as scoring,
        Namespaces() as namespaces,
        OpenModel() as model,
    ):
        loads = _Loads(encoded_here, loading)
        under_way: deque[_UnderWay] = deque()
        refused: dict[ModelSpec, Failure] = {}
        for cells in planned.task_cells:
            yield from left_as_they_are(cells)
            if cells.model in refused and cells.applies and cells.todo:
                yield Event("refused", cells, failure=refused[cells.model])
                continue
            for cell in map(cells.cell, cells.todo if cells.applies else ()):
                if cell.task.members:
                    scoring.submit(recorder.flush)
                    yield from _finished(under_way, everything=True)
                    mean = scoring.submit(task_means.put, folder, cell)
                    under_way.append(_UnderWay(Event("recorded", cells, cell.part), mean, mean))
                    continue
                yield Event("load", cells, cell.part)
                loaded = loads.take()
                if not model.holds(cell.model):
                    # Not at the same time: importing `datasets` fails while another thread imports `transformers`. And
                    # recording the last cell frees its memory.
                    wait([loaded])
                    scoring.submit(recorder.flush)
                    yield from _finished(under_way, everything=True)
                    yield Event("open", cells)
                    namespaces.close()
                    model.open(cell.model, functools.partial(models.open_model, cell.model, cell.options))
                    if model.error is not None:
                        refused[cell.model] = failure_of(model.error, cell=cell.model.name)
                        loads.leave_out(cell.model)
                        yield Event("refused", cells, failure=refused[cell.model])
                        break
                loads.begin()
                yield Event("encode", cells, cell.part)
                event = Event("recorded", cells, cell.part)
                under_way.append(
                    _encoded(event, cell, model, loaded, namespaces=namespaces, scoring=scoring, recorder=recorder)
                )
                yield from _finished(under_way, everything=False)
            scoring.submit(recorder.flush)
        yield from _finished(under_way, everything=True)
    cache_upkeep.evict()


class _Loads:
    """Loads the data of the cells in order, one cell before it is needed."""

    def __init__(self, cells: Sequence[Cell], stage: Stage) -> None:
        self._cells: Iterator[Cell] = iter(cells)
        self._stage = stage
        self._begun: Future[Loaded] | None = None

    def begin(self) -> None:
        """Start loading the data of the next cell, if there is one."""
        cell = next(self._cells, None)
        if cell is not None:
            self._begun = self._stage.submit(load, cell)

    def leave_out(self, model: ModelSpec) -> None:
        """Load no more data for this model, none of whose cells is begun."""
        self._cells = (cell for cell in list(self._cells) if cell.model != model)

    def take(self) -> Future[Loaded]:
        """The data of the next cell."""
        if self._begun is None:
            self.begin()
        loaded, self._begun = self._begun, None
        assert loaded is not None, "there are as many cells as calls"
        return loaded


class _UnderWay(NamedTuple):
    """A cell that is encoded.

    Attributes:
        recorded: the event of its end, without the record.
        scored: done when it is scored, or has failed.
        record: the record that holds it, or its error.
        bytes: what the scorer is given takes.
    """

    recorded: Event
    scored: Future[Any]
    record: Future[Record]
    bytes: int = 0


def _encoded(
    event: Event,
    cell: Cell,
    model: OpenModel,
    loaded: Future[Loaded],
    *,
    namespaces: Namespaces,
    scoring: Stage,
    recorder: Recorder,
) -> _UnderWay:
    """Encode a part in this thread; score and record it in the scoring thread. Errors are in the future."""
    record: Future[Record] = Future()
    try:
        encoded = encode(
            cell.task,
            cell.part,
            model.encoder(),
            loaded.result(),
            options=cell.options,
            transform=cell.transform,
            namespaces=namespaces,
        )
    except Exception as err:  # an error fails this cell only
        record.set_exception(err)
        scored: Future[None] = Future()
        scored.set_result(None)
        return _UnderWay(event, scored, record)
    return _UnderWay(event, scoring.submit(_scored, cell, encoded, recorder, record), record, _bytes(encoded.given))


def _bytes(given: Any) -> int:
    """Of all arrays in what a scorer is given."""
    if is_dataclass(given):
        given = [getattr(given, field.name) for field in fields(given)]
    if isinstance(given, Mapping):
        given = given.values()
    if isinstance(given, Iterable) and not hasattr(given, "nbytes") and not isinstance(given, str):
        return sum(map(_bytes, given))
    return int(getattr(given, "nbytes", 0))


def _scored(cell: Cell, encoded: EncodedPart, recorder: Recorder, record: Future[Record]) -> None:
    try:
        measured = score(encoded)
    except Exception as err:  # an error fails this cell only
        record.set_exception(err)
    else:
        recorder.record(cell, measured, record)


def _finished(under_way: deque[_UnderWay], *, everything: bool) -> Iterator[Event]:
    """Yield the events of recorded cells, in order: of all cells, or of those before the first that is not recorded.

    Where the queue of the scorer is full, wait for it.
    """
    waiting = [cell for cell in under_way if not cell.scored.done()]
    while len(waiting) > _WAITING_PARTS or (len(waiting) > 1 and sum(cell.bytes for cell in waiting) > _WAITING_BYTES):
        wait([waiting.pop(0).scored])
    while under_way and (everything or under_way[0].record.done()):
        event, _, record, _ = under_way.popleft()
        try:
            yield event._replace(record=record.result())
        except Exception as err:  # an error fails this cell only
            assert event.part is not None
            cell = event.cells.cell(event.part)
            yield event._replace(kind="failed", failure=failure_of(err, cell=str(cell.key)))
