"""Many result files read by a process for each processor: `python -m harness.leaderboard.reader_processes`.

A worker is a command of its own, fed and read through pipes. The pools of `multiprocessing` would run the caller's
script once more (spawn) or copy whatever threads and locks it has (fork).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from harness.leaderboard import index_columns
from harness.leaderboard.index_columns import Columns, FileToRead, StoredColumns

WORTH_IT = 10_000
"""Starting a worker takes as long as reading two thousand files."""
MOST = 8


def read(files_to_read: Sequence[FileToRead], *, worth_it: int = WORTH_IT) -> list[Columns]:
    """The files in columns, in pieces that are in order; in this process where there are fewer than `worth_it`."""
    processors = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, MOST)
    if len(files_to_read) < worth_it or processors < 2:
        return [index_columns.read(files_to_read)]
    size = -(-len(files_to_read) // processors)
    pieces = [files_to_read[start : start + size] for start in range(0, len(files_to_read), size)]
    with ThreadPoolExecutor(processors) as pool:
        return list(pool.map(_ask, pieces))


def _ask(files_to_read: Sequence[FileToRead]) -> Columns:
    """What a worker process reads; this process reads the files where no worker can be had."""
    package = Path(__file__).resolve().parents[2]
    path = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=msgspec.msgpack.encode(files_to_read),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            check=True,
        )
        return msgspec.msgpack.decode(done.stdout, type=StoredColumns).columns()
    except (OSError, subprocess.CalledProcessError, msgspec.DecodeError):
        return index_columns.read(files_to_read)


def _work() -> None:
    columns = index_columns.read(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=list[FileToRead]))
    sys.stdout.buffer.write(msgspec.msgpack.encode(StoredColumns.of(columns)))


if __name__ == "__main__":
    _work()
