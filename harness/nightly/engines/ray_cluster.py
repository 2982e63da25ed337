"""The Ray engine: the cells of a night on a Ray cluster. Owns `ray`.

Each model gets an actor, or several where there are more places than models; an actor claims its GPU, keeps its model
loaded, and is given all of its cells at once. Where it runs, when it starts, and what happens when its node dies is
Ray's business: a dead actor is started again elsewhere, with the calls that it had not answered. There is no queue and
no scheduler of ours beside it.

The nodes need this package and the data and models of the schedule, by hub or by a common path. Results need no common
disk: measured parts come back as values, and the night puts them into its records.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import Failure, HarnessError, Kind, first_line
from harness.nightly.engines.protocol import COMPUTER, Answer, Outcome, Work
from harness.nightly.engines.supervisor import Supervisor
from harness.nightly.schedule.schedule_contents import EngineOptions

_CONTROL = "control"
"""The concurrency group of calls that must not wait for the cell at work."""
_REACH_SECONDS = 10.0
_TICK = 0.5
"""Seconds between two looks at whether to stop, while nothing happens."""


class PassingTrouble(Exception):
    """A trouble that may pass; Ray calls again."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


class Actor:
    """A supervised worker process on a node of the cluster."""

    def __init__(self, computer: str, backoff: float, tries: int) -> None:
        log = Path(tempfile.gettempdir()) / "harness-nightly" / f"worker-{os.getpid()}.log"
        self._supervisor = Supervisor(log, computer=computer)
        self._backoff, self._tries = backoff, tries
        self._tried: dict[str, int] = {}
        self._stopped = False

    def stop(self) -> None:
        """Begin nothing more: Ray does not cancel a call that waits before a busy actor, so the actor lets it pass."""
        self._stopped = True

    def compute(self, work: Work) -> Answer | None:
        """The worker's answer; a trouble that may pass is raised, after a while, so that Ray calls again.

        None once it was told to stop.
        """
        if self._stopped:
            return None
        answer = self._supervisor.compute(work)
        if answer.may_pass:
            tried = self._tried[str(work)] = self._tried.get(str(work), 0) + 1
            if tried < self._tries:
                time.sleep(self._backoff * 2 ** (tried - 1))
            raise PassingTrouble(answer)
        return answer


class RayEngine:
    """A Ray cluster.

    Args:
        options: address, and what each worker claims.
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
        self._ours = not ray.is_initialized()
        if self._ours:
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
        retrying(Actor.compute)  # notes it on the function
        ray.method(concurrency_group=_CONTROL)(Actor.stop)
        decorate: Any = ray.remote  # its types do not know concurrency groups
        self._remote = decorate(concurrency_groups={_CONTROL: 1})(Actor)

    def _check_reachable(self) -> None:
        """Ray itself tries for minutes to reach a cluster that is gone."""
        address = self._options.address
        if address == "auto":
            address = os.environ.get("RAY_ADDRESS") or _started_here()
        host, _, port = address.rpartition(":")
        if host and port.isdecimal() and "/" not in host:
            try:
                socket.create_connection((host, int(port)), timeout=_REACH_SECONDS).close()
            except OSError as err:
                raise _no_cluster(address, first_line(err)) from err

    def run(self, work: Sequence[Work], *, stop: Callable[[], bool]) -> Iterator[Outcome]:
        """See `protocol.Engine`."""
        pending: dict[Any, tuple[Work, Any]] = {}
        left: dict[Any, int] = {}
        for share in shares(work, places=self._places()):
            actor = self._actor()
            left[actor] = len(share)
            self._actors.append(actor)
            pending |= {actor.compute.remote(one): (one, actor) for one in share}
        cancelled = False
        while pending:
            if not cancelled and stop():
                cancelled = True
                for actor in self._actors:  # what has begun is finished
                    actor.stop.remote()
                for call in pending:
                    self._ray.cancel(call)
            ready, _ = self._ray.wait(list(pending), num_returns=1, timeout=_TICK)
            for call in ready:
                one, actor = pending.pop(call)
                answer = self._answer(call, one)
                left[actor] -= 1
                if not left[actor]:  # its place is for the next one, which Ray has waiting
                    self._release([actor])
                if answer is not None:
                    yield Outcome("done", one, "ray", answer)

    def close(self) -> None:
        """See `protocol.Engine`."""
        self._release(list(self._actors))
        if self._ours and self._ray.is_initialized():
            self._ray.shutdown()

    def _release(self, actors: Sequence[Any]) -> None:
        for actor in actors:
            self._actors.remove(actor)
            self._ray.kill(actor)

    def _places(self) -> int:
        """How many workers the cluster has room for now, unless the schedule says how many."""
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
        """What a call came to; None for one that was not begun."""
        errors = self._ray.exceptions
        try:
            answer: Answer | None = self._ray.get(call)
        except errors.TaskCancelledError:
            return None
        except PassingTrouble as err:
            return err.answer
        except errors.RayActorError as err:
            return _failed(work, f"the node that computed it was lost ({first_line(err)})", kind="transient")
        except Exception as err:  # Ray's own troubles are many; none may end the night
            return _failed(work, first_line(err), kind="resource")
        return answer


def _failed(work: Work, reason: str, *, kind: Kind) -> Answer:
    return Answer(Failure(str(work), reason, kind=kind))


_RESOURCES = (("GPU", "num_gpus"), ("CPU", "num_cpus"))


def shares(work: Sequence[Work], *, places: int) -> list[list[Work]]:
    """The work of each actor: that of one model, or a part of it where there are more places than models.

    Args:
        work: in the order to do it, which is kept within a share.
        places: workers that there is room for.
    """
    groups: dict[tuple[str, str, str], list[Work]] = {}
    for one in work:
        groups.setdefault(one.cell.group, []).append(one)
    count = dict.fromkeys(groups, 1)
    for _ in range(places - len(groups)):
        most = max(groups, key=lambda group: len(groups[group]) / count[group])
        if count[most] >= len(groups[most]):
            break
        count[most] += 1
    return [groups[group][number :: count[group]] for group in groups for number in range(count[group])]


def _started_here() -> str:
    """The address that `ray start` has left on this machine; empty where there is none."""
    try:
        from ray._private.services import find_bootstrap_address

        return str(find_bootstrap_address(None) or "")
    except Exception:  # not part of Ray's public face: then Ray finds out by itself, more slowly
        return ""


def _no_cluster(address: str, why: str) -> HarnessError:
    return HarnessError(
        f"engine ray: no cluster at {address!r} ({why}); start one with `ray start --head`, name its address, or use "
        "`address: local`"
    )
