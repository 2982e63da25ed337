"""Everything that can go wrong and is worth one clear message, and what follows from each kind of error.

Each error says where it happened, what was found, what was expected and what to do. There are two boundaries: the
command line prints the message and exits; a cell that fails is reported, and the next cell starts.
"""

from __future__ import annotations

import difflib
import errno
import re
import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from typing import ClassVar, Literal, NamedTuple

Kind = Literal["request", "data", "model", "transient", "resource", "disk", "defect"]
"""What is to blame for an error:

    request     what the user asked for: a name, an option, a file of settings, permissions
    data        a data set, a record or a card
    model       the model, or what it returned
    transient   the hub, a network or another process; it may pass by itself
    resource    too little memory, or a worker process that died
    disk        a disk that is full
    defect      an exception that this package did not foresee
"""


class Handling(NamedTuple):
    """What follows from an error.

    Attributes:
        exit_status: of a command that ends with it.
        retried: whether a night tries the cell again before it goes on.
        stops_night: whether a night starts no more cells.
    """

    exit_status: int
    retried: bool = False
    stops_night: bool = False


HANDLING: Mapping[Kind, Handling] = {
    "request": Handling(2),
    "data": Handling(2),
    "model": Handling(2),
    "transient": Handling(2, retried=True),
    "resource": Handling(2, retried=True),
    "disk": Handling(2, stops_night=True),
    "defect": Handling(1),
}
"""What follows from each kind of error. 1 is the exit status that Python itself gives an exception."""


_USER = re.compile(r"(?<=://)[^/\s?#'\"@]+@")
_SECRET = re.compile(r"(?i)([?&][^=&\s]*(?:token|key|secret|password|signature|sig|auth)[^=&\s]*=)[^&\s'\"]+")


def without_credentials(text: str) -> str:
    """`text` without the users, passwords and tokens of the addresses in it, which other libraries quote whole."""
    return _SECRET.sub(r"\1...", _USER.sub("...@", text)) if "://" in text else text


def shown_address(address: str) -> str:
    """An address as messages show it, where its path may be a secret too: `https://host/...`."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        return "..." if address else ""
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    shown = f"{scheme}://{host.rpartition('@')[2]}"
    return shown if rest == host else f"{shown}/..."


class HarnessError(Exception):
    """A mistake or a mishap that the user can act on.

    Args:
        message: what is wrong, where, what was expected, what to do.
        kind: what is to blame, where it is not what the class says.
    """

    default_kind: ClassVar[Kind] = "request"

    def __init__(self, *message: object, kind: Kind | None = None) -> None:
        super().__init__(*(without_credentials(part) if isinstance(part, str) else part for part in message))
        self.kind: Kind = kind or self.default_kind


class UnknownName(HarnessError):
    """A task, suite, model, split, subset, metric or option that does not exist."""

    @classmethod
    def of(cls, kind: str, name: str, candidates: Iterable[str], *, hint: str = "") -> UnknownName:
        """The error for `name`, with the nearest of the existing names as suggestions."""
        existing = list(candidates)
        near = suggest(name, existing)
        if near:
            help_ = f"did you mean {' or '.join(near)}?"
        elif 0 < len(existing) <= 12:
            help_ = f"known: {', '.join(existing)}"
        else:
            help_ = ""
        return cls("; ".join(part for part in (f"no {kind} named {name!r}", help_, hint) if part))

    @classmethod
    def refuse(cls, kind: str, names: Iterable[str] | None, candidates: Collection[str]) -> None:
        """Raise the error for the first of the names, where there are any, that is none of the candidates."""
        for name in names or ():
            if name not in candidates:
                raise cls.of(kind, name, sorted(candidates) if isinstance(candidates, Set) else candidates)


class NothingApplies(HarnessError):
    """A request of tasks that none of its models can do."""


class SpecError(HarnessError):
    """A task or suite file that cannot be used; `problems` holds every defect found in it."""

    def __init__(self, file: str, problems: list[str]) -> None:
        super().__init__(file, problems)
        self.file, self.problems = file, problems

    def __str__(self) -> str:
        return "\n".join(f"{self.file}{'' if line.startswith(':') else ': '}{line}" for line in self.problems)


class DataError(HarnessError):
    """A data set that cannot be loaded or does not hold what the task needs."""

    default_kind = "data"


class ModelError(HarnessError):
    """A model that cannot be found or loaded."""

    default_kind = "model"


class EncodeError(HarnessError):
    """A model that loaded but returned something that is not one finite vector per text."""

    default_kind = "model"


class RecordError(HarnessError):
    """A result file that cannot be read or written."""

    default_kind = "data"


class CardError(HarnessError):
    """A model card that cannot be read or changed; the message starts with `FILE:LINE:` where a line is to blame."""

    default_kind = "data"


class Failure(NamedTuple):
    """A cell that could not be computed.

    Attributes:
        error: the message.
        traceback: of a defect; empty for an error that was foreseen.
        kind: what is to blame.
    """

    cell: str
    error: str
    traceback: str = ""
    kind: Kind = "defect"


class CellsFailed(HarnessError):
    """Some cells of a run failed; the others are recorded. Its kind is that of the first failure.

    Attributes:
        records: what was computed or found, as `harness.run` would have returned it.
        failures: one `Failure` per cell.
    """

    def __init__(self, records: list, failures: list[Failure]) -> None:  # type: ignore[type-arg]
        super().__init__(records, failures, kind=failures[0].kind if failures else None)
        self.records, self.failures = records, failures

    def __str__(self) -> str:
        return "\n".join(f"{failure.cell}: {failure.error}" for failure in self.failures)


FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""How a system says that a disk takes no more: no space, no quota, no larger file."""


def kind_of(err: BaseException, *, otherwise: Kind = "defect") -> Kind:
    """What is to blame for an error, be it of this package or of another library.

    A library may wrap what it met, so its error and the causes that it names are looked at, the first cause first.

    Args:
        err: the error.
        otherwise: the kind where neither its class nor its number says what is to blame.
    """
    return next((kind for cause in reversed([*causes(err)]) if (kind := _kind_of_one(cause)) is not None), otherwise)


def causes(err: BaseException | None) -> Iterator[BaseException]:
    """The error and what caused it, in turn; nothing below an error of this package, which has a kind of its own."""
    while err is not None:
        yield err
        err = None if isinstance(err, HarnessError) else err.__cause__


def _kind_of_one(err: BaseException) -> Kind | None:
    if isinstance(err, HarnessError):
        return err.kind
    # torch's class by name: whoever asks may never have imported torch.
    if isinstance(err, MemoryError) or any(base.__name__ == "OutOfMemoryError" for base in type(err).__mro__):
        return "resource"
    if isinstance(err, OSError) and err.errno in FULL:
        return "disk"
    return "transient" if isinstance(err, ConnectionError | TimeoutError) else None


def failure_of(err: BaseException, *, cell: str) -> Failure:
    """The failure of a cell that ended with `err`: the boundary between a cell and the others."""
    if isinstance(err, HarnessError):
        return Failure(cell, str(err), kind=err.kind)
    message = f"{type(err).__name__}: {err}" if str(err) else type(err).__name__
    trace = "".join(traceback.format_exception(err))
    return Failure(cell, without_credentials(message), without_credentials(trace), kind_of(err))


def first_line(err: BaseException) -> str:
    """`ValueError: what it says first`, of an error whose class and words are another library's."""
    lines = [line.strip() for line in str(err).splitlines() if line.strip()]
    return f"{type(err).__name__}: {lines[0][:300]}" if lines else type(err).__name__


def suggest(name: str, candidates: Iterable[str], *, limit: int = 3) -> list[str]:
    """Up to `limit` of the candidates that look like `name`, best first, ignoring case.

    A name that differs in case alone is the only suggestion.
    """
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    if name.lower() in by_lower:
        return [by_lower[name.lower()]]
    near = difflib.get_close_matches(name.lower(), list(by_lower), n=limit, cutoff=0.6)
    inside = [lower for lower in by_lower if name.lower() in lower and lower not in near and len(name) > 2]
    return [by_lower[lower] for lower in [*near, *sorted(inside, key=len)][:limit]]
