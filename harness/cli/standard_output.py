"""Standard output as it may be: of few characters, closed, or on a full device."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from harness.errors import FULL
from harness.outputs.number_text import MISSING

_HANDLER = "harness.plain"
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\r(?!\n)")
_NOT_WRITABLE = FULL | {errno.EIO, errno.EBADF, errno.EINVAL}
EXIT_STATUS = 2
"""Of a command whose output was lost. 1 would say that a cell failed."""


@contextlib.contextmanager
def usable() -> Iterator[None]:
    """Let every text be printed: what the encoding lacks is escaped as in JSON, and where a stream is closed, it is
    dropped, with a sentence on the other one.
    """
    codecs.register_error(_HANDLER, _escaped)
    with contextlib.ExitStack() as replaced:
        closed = [name for name in ("stdout", "stderr") if getattr(sys, name) is None]
        for name in closed:
            nowhere = replaced.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123
            setattr(sys, name, nowhere)
            replaced.callback(setattr, sys, name, None)
        if closed == ["stdout"]:
            print("harness: standard output is closed, so what would be printed there is lost", file=sys.stderr)
        for stream in (sys.stdout, sys.stderr):
            # the streams of tests and notebooks may be of other classes
            if hasattr(stream, "reconfigure") and stream.errors in ("strict", "backslashreplace"):
                errors = stream.errors
                stream.reconfigure(errors=_HANDLER)
                replaced.callback(stream.reconfigure, errors=errors)
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            setattr(sys, name, Printable(stream))
            replaced.callback(setattr, sys, name, stream)
        yield


class Printable:
    """A text stream that lets no text write on the terminal beside its place.

    Names of folders, tasks and models come from others. Control characters in them (escape sequences, C1, backspace)
    and marks that reverse the direction of the text after them are written as escapes of JSON.
    """

    def __init__(self, stream: TextIO) -> None:
        self.raw = stream

    def write(self, text: str) -> int:
        """Write a text; returns the number of its characters."""
        self.raw.write(printable(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


def terminal(stream: TextIO) -> TextIO:
    """The stream itself, for whoever draws on the terminal and escapes texts."""
    raw: TextIO = getattr(stream, "raw", stream) if isinstance(stream, Printable) else stream
    return raw


def printable(text: str) -> str:
    """`text` as `Printable` writes it."""
    return _CONTROLS.sub(lambda control: _escape(control[0]), text)


def was_lost(err: OSError) -> bool:
    """Whether an error, which names no file, is one of writing to standard output: a line more cannot be written."""
    if err.filename is not None or err.errno not in _NOT_WRITABLE:
        return False
    try:
        os.write(sys.stdout.fileno(), b"\n")
    except (OSError, ValueError):
        return True
    return False


def leave_behind() -> None:
    """Send what is still to be written to standard output nowhere, so that Python's own end does not fail on it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _escaped(err: UnicodeError) -> tuple[str, int]:
    """The escapes of JSON, which keep JSON what it is; the mark of a missing value becomes a hyphen."""
    if not isinstance(err, UnicodeEncodeError):
        raise err
    text = err.object[err.start : err.end]
    return "".join("-" if character == MISSING else _escape(character) for character in text), err.end


def _escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
