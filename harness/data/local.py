"""Tables of private and bundled tasks: JSONL, CSV or Parquet files beside the spec.

source path is a file:      the task's only table, whatever its split is called
source path is a folder:    <table>.jsonl, or <subset>/<table>.jsonl when there are subsets other than `default`;
                            <table> is a split, or corpus, queries and qrels for retrieval
                            (qrels may also lie in qrels/<split>.tsv, as in BEIR)
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from harness.data.columns import Table
from harness.errors import DataError
from harness.types import TaskSpec

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_SUFFIXES = (".jsonl", ".csv", ".tsv", ".parquet")


def read(task: TaskSpec, *, table: str, subset: str, split: str) -> Table:
    """One table of a local task as columns.

    Raises:
        DataError: no such file, or a line of it is not what its suffix promises.
    """
    return _READERS[(path := find(task, table=table, subset=subset, split=split)).suffix](path)


def find(task: TaskSpec, *, table: str, subset: str, split: str) -> Path:
    """The file that holds `table`."""
    root = Path(task.file).parent / task.source.path
    if root.is_file():
        return _known(root)
    folder = root if subset == "default" else root / subset
    stems = [folder / table, *([folder / "qrels" / split] if table == "qrels" else [])]
    candidates = [stem.with_name(stem.name + suffix) for stem in stems for suffix in _SUFFIXES]
    found = [path for path in candidates if path.is_file()]
    if not found:
        raise DataError(f"{task.name}: no file {stems[0]}.jsonl (or .csv, .tsv, .parquet); source of {task.file}")
    if len(found) > 1:
        raise DataError(f"{task.name}: both {found[0]} and {found[1].name} exist; keep one")
    return found[0]


def digests(task: TaskSpec) -> dict[str, str]:
    """sha256 of every data file of a local task, which has no revision to go by.

    Raises:
        DataError: the source does not exist.
    """
    root = Path(task.file).parent / task.source.path
    files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.suffix in _SUFFIXES)
    if not files:
        raise DataError(f"{task.name}: no data at {root}; source of {task.file}")
    return {path.relative_to(root.parent).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _known(path: Path) -> Path:
    if path.suffix not in _READERS:
        raise DataError(f"{path}: unknown kind of file; expected {', '.join(_SUFFIXES)}")
    return path


def _jsonl(path: Path) -> Table:
    rows: list[dict[str, Any]] = []
    with _opened(path) as stream:
        try:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except ValueError as err:
                    raise DataError(f"{path}:{number}: not JSON ({err}); expected one object a line") from err
                if not isinstance(row, dict):
                    raise DataError(f"{path}:{number}: found {type(row).__name__}; expected one JSON object a line")
                if rows and row.keys() != rows[0].keys():
                    odd = sorted(row.keys() ^ rows[0].keys())
                    raise DataError(f"{path}:{number}: other keys than in the first line ({', '.join(odd)})")
                rows.append(row)
        except UnicodeDecodeError as err:
            raise DataError(f"{path}: not UTF-8 ({err.reason} at byte {err.start})") from err
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else {})}


def _separated(path: Path) -> Table:
    with _opened(path) as stream:
        try:
            reader = csv.reader(stream, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
            header = next(reader, [])
            if len(set(header)) != len(header):
                raise DataError(f"{path}:1: two columns of one name in the header ({', '.join(header)})")
            rows = []
            for row in reader:
                if row and len(row) != len(header):
                    raise DataError(
                        f"{path}:{reader.line_num}: {len(row)} fields; expected {len(header)} as in the header"
                    )
                rows += [row] if row else []
        except (csv.Error, UnicodeDecodeError) as err:
            raise DataError(f"{path}: cannot be read ({err})") from err
    return {name: _typed([row[i] for row in rows]) for i, name in enumerate(header)}


def _parquet(path: Path) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_table(path).to_pydict()
    except (pyarrow.ArrowException, OSError) as err:
        raise DataError(f"{path}: cannot be read as Parquet ({str(err).splitlines()[0]})") from err


def _typed(values: list[str]) -> list[Any]:
    """A column of a text file as integers or floats when every value is written as one; ids such as 007 stay text."""
    for kind, pattern in ((int, _INTEGER), (float, _NUMBER)):
        if all(pattern.fullmatch(value) for value in values):
            return [kind(value) for value in values]
    return values


def _opened(path: Path) -> Any:
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except OSError as err:
        raise DataError(f"{path}: cannot be read ({err.strerror})") from err


_READERS = {".jsonl": _jsonl, ".csv": _separated, ".tsv": _separated, ".parquet": _parquet}
