"""The local engine: worker processes on this machine, one per GPU or one on the CPU.

Each process keeps its model loaded while there are cells for it. A process whose group of cells is finished takes cells
from the group with the most left.
"""

from __future__ import annotations

import os
import queue
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from harness.errors import failure_of
from harness.nightly.engines.protocol import COMPUTER, Answer, Outcome, Work
from harness.nightly.engines.supervisor import Supervisor
from harness.nightly.schedule.schedule_contents import EngineOptions

_TICK = 0.2
"""Seconds between two checks whether to stop, while waiting."""
_DEVICES = Path("/dev")


class LocalEngine:
    """Computes cells in worker processes on this machine.

    Args:
        options: how many workers, on which device, with how many retries.
        logs: folder for the output of the workers.
        computer: see `worker`.
    """

    def __init__(self, options: EngineOptions, *, logs: Path, computer: str = COMPUTER) -> None:
        self._options = options
        places = placements(options)
        self._workers = [
            Supervisor(logs / f"worker-{number}.log", environment=place, computer=computer)
            for number, place in enumerate(places)
        ]

    def run(self, work: Sequence[Work], *, stop: Callable[[], bool]) -> Iterator[Outcome]:
        """See `protocol.Engine`."""
        waiting = _Waiting(work)
        news: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        stopped = threading.Event()

        def go_on() -> bool:
            return not (stopped.is_set() or stop())

        threads = [
            threading.Thread(target=self._serve, args=(number, waiting, news.put, go_on), daemon=True)
            for number in range(len(self._workers))
        ]
        for thread in threads:
            thread.start()
        left = len(threads)
        try:
            while left:
                outcome = news.get()
                if outcome is None:
                    left -= 1
                else:
                    yield outcome
        finally:
            stopped.set()

    def close(self) -> None:
        """See `protocol.Engine`."""
        for worker in self._workers:
            worker.close()

    def _serve(
        self,
        number: int,
        waiting: _Waiting,
        tell: Callable[[Outcome | None], None],
        go_on: Callable[[], bool],
    ) -> None:
        """Give one worker its next work until none is left or the engine is stopped; then report None."""
        name, held = f"worker {number}", None
        work: Work | None = None
        try:
            while go_on() and (work := waiting.take(held)) is not None:
                held = work.cell.group
                for attempt in range(self._options.retries + 1):
                    tell(Outcome("started", work, name))
                    answer = self._workers[number].compute(work)
                    last = attempt == self._options.retries or not answer.may_pass or not go_on()
                    if last:
                        tell(Outcome("done", work, name, answer))
                        break
                    tell(Outcome("again", work, name, answer))
                    _sleep(self._options.backoff * 2**attempt, go_on)
        except Exception as err:  # a defect of this engine, which must not leave the night waiting for an outcome
            if work is not None:
                tell(Outcome("done", work, name, Answer(failure_of(err, cell=str(work)))))
        finally:
            tell(None)


class _Waiting:
    """The work that no worker has taken yet."""

    def __init__(self, work: Sequence[Work]) -> None:
        self._lock = threading.Lock()
        self._groups: dict[tuple[str, str, str], deque[Work]] = {}
        for piece in work:
            self._groups.setdefault(piece.cell.group, deque()).append(piece)
        self._at_work: Counter[tuple[str, str, str]] = Counter()

    def take(self, held: tuple[str, str, str] | None) -> Work | None:
        """The next work for a worker that has the model of the group `held` loaded.

        The work comes from this group, else from the first group without a worker, else from the group with most left.
        """
        with self._lock:
            if held is None or not self._groups.get(held):
                if held is not None:
                    self._at_work[held] -= 1
                left = {group: len(work) for group, work in self._groups.items() if work}
                free = [group for group in left if not self._at_work[group]]
                held = free[0] if free else max(left, key=left.__getitem__, default=None)
                if held is None:
                    return None
                self._at_work[held] += 1
            return self._groups[held].popleft()


def placements(options: EngineOptions) -> list[Mapping[str, str]]:
    """The environment variables of each worker: one GPU each where the device is `auto` and there are GPUs."""
    gpus = visible_gpus() if options.device == "auto" else []
    if not gpus:
        return [{}] * max(1, options.workers)
    count = options.workers or len(gpus)
    return [{"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} for number in range(count)]


def visible_gpus() -> list[str]:
    """The NVIDIA GPUs that this process may use, listed without a library that takes seconds to import."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip() not in ("", "-1")]
    numbers = [match[1] for path in _DEVICES.glob("nvidia*") if (match := re.fullmatch(r"nvidia(\d+)", path.name))]
    return sorted(numbers, key=int)


def _sleep(seconds: float, go_on: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and go_on():
        time.sleep(min(left, _TICK))
