"""Everything that can go wrong and is worth one clear message.

Each error says where it happened, what was found, what was expected and what to do. The command line prints the
message and nothing else; the per-cell boundary in `cells` records it and goes on with the next cell.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HarnessError(Exception):
    """A mistake or a mishap that the user can act on."""


class UnknownName(HarnessError):
    """A task, suite, model, split, subset, metric or option that does not exist."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str], *, hint: str = "") -> UnknownName:
        """The error for `name`, with the nearest of the `known` names as suggestions."""
        known = list(known)
        near = suggest(name, known)
        if near:
            help_ = f"did you mean {' or '.join(near)}?"
        elif 0 < len(known) <= 12:
            help_ = f"known: {', '.join(known)}"
        else:
            help_ = ""
        return cls("; ".join(part for part in (f"no {kind} named {name!r}", help_, hint) if part))


class SpecError(HarnessError):
    """A task or suite file that cannot be used; `problems` holds every defect found in it."""

    def __init__(self, file: str, problems: list[str]) -> None:
        self.file, self.problems = file, problems
        lines = [f"{file}{'' if problem.startswith(':') else ': '}{problem}" for problem in problems]
        super().__init__("\n".join(lines))


class DataError(HarnessError):
    """A data set that cannot be loaded or does not hold what the task needs."""


class ModelError(HarnessError):
    """A model that cannot be found or loaded."""


class EncodeError(HarnessError):
    """A model that loaded but returned something that is not one finite, non-zero vector per text."""


class RecordError(HarnessError):
    """A result file that cannot be read or written."""


class CardError(HarnessError):
    """A model card that cannot be read or changed; the message starts with `FILE:LINE:` where a line is to blame."""


class CellsFailed(HarnessError):
    """Some cells of a run failed; the others are recorded.

    Attributes:
        records: what was computed or found, as `harness.run` would have returned it.
        failures: one `Failure` per cell.
    """

    def __init__(self, records: list, failures: list) -> None:  # type: ignore[type-arg]
        self.records, self.failures = records, failures
        super().__init__("\n".join(f"{failure.cell}: {failure.error}" for failure in failures))


def first_line(err: BaseException) -> str:
    """`ValueError: what it says first`, of an error whose class and words are another library's."""
    lines = [line.strip() for line in str(err).splitlines() if line.strip()]
    return f"{type(err).__name__}: {lines[0][:300]}" if lines else type(err).__name__


def suggest(name: str, known: Iterable[str], *, limit: int = 3) -> list[str]:
    """Up to `limit` of the `known` names that look like `name`, best first, ignoring case.

    A name that differs in case alone is the only suggestion.
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    if name.lower() in by_lower:
        return [by_lower[name.lower()]]
    near = difflib.get_close_matches(name.lower(), list(by_lower), n=limit, cutoff=0.6)
    inside = [lower for lower in by_lower if name.lower() in lower and lower not in near and len(name) > 2]
    return [by_lower[lower] for lower in [*near, *sorted(inside, key=len)][:limit]]
