"""Tables of the hub that were read once, kept as Arrow files: the next run needs neither `datasets` nor its import.

A table is found again by the files that it was read from (place, size and time), the way they were read, and the
version of the reader. Whatever does not fit is read anew. Owns `pyarrow` for this.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.files import run_environment
from harness.files.atomic import write_cache

if TYPE_CHECKING:
    import pyarrow

MAX_BYTES = 64 * 2**20
"""A larger table takes so long to read that an import more makes no difference."""


def place(folder: Path, paths: Sequence[str], *, how: Sequence[object]) -> Path:
    """Where the table lies, or would, that is made of the files at `paths`.

    Args:
        folder: of the data set at its revision.
        paths: the files, in order.
        how: everything else that decides what comes of them, as JSON values.
    """
    real = [Path(path).resolve() for path in paths]  # behind the hub client's links: named after the content
    files = [[str(path), (state := path.stat()).st_size, state.st_mtime_ns] for path in real]
    key = json.dumps([files, run_environment.versions().get("datasets"), *how], sort_keys=True)
    return folder / "tables" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.arrow"


def get(file: Path) -> pyarrow.Table | None:
    """The table, or None where there is none that can be read."""
    if not file.is_file():
        return None
    import pyarrow

    try:
        with pyarrow.OSFile(str(file)) as source:
            return pyarrow.ipc.open_file(source).read_all()
    except (pyarrow.ArrowException, OSError):
        return None


def put(file: Path, table: pyarrow.Table) -> None:
    """Keep a table, unless it is large or holds types that its file would not bring back."""
    import pyarrow

    extended = any(isinstance(kind, pyarrow.ExtensionType) for kind in table.schema.types)
    if extended or table.nbytes > MAX_BYTES:
        return
    sink = pyarrow.BufferOutputStream()
    options = pyarrow.ipc.IpcWriteOptions(compression="zstd")
    with pyarrow.ipc.new_file(sink, table.schema.remove_metadata(), options=options) as writer:
        writer.write_table(table.replace_schema_metadata(None))
    write_cache(file, sink.getvalue().to_pybytes())
