"""The Ray engine, which computes the cells of a night on a Ray cluster. Owns `ray`.

Each model gets one actor, or several where the cluster has room for more workers than there are models. An actor claims
its GPU, keeps its model loaded, and is given all of its cells at once. Ray decides where and when an actor runs, and
restarts one whose node died together with the calls that it had not answered. This module adds no queue and no
scheduler.

The nodes need this package, and the data and models of the schedule, from the hub or under a common path. They need no
shared disk for results: measured parts are returned as values, and the night writes them to its records.
"""

from __future__ import annotations

import itertools
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import Failure, HarnessError, Kind, first_line
from harness.nightly.engines.packed_work import packed, unpacked
from harness.nightly.engines.protocol import COMPUTER, Answer, Outcome, Work
from harness.nightly.engines.supervisor import Supervisor
from harness.nightly.schedule.schedule_contents import EngineOptions
from harness.types import TaskSpec

_CONTROL = "control"
"""The concurrency group of calls that must not wait for the cell being computed."""
_REACH_SECONDS = 10.0
_WATCHED = 100
"""Of how many calls of an actor, which answers them in order, the end is watched."""
_TICK = 0.5
"""Seconds between two checks whether to stop, while waiting."""


class TransientFailure(Exception):
    """A failure that may pass; it is raised so that Ray repeats the call."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


class Actor:
    """A supervised worker process on a node of the cluster."""

    def __init__(self, computer: str, backoff: float, most_attempts: int) -> None:
        log = Path(tempfile.gettempdir()) / "harness-nightly" / f"worker-{os.getpid()}.log"
        self._supervisor = Supervisor(log, computer=computer)
        self._backoff, self._most_attempts = backoff, most_attempts
        self._attempts: dict[str, int] = {}
        self._task: tuple[Any, TaskSpec] | None = None
        self._stopped = False

    def stop(self) -> None:
        """Start no more work. Ray does not cancel calls queued at a busy actor, so `compute` returns None for them."""
        self._stopped = True

    def compute(self, content: bytes, task: tuple[Any]) -> Answer | None:
        """The worker's answer; None once the actor was told to stop.

        Args:
            content: work, as `packed`.
            task: the reference of its task, in a tuple so that Ray does not fetch the task for each call.

        Raises:
            TransientFailure: the work failed and may succeed another time; raised after a pause.
        """
        if self._stopped:
            return None
        work = unpacked(content, self._fetched(*task))
        answer = self._supervisor.compute(work)
        if answer.may_pass:
            attempts = self._attempts[str(work)] = self._attempts.get(str(work), 0) + 1
            if attempts < self._most_attempts:
                time.sleep(self._backoff * 2 ** (attempts - 1))
            raise TransientFailure(answer)
        return answer

    def _fetched(self, reference: Any) -> TaskSpec:
        """The task of a reference, kept until work of another task comes."""
        if self._task is None or self._task[0] != reference:
            import ray

            self._task = reference, ray.get(reference)
        return self._task[1]


class RayEngine:
    """Computes cells on a Ray cluster.

    Args:
        options: the address of the cluster, and what each worker claims.
        computer: see `worker`.

    Raises:
        HarnessError: Ray is not installed, or there is no cluster at the address.
    """

    def __init__(self, options: EngineOptions, *, computer: str = COMPUTER) -> None:
        try:
            import ray
        except ImportError as err:
            raise HarnessError("engine ray: Ray is not installed; run: pip install 'embedding-harness[ray]'") from err
        self._ray, self._options, self._computer = ray, options, computer
        self._started_ray = not ray.is_initialized()
        if self._started_ray:
            self._check_reachable()
            quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
            try:
                if options.address == "local":
                    ray.init(address="local", include_dashboard=False, **quiet)
                else:
                    ray.init(address=options.address, **quiet)
            except (ConnectionError, RuntimeError, ValueError) as err:
                raise _no_cluster(options.address, first_line(err)) from err
        self._actors: list[Any] = []
        retrying = ray.method(retry_exceptions=True, max_task_retries=options.retries)
        retrying(Actor.compute)  # sets attributes of the function
        ray.method(concurrency_group=_CONTROL)(Actor.stop)
        decorate: Any = ray.remote  # its type stubs lack concurrency groups
        self._remote = decorate(concurrency_groups={_CONTROL: 1})(Actor)

    def _check_reachable(self) -> None:
        """Refuse an address that does not answer; Ray itself would try for minutes."""
        address = self._options.address
        if address == "auto":
            address = os.environ.get("RAY_ADDRESS") or _local_address()
        host, _, port = address.rpartition(":")
        if host and port.isdecimal() and "/" not in host:
            try:
                socket.create_connection((host, int(port)), timeout=_REACH_SECONDS).close()
            except OSError as err:
                raise _no_cluster(address, first_line(err)) from err

    def run(self, work: Sequence[Work], *, stop: Callable[[], bool]) -> Iterator[Outcome]:
        """See `protocol.Engine`."""
        pending: dict[Any, dict[Any, Work]] = {}
        tasks: dict[int, Any] = {}
        for share in shares(work, places=self._places()):
            actor = self._actor()
            self._actors.append(actor)
            calls = pending.setdefault(actor, {})
            for piece in share:
                task = piece.cell.task
                if id(task) not in tasks:
                    tasks[id(task)] = self._ray.put(task)
                calls[actor.compute.remote(packed(piece), (tasks[id(task)],))] = piece
        cancelled = False
        while pending:
            if not cancelled and stop():
                cancelled = True
                for actor, calls in pending.items():  # work that has started is finished
                    actor.stop.remote()
                    for call in calls:
                        self._ray.cancel(call)
            first = {call: actor for actor, calls in pending.items() for call in itertools.islice(calls, _WATCHED)}
            ready, _ = self._ray.wait(list(first), num_returns=1, timeout=_TICK)
            for call in ready:
                actor = first[call]
                piece = pending[actor].pop(call)
                answer = self._answer(call, piece)
                if not pending[actor]:  # frees its resources for the next actor, which waits in Ray
                    del pending[actor]
                    self._release([actor])
                if answer is not None:
                    yield Outcome("done", piece, "ray", answer)

    def close(self) -> None:
        """See `protocol.Engine`."""
        self._release(list(self._actors))
        if self._started_ray and self._ray.is_initialized():
            self._ray.shutdown()

    def _release(self, actors: Sequence[Any]) -> None:
        for actor in actors:
            self._actors.remove(actor)
            self._ray.kill(actor)

    def _places(self) -> int:
        """How many workers to start: as the schedule says, else as many as the cluster has room for now."""
        if self._options.workers:
            return self._options.workers
        resources: Mapping[str, float] = self._ray.cluster_resources()
        claimed = self._claims()
        room = [resources.get(name, 0.0) // claimed[key] for name, key in _RESOURCES if claimed[key]]
        return max(1, int(min(room, default=1)))

    def _claims(self) -> dict[str, float]:
        gpus, cpus = self._options.gpus, self._options.cpus
        if gpus is None:
            on_gpu = self._options.device != "cpu" and self._ray.cluster_resources().get("GPU", 0) >= 1
            gpus = 1.0 if on_gpu else 0.0
        return {"num_gpus": gpus, "num_cpus": 1.0 if cpus is None else cpus}

    def _actor(self) -> Any:
        remote = self._remote.options(max_restarts=-1, **self._claims())
        return remote.remote(self._computer, self._options.backoff, self._options.retries + 1)

    def _answer(self, call: Any, work: Work) -> Answer | None:
        """The answer to a call; None for one that was not started."""
        errors = self._ray.exceptions
        try:
            answer: Answer | None = self._ray.get(call)
        except errors.TaskCancelledError:
            return None
        except TransientFailure as err:
            return err.answer
        except errors.RayActorError as err:
            return _failed(work, f"the node that computed it was lost ({first_line(err)})", kind="transient")
        except Exception as err:  # Ray has many errors of its own; none may end the night
            return _failed(work, first_line(err), kind="resource")
        return answer


def _failed(work: Work, reason: str, *, kind: Kind) -> Answer:
    return Answer(Failure(str(work), reason, kind=kind))


_RESOURCES = (("GPU", "num_gpus"), ("CPU", "num_cpus"))


def shares(work: Sequence[Work], *, places: int) -> list[list[Work]]:
    """The work of each actor: all work of one model, or a share of it where there are more workers than models.

    Args:
        work: in the order to do it, which is kept within a share.
        places: how many workers there is room for.
    """
    groups: dict[tuple[str, str, str], list[Work]] = {}
    for piece in work:
        groups.setdefault(piece.cell.group, []).append(piece)
    count = dict.fromkeys(groups, 1)
    for _ in range(places - len(groups)):
        most = max(groups, key=lambda group: len(groups[group]) / count[group])
        if count[most] >= len(groups[most]):
            break
        count[most] += 1
    return [groups[group][number :: count[group]] for group in groups for number in range(count[group])]


def _local_address() -> str:
    """The address of the cluster that `ray start` started on this machine; empty where there is none."""
    try:
        from ray._private.services import find_bootstrap_address

        return str(find_bootstrap_address(None) or "")
    except Exception:  # not part of Ray's public API; without it Ray looks for the address itself, which takes longer
        return ""


def _no_cluster(address: str, why: str) -> HarnessError:
    return HarnessError(
        f"engine ray: no cluster at {address!r} ({why}); start one with `ray start --head`, name its address, or use "
        "`address: local`"
    )
