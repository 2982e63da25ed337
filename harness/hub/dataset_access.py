"""Whether data sets on the hub can be read with the token that is set: asked of many at once, within seconds."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from harness.hub.offline import is_offline

ASKING_SECONDS = 2.0
"""What is not answered by then is unknown."""
_AT_ONCE = 16

Access: TypeAlias = Literal["readable", "gated", "refused", "unknown"]
"""`gated`: there are terms that this token's owner has not accepted. `refused`: private or gone; the hub tells not."""


class Accesses(NamedTuple):
    """The answers about some data sets.

    Attributes:
        offline: whether the hub may not be asked.
        by_name: data set -> answer, in the order of the question.
        page: the address of a data set's page on the hub, with `{}` for its name.
    """

    offline: bool
    by_name: Mapping[str, Access]
    page: str = "{}"


class Question:
    """Asks the hub about data sets in threads of its own, from its construction on. Downloads nothing, never fails."""

    def __init__(self, names: Iterable[str], *, seconds: float | None = None) -> None:
        self._names, self._offline = list(dict.fromkeys(names)), is_offline()
        if self._names and not self._offline:
            pass  # noqa: F401: imported before the time runs

        self._deadline = time.monotonic() + (ASKING_SECONDS if seconds is None else seconds)
        self._told: queue.SimpleQueue[tuple[str, Access]] = queue.SimpleQueue()
        todo: queue.SimpleQueue[str] = queue.SimpleQueue()
        for name in () if self._offline else self._names:
            todo.put(name)
        self._threads = [  # daemons: to look a host up can take long, and never ends early
            threading.Thread(target=_ask_all, args=(todo, self._told, self._deadline), daemon=True)
            for _ in range(min(_AT_ONCE, todo.qsize()))
        ]
        for thread in self._threads:
            thread.start()

    def answers(self) -> Accesses:
        """What the hub has answered, waiting until the seconds are over or all is answered."""
        by_name: dict[str, Access] = dict.fromkeys(self._names, "unknown")
        if self._offline or not by_name:
            return Accesses(self._offline, by_name)
        from huggingface_hub import constants

        for thread in self._threads:
            thread.join(max(0.0, self._deadline - time.monotonic()))
        with contextlib.suppress(queue.Empty):
            while True:
                name, access = self._told.get_nowait()
                by_name[name] = access
        return Accesses(False, by_name, f"{constants.ENDPOINT}/datasets/{{}}")


def _ask_all(todo: queue.SimpleQueue[str], told: queue.SimpleQueue[tuple[str, Access]], deadline: float) -> None:
    """Ask about what is left; where a request fails, the hub is taken for out of reach, and no more is asked here."""
    while (left := deadline - time.monotonic()) > 0:
        try:
            name = todo.get_nowait()
        except queue.Empty:
            return
        access = _access(name, seconds=left)
        told.put((name, access))
        if access == "unknown":
            return


def _access(name: str, *, seconds: float) -> Access:
    from huggingface_hub import HfApi, errors

    try:
        if not HfApi().dataset_info(name, expand=["gated"], timeout=seconds).gated:
            return "readable"
        HfApi().auth_check(name, repo_type="dataset")
    except errors.GatedRepoError:
        return "gated"
    except errors.RepositoryNotFoundError:
        return "refused"
    except Exception:  # whatever it is, a run will say it of the data set that it loads
        return "unknown"
    return "readable"
