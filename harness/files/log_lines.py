"""What the harness logs while a block runs, line by line, such as that a server is asked again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class _Told(logging.Handler):
    """Passes each line of the log on."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the line on."""
        self._tell(record.getMessage())


@contextmanager
def passed_on(tell: Callable[[str], None]) -> Iterator[None]:
    """Pass each line on to `tell`, and to no outer block."""
    log, handler = logging.getLogger("harness"), _Told(tell)
    level, outer = log.level, [each for each in log.handlers if isinstance(each, _Told)]
    for each in outer:
        log.removeHandler(each)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        for each in outer:
            log.addHandler(each)
        log.setLevel(level)
