"""Strict reading of small YAML files: every defect of a file at once, each with its line.

Scalars stay text until a field says what it expects, so a subset called `no` is no boolean and a revision made of
digits is no number. The file is read from the parser's events, not through PyYAML's composer: that one follows aliases
and, in its C form, overflows the stack on deeply nested input.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

import yaml

from harness.errors import SpecError, UnknownName, suggest

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 8

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WHOLE = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NOTHING = ("", "~", "null", "Null", "NULL")
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_T = TypeVar("_T")
_Entries: TypeAlias = "dict[str, Value]"


class Problem(NamedTuple):
    """One defect of a file."""

    line: int
    message: str


class Place(NamedTuple):
    """Where a value stands, and the list that its defects go to; see `Value`."""

    name: str
    line: int
    problems: list[Problem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value of the file, with its place and the list that its defects go to.

    The reading methods never raise: they note what is wrong and return something of the right type, so that one pass
    finds every defect; `finish` raises. A value whose key is absent reads as empty, without a complaint.

    Attributes:
        name: dotted path of keys (`source.revision`), empty for the whole file.
        line: where its key or list item stands, counted from 1.
        content: a scalar's text, a list, a mapping, or None if the key is absent.
        quoted: a scalar in quotes or in a block, which is text whatever it looks like.
        problems: shared by all values of the file.
    """

    name: str
    line: int
    content: str | list[Value] | _Entries | None
    quoted: bool
    problems: list[Problem]

    @property
    def present(self) -> bool:
        """Whether the file has this key."""
        return self.content is not None

    @property
    def is_null(self) -> bool:
        """Whether it is `null`, or nothing was written."""
        return not self.quoted and self.content in _NOTHING

    def wrong(self, message: str) -> None:
        """Note a defect of this value."""
        self.problems.append(Problem(self.line, self._named(message)))

    def expected(self, what: str, instead: _T) -> _T:
        """Note that `what` was expected, unless the key is absent; `instead` is given back in its place."""
        if self.present:
            self.wrong(f"expected {what}, found {self._found()}")
        return instead

    def text(self) -> str:
        """Any text with something in it."""
        if isinstance(self.content, str) and self.content.strip() and not self.is_null:
            return self.content
        return self.expected("text", "")

    def label(self, pattern: re.Pattern[str] | None = None, *, expected: str = "") -> str:
        """One line of printable text without spaces around it, that matches `pattern` where one is given."""
        label = self.text()
        if label and (not label.isprintable() or label != label.strip()):
            return self.expected("one line of printable text without spaces around it", label)
        if label and pattern and not pattern.fullmatch(label):
            return self.expected(expected, label)
        return label

    def one_of(self, known: Iterable[str], kind: str) -> str:
        """A text that is one of the `known` names; an unknown one reads as empty."""
        known = list(known)
        name = self.text()
        if not name or name in known:
            return name
        self.wrong(str(UnknownName.of(kind, name, known)))
        return ""

    def flag(self) -> bool:
        """`true` or `false`."""
        if self.content in ("true", "false") and not self.quoted:
            return self.content == "true"
        return self.expected("true or false", False)

    def whole(self, least: int = 0, *, most: int | None = None) -> int:
        """A whole number within bounds."""
        what = f"a whole number from {least} to {most}" if most is not None else f"a whole number, {least} or more"
        if not (isinstance(self.content, str) and _WHOLE.fullmatch(self.content)) or self.quoted:
            return self.expected(what, least)
        number = int(self.content)
        if number < least or (most is not None and number > most):
            return self.expected(what, least)
        return number

    def number(self, above: float = -math.inf, *, most: float = math.inf) -> float:
        """A finite number within bounds."""
        free = (above, most) == (-math.inf, math.inf)
        what = "a number" if free else f"a number above {above:g} and at most {most:g}"
        if not (isinstance(self.content, str) and _NUMBER.fullmatch(self.content)) or self.quoted:
            return self.expected(what, 0.0)
        number = float(self.content)
        if not (math.isfinite(number) and above < number <= most):
            return self.expected(what, 0.0)
        return number

    def items(self, expected: str) -> list[Value]:
        """The values of a list with at least one."""
        if isinstance(self.content, list) and self.content:
            return self.content
        return self.expected(f"a list of {expected}", [])

    def labels(self, many: str, *, pattern: re.Pattern[str] | None = None, one: str = "") -> tuple[str, ...]:
        """A list of labels, none of them twice; `many` and `one` say of what."""
        found: list[str] = []
        for item in self.items(many):
            label = item.label(pattern, expected=one)
            if label and label in found:
                item.wrong(f"{label!r} is listed twice")
            found.append(label)
        return tuple(found)

    def entries(self, expected: str) -> _Entries:
        """A mapping with at least one entry, whatever its keys."""
        if isinstance(self.content, dict) and self.content:
            return self.content
        empty: _Entries = {}
        return self.expected(f"a mapping of {expected}", empty)

    def fields(self, required: Sequence[str], optional: Iterable[str] = ()) -> _Entries:
        """A mapping with these keys and no other; keys that are absent are there as absent values."""
        known = [*required, *optional]
        content = self.content if isinstance(self.content, dict) else {}
        if not isinstance(self.content, dict) and self.present:
            self.expected("a mapping", None)
        meant: set[str] = set()
        for key in [key for key in content if key not in known]:
            near = suggest(key, known)
            meant.update(near[:1])
            help_ = f"did you mean {' or '.join(near)}?" if near else f"known keys: {', '.join(known) or 'none'}"
            self.problems.append(Problem(content[key].line, self._named(f"unknown key {key!r}; {help_}")))
        if isinstance(self.content, dict):
            for key in required:
                if key not in content and key not in meant:  # a misspelt key is one defect, not two
                    self.wrong(f"missing key {key!r}")
        return {key: self.key(key) for key in known}

    def key(self, name: str) -> Value:
        """The value of one key, absent if this is no mapping or does not have it."""
        return self.content.get(name, self._absent(name)) if isinstance(self.content, dict) else self._absent(name)

    def finish(self, file: str) -> None:
        """Raise `SpecError` with every problem noted, in the order of the file, if there is any."""
        if self.problems:
            raise _error(file, self.problems)

    def _named(self, message: str) -> str:
        return f"{self.name}: {message}" if self.name else message

    def _absent(self, key: str) -> Value:
        return Value(name=_join(self.name, key), line=self.line, content=None, quoted=False, problems=self.problems)

    def _found(self) -> str:
        if self.is_null:
            return "nothing" if not self.content else str(self.content)
        if isinstance(self.content, str):
            shown = repr(self.content if len(self.content) <= 60 else f"{self.content[:57]}...")
            return f"the text {shown}" if self.quoted else shown
        kind = "list" if isinstance(self.content, list) else "mapping"
        return f"a {kind}" if self.content else f"an empty {kind}"


def read(path: Path) -> Value:
    """The content of a YAML file.

    Raises:
        SpecError: if it cannot be parsed at all: syntax, encoding, size, nesting, aliases. Lesser defects (duplicate
            keys, tags) are noted in the value's `problems`.
    """
    problems: list[Problem] = []
    try:
        # Straight from the loader: `yaml.parse` asks it twice for each event.
        return _document(iter(_Loader(_characters(path)).get_event, None), problems)
    except _Unreadable as err:
        raise _error(str(path), [*problems, err.problem]) from None
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None) or getattr(err, "context_mark", None)
        detail = ": ".join(part for part in (getattr(err, "context", ""), getattr(err, "problem", "")) if part)
        problem = Problem(mark.line + 1 if mark else 1, f"not valid YAML: {detail or err}")
        raise _error(str(path), [*problems, problem]) from None


class _Unreadable(Exception):
    """There is no sense in reading on."""

    def __init__(self, line: int, message: str) -> None:
        self.problem = Problem(line, message)
        super().__init__(message)


def _error(file: str, problems: Iterable[Problem]) -> SpecError:
    return SpecError(file, [f":{line}: {message}" for line, message in sorted(problems, key=lambda it: it.line)])


def _characters(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as err:
        raise SpecError(str(path), [f"cannot be read: {err.strerror or err}"]) from err
    if len(raw) > MAX_BYTES:
        raise _Unreadable(1, f"larger than {MAX_BYTES:,} bytes, which no task or suite needs")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = raw.count(b"\n", 0, err.start) + 1
        raise _Unreadable(line, f"byte 0x{raw[err.start]:02x} is not UTF-8; save the file as UTF-8") from None
    if bad := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        raise _Unreadable(line, f"control character U+{ord(bad.group()):04X}; remove it")
    return text


def _document(events: Iterator[yaml.Event], problems: list[Problem]) -> Value:
    next(events)  # the stream's start
    if isinstance(next(events), yaml.StreamEndEvent):
        raise _Unreadable(1, "the file is empty")
    root = _value(next(events), events, Place("", 1, problems), depth=0)
    next(events)  # the document's end
    after = next(events)
    if not isinstance(after, yaml.StreamEndEvent):
        raise _Unreadable(_line(after), "a second document begins here; a file holds one task or suite")
    return root


def _value(event: yaml.Event, events: Iterator[yaml.Event], place: Place, *, depth: int) -> Value:
    if isinstance(event, yaml.AliasEvent):
        raise _Unreadable(_line(event), f"*{event.anchor}: aliases are not allowed; write the value out")
    if depth > MAX_DEPTH:
        raise _Unreadable(_line(event), f"nested more than {MAX_DEPTH} levels deep")
    content: str | list[Value] | _Entries
    if isinstance(event, yaml.ScalarEvent):
        content = event.value
    elif isinstance(event, yaml.SequenceStartEvent):
        content = _list(events, place, depth=depth)
    else:
        content = _mapping(events, place, depth=depth)
    name, line, problems = place
    value = Value(name=name, line=line, content=content, quoted=bool(getattr(event, "style", None)), problems=problems)
    tag = getattr(event, "tag", None)
    if tag not in (None, "!"):
        value.wrong(f"tags such as {tag} are not allowed; write the plain value")
    return value


def _list(events: Iterator[yaml.Event], place: Place, *, depth: int) -> list[Value]:
    found: list[Value] = []
    while not isinstance(event := next(events), yaml.SequenceEndEvent):
        found.append(_value(event, events, Place(place.name, _line(event), place.problems), depth=depth + 1))
    return found


def _mapping(events: Iterator[yaml.Event], place: Place, *, depth: int) -> _Entries:
    found: _Entries = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        if not isinstance(event, yaml.ScalarEvent):
            raise _Unreadable(_line(event), "a key must be text")
        key, below = event.value, Place(_join(place.name, event.value), _line(event), place.problems)
        value = _value(next(events), events, below, depth=depth + 1)
        if key in found:
            value.wrong(f"given twice, first on line {found[key].line}")
        found.setdefault(key, value)
    return found


def _line(event: yaml.Event) -> int:
    return int(event.start_mark.line) + 1 if event.start_mark else 1


def _join(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key
