"""The straight line: cells -> load | encode | score -> record.

A cell is one part (split, subset) of one task for one model. Everything that is already recorded under the same
fingerprint is gone from the plan before a model is opened. One failure boundary, `_attempt`, keeps a broken cell from
touching the others.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from typing import NamedTuple

from harness import models, results
from harness.encoding import cache_upkeep
from harness.errors import CellsFailed, failure_of
from harness.runner import allocator
from harness.runner.corpus_search import ShardHits, search_shard
from harness.runner.events import Event, in_order
from harness.runner.measurement import Unscored, embed, put_together, scored
from harness.runner.plan import Job, plan
from harness.runner.recording import keep, record_of
from harness.runner.request import Request
from harness.runner.stage_threads import Stage
from harness.types import (
    Encoder,
    EncoderFacts,
    Loaded,
    ModelSpec,
    Part,
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
    if request.offline:
        from harness.hub.offline import go_offline

        go_offline()
    jobs = plan(request)
    events = []
    for event in execute(jobs, request):
        on_event(event)
        events.append(event)
    events = in_order(events, jobs)
    records = [event.record for event in events if event.kind in ("recorded", "kept") and event.record is not None]
    failures = [event.failure for event in events if event.failure is not None]
    last = {(record.model, record.revision, record.variant, record.task): record for record in records}
    if failures:
        raise CellsFailed(list(last.values()), failures)
    return list(last.values())


def execute(jobs: Sequence[Job], request: Request) -> Iterator[Event]:
    """Do the jobs in order, one model at a time, and tell what happens.

    Three stages overlap: while a part is encoded, the next one is loaded and the last one is scored and recorded. No
    number depends on that. A cell that fails is reported and the next one starts; whatever was finished is on disk.

    Raises:
        RecordError: the results folder cannot be written, found out before anything is computed.
    """
    if any(job.todo for job in jobs):
        results.check_writable(request.results)
        allocator.keep_freed()
    with Stage("load") as loading, Stage("score") as scoring, _Opened() as opened:
        ahead: Future[_Loaded] | None = None
        recording: deque[_Recording] = deque()
        following = iter([(job, part) for job in jobs if job.applies for part in job.todo][1:])
        for job in jobs:
            if job.done:
                yield Event("kept", job, record=job.record)
            if job.todo and not job.applies:
                yield Event("inapplicable", job, message="BM25 ranks documents; it has no vectors")
            for part in job.todo if job.applies else ():
                yield Event("load", job, part)
                mine = ahead or loading.submit(_load, job, part, request)
                ahead = None
                if not opened.holds(job.model):
                    # Not side by side: `datasets` trips over a `transformers` that is just being imported. And what is
                    # recorded first gives its memory back.
                    wait([mine])
                    yield from _recorded(recording, waiting=0)
                    yield Event("open", job)
                    opened.open(job.model, request)
                if (then := next(following, None)) is not None:
                    ahead = loading.submit(_load, *then, request)
                yield Event("encode", job, part)
                recording.append(_encode(job, part, opened, mine, request, scoring))
                yield from _recorded(recording, waiting=1)
        yield from _recorded(recording, waiting=0)
    cache_upkeep.evict()


def compute(job: Job, part: Part, encoder: Encoder | Searcher, request: Request) -> Record:
    """One cell from its data to its record on disk, with a model that is open already.

    Raises:
        HarnessError: it cannot be computed or recorded.
    """
    data = _load(job, part, request)
    unscored = embed(job.task, part, encoder, data.loaded, options=request.options, transform=job.transform)
    return _score(job, part, encoder.facts, data, unscored, request)


def compute_shard(job: Job, part: Part, encoder: Encoder, request: Request, *, number: int, of: int) -> ShardHits:
    """The search of one shard of a retrieval cell's corpus; see `corpus.search_shard`.

    Raises:
        HarnessError: it cannot be computed.
    """
    data = _load(job, part, request)
    return search_shard(job.task, encoder, data.loaded, number=number, of=of, options=request.options)


def record_shards(job: Job, part: Part, facts: EncoderFacts, shards: Sequence[ShardHits], request: Request) -> Record:
    """The record of a retrieval cell whose shards have all been searched. Needs no model.

    Raises:
        HarnessError: it cannot be scored or recorded.
    """
    data = _load(job, part, request)
    return _score(job, part, facts, data, put_together(job.task, data.loaded, shards), request)


class _Loaded(NamedTuple):
    """A part's data, and how long it took to load."""

    loaded: Loaded
    seconds: float


class _Recording(NamedTuple):
    """A cell that is being scored and recorded."""

    job: Job
    part: Part
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

    def open(self, spec: ModelSpec, request: Request) -> None:
        self._close()
        self._spec, self._broken = spec, None
        try:
            self._encoder = models.open_model(spec, request.options)
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


def _load(job: Job, part: Part, request: Request) -> _Loaded:
    """Stage one: the part's data."""
    from harness import data

    started = time.perf_counter()
    loaded = data.load(job.task, part)
    if request.max_texts is not None:
        loaded = data.limited(job.task, loaded, request.max_texts)
    return _Loaded(loaded, time.perf_counter() - started)


def _encode(
    job: Job,
    part: Part,
    opened: _Opened,
    ahead: Future[_Loaded],
    request: Request,
    scoring: Stage,
) -> _Recording:
    """Stage two: the part's embeddings or hits; what follows goes to the scoring thread. Errors are the cell's."""
    try:
        encoder = opened.encoder()
        data = ahead.result()
        unscored = embed(job.task, part, encoder, data.loaded, options=request.options, transform=job.transform)
    except Exception as err:  # the boundary: a cell's error is the cell's
        broken: Future[Record] = Future()
        broken.set_exception(err)
        return _Recording(job, part, broken)
    return _Recording(job, part, scoring.submit(_score, job, part, encoder.facts, data, unscored, request))


def _score(job: Job, part: Part, facts: EncoderFacts, data: _Loaded, unscored: Unscored, request: Request) -> Record:
    """Stage three: scores, on disk."""
    measured = scored(unscored)
    measured = measured._replace(seconds={"load": data.seconds, **measured.seconds})
    record = record_of(job, part, facts, data.loaded, measured)
    items = {} if measured.items is None else {part: measured.items}
    return keep(request.results, record, model_meta=models.meta(job.model, facts), own=items)


def _recorded(recording: deque[_Recording], *, waiting: int) -> Iterator[Event]:
    """What has been recorded, in order, until at most `waiting` cells are under way."""
    while recording and (len(recording) > waiting or recording[0].record.done()):
        job, part, record = recording.popleft()
        try:
            yield Event("recorded", job, part, record=record.result())
        except Exception as err:  # the other side of the boundary
            yield Event("failed", job, part, failure=failure_of(err, cell=f"{job.label} {job.task.name} {part}"))
