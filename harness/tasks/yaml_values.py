"""Values of a strictly read YAML file: each is read as what its field expects, and every defect is noted.

Scalars stay text until a field says what it expects, so a subset called `no` is no boolean and a revision made of
digits is no number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, TypeVar

from harness.errors import SpecError, UnknownName, suggest

_WHOLE = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NOTHING = ("", "~", "null", "Null", "NULL")

_T = TypeVar("_T")
Entries: TypeAlias = "dict[str, Value]"


class Problem(NamedTuple):
    """One defect of a file."""

    line: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value of the file, with its place and the list that its defects go to.

    The reading methods never raise: they note what is wrong and return something of the right type, so that one pass
    finds every defect; then `finish` raises. A value whose key is absent reads as empty, and that is no defect.

    Attributes:
        name: dotted path of keys (`source.revision`); empty for the whole file.
        line: of its key or list item, counted from 1.
        content: a scalar's text, a list, a mapping, or None if the key is absent.
        quoted: a scalar in quotes or in a block, which is text whatever it looks like.
        problems: shared by all values of the file.
    """

    name: str
    line: int
    content: str | list[Value] | Entries | None
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
        """Note that `what` was expected, unless the key is absent; returns `instead`."""
        if self.present:
            self.wrong(f"expected {what}, found {self._shown()}")
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

    def one_of(self, names: Collection[str], kind: str) -> str:
        """A text that is one of the `names`; an unknown name reads as empty."""
        name = self.text()
        if not name or name in names:
            return name
        self.wrong(str(UnknownName.of(kind, name, names)))
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

    def labels(self, expected: str, *, pattern: re.Pattern[str] | None = None, item: str = "") -> tuple[str, ...]:
        """A list of labels, none of them twice; `expected` names the items in messages, `item` a single one."""
        labels: list[str] = []
        for value in self.items(expected):
            label = value.label(pattern, expected=item)
            if label and label in labels:
                value.wrong(f"{label!r} is listed twice")
            labels.append(label)
        return tuple(labels)

    def entries(self, expected: str) -> Entries:
        """A mapping with at least one entry, whatever its keys."""
        if isinstance(self.content, dict) and self.content:
            return self.content
        empty: Entries = {}
        return self.expected(f"a mapping of {expected}", empty)

    def fields(self, required: Sequence[str], optional: Iterable[str] = ()) -> Entries:
        """A mapping with these keys and no other; a key that is absent from the file is there as an absent value."""
        keys = [*required, *optional]
        content = self.content if isinstance(self.content, dict) else {}
        if not isinstance(self.content, dict) and self.present:
            self.expected("a mapping", None)
        meant: set[str] = set()
        for key in [key for key in content if key not in keys]:
            near = suggest(key, keys)
            meant.update(near[:1])
            help_ = f"did you mean {' or '.join(near)}?" if near else f"known keys: {', '.join(keys) or 'none'}"
            self.problems.append(Problem(content[key].line, self._named(f"unknown key {key!r}; {help_}")))
        if isinstance(self.content, dict):
            for key in required:
                if key not in content and key not in meant:  # a misspelt key is one defect, not two
                    self.wrong(f"missing key {key!r}")
        return {key: self.key(key) for key in keys}

    def key(self, name: str) -> Value:
        """The value of one key, absent if this is no mapping or does not have it."""
        return self.content.get(name, self._absent(name)) if isinstance(self.content, dict) else self._absent(name)

    def finish(self, file: str) -> None:
        """Raise `SpecError` with every problem that was noted, in the order of the file, if there is any."""
        if self.problems:
            raise spec_error(file, self.problems)

    def _named(self, message: str) -> str:
        return f"{self.name}: {message}" if self.name else message

    def _absent(self, key: str) -> Value:
        return Value(name=joined(self.name, key), line=self.line, content=None, quoted=False, problems=self.problems)

    def _shown(self) -> str:
        if self.is_null:
            return "nothing" if not self.content else str(self.content)
        if isinstance(self.content, str):
            shown = repr(self.content if len(self.content) <= 60 else f"{self.content[:57]}...")
            return f"the text {shown}" if self.quoted else shown
        kind = "list" if isinstance(self.content, list) else "mapping"
        return f"a {kind}" if self.content else f"an empty {kind}"


def spec_error(file: str, problems: Iterable[Problem]) -> SpecError:
    """The error that tells all of a file's defects, in the order of its lines."""
    return SpecError(file, [f":{line}: {message}" for line, message in sorted(problems, key=lambda it: it.line)])


def joined(name: str, key: str) -> str:
    """The name of the value under `key` of the mapping called `name`."""
    return f"{name}.{key}" if name else key
