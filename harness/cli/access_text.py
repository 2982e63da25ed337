"""What plans and suites say about data sets on the hub that cannot be read with the token that is set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from harness.types.counted import counted

if TYPE_CHECKING:
    from harness.hub.dataset_access import Accesses
    from harness.types import TaskSpec

_NEEDS = {
    "gated": "gated: accept its terms at {} and set HF_TOKEN to a token of yours",
    "refused": "private or gone: see {}; if it is private, set HF_TOKEN to a token with access",
}


class AccessText:
    """Asks the hub about the data of tasks, from its construction on."""

    def __init__(self, tasks: Iterable[TaskSpec]) -> None:
        from harness.hub.dataset_access import Question

        self._users: dict[str, dict[str, None]] = {}
        for task in tasks:
            for source in (task.source, task.source.qrels):
                if source is not None and source.kind != "local" and not task.members:
                    self._users.setdefault(source.path, {})[task.name] = None
        self._question = Question(self._users)

    def lines(self) -> list[str]:
        """What needs a token, or that this is not known; nothing where no task has its data on the hub."""
        users, asked = self._users, self._question.answers()
        if not users:
            return []
        return _lines(users, asked)


def _lines(users: Mapping[str, Iterable[str]], asked: Accesses) -> list[str]:
    total = counted(len(users), "data set")
    if asked.offline:
        return [f"Whether any of {total} needs a token is not known: only the hub knows, and it is not asked offline."]
    refused = {name: access for name, access in asked.by_name.items() if access in _NEEDS}
    unknown = sum(access == "unknown" for access in asked.by_name.values())
    if unknown == len(users):
        return [f"Whether any of {total} needs a token is not known: the hub did not answer."]
    beside = f"; the hub did not answer about {unknown} of them" if unknown else ""
    if not refused:
        return [f"No further token is needed for {total} on the hub{beside}."]
    return [
        f"{len(refused)} of {total} {'needs' if len(refused) == 1 else 'need'} a token with access{beside}:",
        *(
            f"  {name} ({', '.join(users[name])}): {_NEEDS[access].format(asked.page.format(name))}"
            for name, access in refused.items()
        ),
    ]
