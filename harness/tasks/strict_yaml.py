"""Strict reading of small YAML files: text -> values. Defects are collected, each with its line.

The file is read from the parser's events, not through PyYAML's composer: that one follows aliases and, in its C form,
overflows the stack on deeply nested input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from harness.errors import SpecError
from harness.tasks.yaml_values import Entries, Problem, Value, joined, spec_error

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 8

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Position(NamedTuple):
    """Name and line of a value to be made, and the list that its defects go to; see `Value`."""

    name: str
    line: int
    problems: list[Problem]


def read(path: Path) -> Value:
    """The content of a YAML file.

    Raises:
        SpecError: it cannot be parsed: syntax, encoding, size, nesting, aliases. Duplicate keys and tags are noted in
            the value's `problems` instead.
    """
    problems: list[Problem] = []
    try:
        # Straight from the loader: `yaml.parse` asks it twice for each event.
        return _document(iter(_Loader(_characters(path)).get_event, None), problems)
    except _Unreadable as err:
        raise spec_error(str(path), [*problems, err.problem]) from None
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None) or getattr(err, "context_mark", None)
        detail = ": ".join(part for part in (getattr(err, "context", ""), getattr(err, "problem", "")) if part)
        problem = Problem(mark.line + 1 if mark else 1, f"not valid YAML: {detail or err}")
        raise spec_error(str(path), [*problems, problem]) from None


class _Unreadable(Exception):
    """A defect after which the rest of the file cannot be read."""

    def __init__(self, line: int, message: str) -> None:
        self.problem = Problem(line, message)
        super().__init__(message)


def _characters(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():  # reading a pipe would never end
            raise SpecError(str(path), ["not a regular file; expected a task or suite file, or a schedule"])
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
    root = _value(next(events), events, _Position("", 1, problems), depth=0)
    next(events)  # the document's end
    after = next(events)
    if not isinstance(after, yaml.StreamEndEvent):
        raise _Unreadable(_line(after), "a second document begins here; a file holds one task or suite")
    return root


def _value(event: yaml.Event, events: Iterator[yaml.Event], place: _Position, *, depth: int) -> Value:
    if isinstance(event, yaml.AliasEvent):
        raise _Unreadable(_line(event), f"*{event.anchor}: aliases are not allowed; write the value out")
    if depth > MAX_DEPTH:
        raise _Unreadable(_line(event), f"nested more than {MAX_DEPTH} levels deep")
    content: str | list[Value] | Entries
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


def _list(events: Iterator[yaml.Event], place: _Position, *, depth: int) -> list[Value]:
    items: list[Value] = []
    while not isinstance(event := next(events), yaml.SequenceEndEvent):
        items.append(_value(event, events, _Position(place.name, _line(event), place.problems), depth=depth + 1))
    return items


def _mapping(events: Iterator[yaml.Event], place: _Position, *, depth: int) -> Entries:
    entries: Entries = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        if not isinstance(event, yaml.ScalarEvent):
            raise _Unreadable(_line(event), "a key must be text")
        key, below = event.value, _Position(joined(place.name, event.value), _line(event), place.problems)
        value = _value(next(events), events, below, depth=depth + 1)
        if key in entries:
            value.wrong(f"given twice, first on line {entries[key].line}")
        entries.setdefault(key, value)
    return entries


def _line(event: yaml.Event) -> int:
    return int(event.start_mark.line) + 1 if event.start_mark else 1
