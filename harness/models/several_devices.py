"""A model on several devices: a process for each, among which the blocks of texts are divided.

Threads of one process would share one interpreter lock, and prepare batches for one device at a time. Blocks are whole,
so a vector does not depend on how many devices there are.
"""

from __future__ import annotations

import itertools
import queue
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.encoding.pipeline import BLOCKS_UNDER_WAY
from harness.errors import EncodeError, ModelError
from harness.models.device_messages import OPEN_MODEL, Call, DeviceAnswer, DeviceOpening, Failed, Session
from harness.models.worker_processes import SentTexts, WorkerProcess
from harness.types import Batching, Encoded, EncodeOptions, EncoderFacts, ModelSpec, Prompt, Role

if TYPE_CHECKING:
    from harness.types import Float32

_IN_FLIGHT = BLOCKS_UNDER_WAY + 2
"""Blocks that a process is sent and has not answered: it waits for so many before it answers the first."""


class SeveralDevicesEncoder:
    """Encodes in a process for each device. When one dies, the others encode its blocks, and the facts say so.

    Args:
        spec: the model.
        options: of each process, but for the device.
        devices: their names.
        opener: `module:function`, (spec, options) -> Encoder.

    Raises:
        ModelError: a process cannot open the model.
    """

    def __init__(
        self, spec: ModelSpec, options: EncodeOptions, devices: Sequence[str], *, opener: str = OPEN_MODEL
    ) -> None:
        self._inbox: queue.SimpleQueue[tuple[WorkerProcess, Any]] = queue.SimpleQueue()
        self._sessions = itertools.count()
        openings = [DeviceOpening(opener, spec, replace(options, device=device)) for device in devices]
        self._workers = [WorkerProcess(opening, of=len(devices), inbox=self._inbox) for opening in openings]
        try:
            self.facts = replace(self._facts(spec.name), device=",".join(devices))
        except BaseException:
            self.close()
            raise

    def identity(self, *, prompt: Prompt, role: Role | None) -> Mapping[str, Any] | None:
        """That of the model on one device."""
        identity: Mapping[str, Any] | None = self._call(Call("identity", named={"prompt": prompt, "role": role}))
        return identity

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "tokens"
    ) -> Iterator[Encoded]:
        """The vectors of each block, with their places: they come in the order in which devices finish."""
        session = Session(next(self._sessions), prompt, role, batching)
        coming, again = _placed(blocks), deque[SentTexts]()
        try:
            while True:
                self._hand_out(session, coming, again)
                if not any(worker.in_flight for worker in self._workers):
                    return
                worker, answer = self._inbox.get()
                if answer is None:
                    again.extend(self._lose(worker))
                elif isinstance(answer, Failed) and answer.session == session.number:
                    raise EncodeError(answer.message, kind=answer.kind)
                elif isinstance(answer, DeviceAnswer) and answer.session == session.number:
                    block = worker.in_flight.popleft()
                    places = np.arange(block.start, block.start + len(block.texts), dtype=np.int64)
                    yield answer.content._replace(places=places)
        finally:
            for worker in self._workers:
                self._end(worker)
                worker.in_flight.clear()

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """That of the model, on one device."""
        scores: Float32 = self._call(Call("similarity_pairwise", (left, right)))
        return scores

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.close()
        self._workers = []

    def _facts(self, name: str) -> EncoderFacts:
        """Those of the first device, once every process has opened the model."""
        facts: dict[int, EncoderFacts] = {}
        while len(facts) < len(self._workers):
            worker, answer = self._inbox.get()
            if answer is None:
                worker.bury()
                raise ModelError(f"model {name}: {worker.device}: {worker.ended}", kind="resource")
            if isinstance(answer, Failed):
                raise ModelError(answer.message, kind=answer.kind)
            facts[self._workers.index(worker)] = answer.content
        return facts[0]

    def _hand_out(self, session: Session, coming: Iterator[SentTexts], again: deque[SentTexts]) -> None:
        """Send blocks to the processes that have the fewest, until each has enough or none are left."""
        while True:
            worker = min(self._workers, key=lambda worker: len(worker.in_flight))
            if len(worker.in_flight) >= _IN_FLIGHT:
                return
            block = again.popleft() if again else next(coming, None)
            if block is None:
                for each in self._workers:
                    self._end(each)
                return
            if not worker.is_open:
                worker.send(session)
                worker.is_open = True
            worker.send(block.texts)
            worker.in_flight.append(block)

    def _end(self, worker: WorkerProcess) -> None:
        """Tell a process that no block follows in this session."""
        if worker.is_open:
            worker.send(None)
            worker.is_open = False

    def _lose(self, worker: WorkerProcess) -> list[SentTexts]:
        """Go on without a process that has died; its blocks come back.

        Raises:
            EncodeError: it was the last one.
        """
        worker.bury()
        self._workers.remove(worker)
        lost = {**(self.facts.lost_devices or {}), worker.device: worker.ended}
        self.facts = replace(self.facts, lost_devices=lost)
        if not self._workers:
            ends = "; ".join(f"{device}: {ended}" for device, ended in lost.items())
            raise EncodeError(f"no device is left ({ends})", kind="resource")
        return list(worker.in_flight)

    def _call(self, call: Call) -> Any:
        """What the first process answers, or the next one where that has died."""
        while True:
            first = self._workers[0]
            first.send(call)
            while True:
                worker, answer = self._inbox.get()
                if answer is None:
                    self._lose(worker)
                    if worker is first:
                        break
                elif answer.session is None:
                    if isinstance(answer, Failed):
                        raise EncodeError(answer.message, kind=answer.kind)
                    return answer.content


def _placed(blocks: Iterable[Sequence[str]]) -> Iterator[SentTexts]:
    start = 0
    for texts in blocks:
        yield SentTexts(start, list(texts))
        start += len(texts)
