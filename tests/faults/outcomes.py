"""What became of a fault, and the counts of a kind of faults."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

Verdict = Literal["right", "refused", "lost", "wrong", "traceback", "hang"]
"""right: the outcome is that of no fault; refused: one sentence and a documented status; lost: something that was
finished is gone; wrong: another outcome without a word; traceback: an exception that nobody foresaw, or a process that
died; hang: no end within the time limit."""
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
BAD: frozenset[Verdict] = frozenset({"lost", "wrong", "traceback", "hang"})
STATUSES = frozenset({0, 1, 2, 3, 130})
"""The exit statuses that commands have."""


class Fault(NamedTuple):
    """One fault: what was done, and what became of it; `detail` helps to find out why."""

    case: str
    verdict: Verdict
    detail: str = ""


@dataclass
class Tally:
    """The verdicts on a kind of faults, and the first bad ones in words."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        self.counts[fault.verdict] += 1
        if fault.verdict in BAD and len(self.examples) < 20:
            self.examples.append(fault)

    def as_json(self) -> str:
        return json.dumps([self.counts, [[*each] for each in self.examples]], ensure_ascii=True)

    def add_json(self, text: str) -> None:
        counts, examples = json.loads(text)
        self.counts.update(counts)
        self.examples += [Fault(*each) for each in examples]

    @property
    def tried(self) -> int:
        return sum(self.counts.values())

    @property
    def is_bad(self) -> bool:
        return any(self.counts[verdict] for verdict in BAD)
