"""Tables of the hub that were read before, kept as Arrow files: reading them again does without importing `datasets`.

The name of such a file is a digest of the files that the table was read from (path, size and time), of how they were
read, and of the version of `datasets`; a table for which any of that changed is read anew. Owns `pyarrow` for this.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.files import kept, run_environment

if TYPE_CHECKING:
    import pyarrow

MAX_BYTES = 64 * 2**20
"""A larger table is not kept: reading it takes so long that the import of `datasets` makes no difference."""


def file_of(folder: Path, paths: Sequence[str], *, read_as: Sequence[object]) -> Path:
    """The Arrow file of the table that the files at `paths` make; it need not exist.

    Args:
        folder: of the data set at its revision.
        paths: the files, in order.
        read_as: everything else that the table depends on, as JSON values.
    """
    real = [Path(path).resolve() for path in paths]  # behind the hub client's links: named after the content
    files = [[str(path), (state := path.stat()).st_size, state.st_mtime_ns] for path in real]
    key = json.dumps([files, run_environment.versions().get("datasets"), *read_as], sort_keys=True)
    return folder / "tables" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.arrow"


def get(file: Path) -> pyarrow.Table | None:
    """The table in an Arrow file; None if it does not exist, is damaged or cannot be read."""
    content = kept.read(file)
    if content is None:
        return None
    import pyarrow

    try:
        return pyarrow.ipc.open_file(pyarrow.py_buffer(content)).read_all()
    except (pyarrow.ArrowException, OSError):
        return None


def put(file: Path, table: pyarrow.Table) -> None:
    """Write a table to an Arrow file, unless it is large or has extension types, which such a file loses."""
    import pyarrow

    extended = any(isinstance(kind, pyarrow.ExtensionType) for kind in table.schema.types)
    if extended or table.nbytes > MAX_BYTES:
        return
    sink = pyarrow.BufferOutputStream()
    options = pyarrow.ipc.IpcWriteOptions(compression="zstd")
    with pyarrow.ipc.new_file(sink, table.schema.remove_metadata(), options=options) as writer:
        writer.write_table(table.replace_schema_metadata(None))
    kept.write(file, sink.getvalue().to_pybytes())
