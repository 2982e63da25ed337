"""Tables of private and bundled tasks: JSONL, CSV, TSV or Parquet files beside the spec.

source path is a file:      the task's only table, whatever its split is called
source path is a folder:    <table>.jsonl, or <subset>/<table>.jsonl where there are subsets other than `default`;
                            <table> is a split, or for retrieval corpus, queries and qrels (which may also be
                            qrels/<split>.tsv, as in BEIR), for reranking candidates too, and with instructions for
                            the queries instructions too, and changes
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from harness.data import separated_files
from harness.errors import DataError, first_line
from harness.evaluators import KINDS
from harness.evaluators.tables import Filed, Table
from harness.files.digests import LOCAL_SUFFIXES
from harness.types import TaskSpec

_WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read(task: TaskSpec, *, table: str, subset: str, split: str, columns: Sequence[str] | None = None) -> Table:
    """One table of a local task as columns: all of them, or those of `columns` that it has.

    An optional table of the task's type is empty where there is no such file.

    Raises:
        DataError: there is no such file, or it is not in the format of its suffix.
    """
    if table in KINDS[task.type].optional_tables and not _files(task, table=table, subset=subset, split=split):
        return {}
    file = find(task, table=table, subset=subset, split=split)
    if columns is None:
        return parsed(file)
    state = file.stat()
    whole = _wide(file, state.st_size, state.st_mtime_ns)
    return Filed({name: whole[name] for name in columns if name in whole}, file=whole.file, lines=whole.lines)


@functools.lru_cache(maxsize=1)
def _wide(file: Path, size: int, changed: int) -> Filed:
    """A table of which some columns are read, kept since its other columns are read next."""
    return parsed(file)


def find(task: TaskSpec, *, table: str, subset: str, split: str) -> Path:
    """The file of `table`.

    Raises:
        DataError: there is none, or more than one, it lies outside the task's source, or one file cannot be the data
            of such a task.
    """
    root = Path(task.file).parent / task.source.path
    if root.is_file():
        _check_one_file_will_do(task, root)
        return root
    files = _files(task, table=table, subset=subset, split=split)
    if not files:
        folder = root if subset == "default" else root / subset
        expected = f"{folder / table}.jsonl (or .csv, .tsv, .parquet)"
        raise DataError(f"{task.name}: no file {expected}; source of {task.file}")
    if len(files) > 1:
        raise DataError(f"{task.name}: both {files[0]} and {files[1].name} exist; keep one")
    return files[0]


def _files(task: TaskSpec, *, table: str, subset: str, split: str) -> list[Path]:
    """The files of `table` in the task's folder."""
    _check_inside(task, table, subset, split)
    root = Path(task.file).parent / task.source.path
    folder = root if subset == "default" else root / subset
    return tables_called(folder / table) + (tables_called(folder / table / split) if table == "qrels" else [])


def _check_inside(task: TaskSpec, *names: str) -> None:
    """Refuse names of subsets, splits or tables that lead out of the source: its digest would not cover the file."""
    for name in names:
        if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
            raise DataError(
                f"{task.name}: the name {name!r} leads out of the source {task.source.path}; name a folder or a file "
                f"inside it in {task.file}"
            )


def tables_called(stem: Path) -> list[Path]:
    """The files of this name with the suffix of a table."""
    return [path for suffix in LOCAL_SUFFIXES if (path := stem.with_name(stem.name + suffix)).is_file()]


def tables_in(folder: Path) -> dict[str, Path]:
    """Stem -> file of the tables directly in a folder.

    Raises:
        DataError: two files have the same stem.
    """
    tables: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in LOCAL_SUFFIXES and path.is_file() and not path.name.startswith("."):
            if path.stem in tables:
                raise DataError(f"both {tables[path.stem]} and {path.name} exist; keep one")
            tables[path.stem] = path
    return tables


def parsed(path: Path) -> Filed:
    """A file as columns. A column of a CSV or TSV file is one of numbers if every field of it is written as a number.

    Raises:
        DataError: the suffix is none of a table, or the file is not in the format of its suffix.
    """
    if is_workbook(path):
        raise DataError(
            f"{path}: a workbook, which can hold several tables; export the sheet: in Excel with Save As and "
            '"CSV UTF-8 (Comma delimited)", in LibreOffice with Save As and "Text CSV", in Google Sheets with Download '
            'and "Comma Separated Values"'
        )
    if path.suffix not in _READERS:
        raise DataError(f"{path}: unknown kind of file; expected {', '.join(LOCAL_SUFFIXES)}")
    if path.exists() and not path.is_file():  # reading a pipe would never end
        raise DataError(f"{path}: not a regular file; expected a table")
    return _READERS[path.suffix](path)


def is_workbook(path: Path) -> bool:
    """Whether a file is one of a spreadsheet program's own format."""
    return path.suffix.lower() in _WORKBOOKS


def _check_one_file_will_do(task: TaskSpec, path: Path) -> None:
    kind = KINDS[task.type]
    training = kind.training(task.settings) if kind.training else None
    if training and training.split not in task.splits:
        raise DataError(
            f"{task.name}: {path} is one file, which would be training and test data at once; expected a folder with "
            f"{training.split}.jsonl and {task.splits[0]}.jsonl"
        )
    if kind.tables:
        raise DataError(f"{task.name}: {path} is one file; expected a folder with corpus, queries and qrels")


def _jsonl(path: Path) -> Filed:
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    with _opened(path) as stream:
        try:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                row = _object(line, f"{path}:{number}")
                if rows and row.keys() != rows[0].keys():
                    odd = sorted(row.keys() ^ rows[0].keys())
                    raise DataError(f"{path}:{number}: other keys than in the first line ({', '.join(odd)})")
                rows.append(row)
                lines.append(number)
        except UnicodeDecodeError as err:
            raise DataError(f"{path}:{_line_not_utf8(path)}: not UTF-8 ({err.reason})") from err
    columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else {})}
    return Filed(columns, file=str(path), lines=lines)


def _line_not_utf8(path: Path) -> int:
    """The first line that cannot be decoded; the decoder reads ahead, so its own error does not tell."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1


def _object(line: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line, object_pairs_hook=lambda pairs: _once(pairs, place))
    except (ValueError, RecursionError) as err:
        raise DataError(f"{place}: not JSON ({err}); expected one object a line") from err
    if not isinstance(row, dict):
        raise DataError(f"{place}: found {type(row).__name__}; expected one JSON object a line")
    if _SURROGATE.search(line):
        try:
            json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError as err:
            raise DataError(f"{place}: half of a surrogate pair (\\ud800-\\udfff) is no character") from err
    return row


def _once(pairs: list[tuple[str, Any]], place: str) -> dict[str, Any]:
    """An object of JSON, whose keys must differ: of a key that stands twice, readers keep one value or the other."""
    row = dict(pairs)
    if len(row) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{place}: the key {twice!r} stands more than once in one object; expected every key once")
    return row


def _parquet(path: Path) -> Filed:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(path).read()
        columns = table.to_pydict()
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as err:
        raise DataError(f"{path}: cannot be read as Parquet ({first_line(err)})") from err
    if len(columns) != table.num_columns:
        raise DataError(f"{path}: two columns of one name ({', '.join(table.column_names)})")
    return Filed(columns, file=str(path))


def _opened(path: Path) -> Any:
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except OSError as err:
        raise DataError(f"{path}: cannot be read ({err.strerror})") from err


_READERS = {".jsonl": _jsonl, ".csv": separated_files.parsed, ".tsv": separated_files.parsed, ".parquet": _parquet}
