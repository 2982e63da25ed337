"""What the disk refuses, as one message that says what to do."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.errors import FULL, HarnessError, RecordError, kind_of

_WHAT_TO_DO: Mapping[int, str] = {
    **dict.fromkeys(FULL, "free some space and run again"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "change its permissions or choose another folder"),
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST, errno.EISDIR), "move away what lies there or choose another folder"),
    errno.ENOENT: "check the path",
    errno.ENAMETOOLONG: "choose a folder with a shorter path",
}


@contextlib.contextmanager
def on_disk(path: Path, done: str, *, error: type[HarnessError] = RecordError) -> Iterator[None]:
    """Raise `error` in place of an OSError; its kind is `disk` where the disk is full.

    Args:
        path: what is named where the OSError names no file.
        done: `read`, `written` or `removed`.
        error: the class to raise.
    """
    try:
        yield
    except OSError as err:
        raise error(sentence(err, path, done), kind=kind_of(err, otherwise="request")) from err


def sentence(err: OSError, path: Path | None = None, done: str = "used") -> str:
    """What the system refused, as a message that says what to do; `path` and `done` as in `on_disk`."""
    advice = _WHAT_TO_DO.get(err.errno or 0, "check the disk and run again")
    return f"{err.filename or path or 'the system'}: cannot be {done}: {err.strerror or err}; {advice}"
