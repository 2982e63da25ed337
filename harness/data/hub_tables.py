"""Tables of public and private data sets at a pinned revision. Owns `datasets`.

What a config consists of (files, format, features) is asked once and kept in a manifest; the files come through the
hub client's own cache, which resumes what was cut, and are read from there. So a revision is always the one that the
spec pins, a second run asks the hub for nothing (and finds what was read; see `kept`), and a run with --offline needs
nothing but what is cached.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from harness.data import table_cache
from harness.errors import DataError, Kind, first_line, kind_of
from harness.evaluators import KINDS
from harness.evaluators.tables import Table
from harness.files.atomic import write_cache
from harness.files.folders import cache_folder
from harness.hub.downloads import dataset_file
from harness.hub.offline import is_offline
from harness.hub.progress_bars import hidden_bars
from harness.hub.retries import kind_of_failure, retried_requests
from harness.types import TaskSpec

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One config of a data set at a revision.

    Attributes:
        module: which of `datasets`' readers reads the files (`parquet`, `json`, `csv`, ...).
        options: what the reader is told besides.
        features: the declared types as `datasets` writes them, or None.
        files: split -> paths in the repository.
    """

    module: str
    options: dict[str, Any]
    features: dict[str, Any] | None
    files: dict[str, list[str]]


def read(task: TaskSpec, *, table: str, subset: str, split: str) -> Table:
    """One table of a hub data set as columns.

    For searching tasks `table` is corpus, queries, qrels or candidates, which are configs of the repository (`corpus`,
    `queries` or `query`, `default` or `qrels`, `top_ranked`; with a subset in front, as `de-corpus`), each with the
    wanted split or a single one.

    Raises:
        DataError: the data set, revision, config or split does not exist, or the hub cannot be reached.
    """
    with _explained(task), retried_requests():
        config = task.configs.get(subset, subset)
        if table in KINDS[task.type].tables:
            config = _config(task, table, config)
        manifest = _manifest(task, config)
        name = _split(task, manifest, split, single=table != split)
        paths = [_fetched(task, file) for file in manifest.files[name]]
        file = table_cache.place(_folder(task), paths, how=[asdict(manifest), name])
        found = table_cache.get(file)
        if found is None:
            found = _parsed(manifest, name, paths)
            table_cache.put(file, found)
    return {column: found.column(column).to_pylist() for column in found.column_names}


def _config(task: TaskSpec, table: str, subset: str) -> str:
    known = _configs(task)
    prefix = "" if subset == "default" else f"{subset}-"
    names = {
        "corpus": [f"{prefix}corpus"],
        "queries": [f"{prefix}queries", "query"],
        "qrels": [f"{prefix}qrels"] if prefix else ["default", "qrels"],
        "candidates": [f"{prefix}top_ranked"],
    }[table]
    for name in names:
        if name in known:
            return name
    raise DataError(f"{_source(task)} has no config {' or '.join(map(repr, names))}; found {', '.join(known)}")


def _split(task: TaskSpec, manifest: Manifest, wanted: str, *, single: bool) -> str:
    if wanted in manifest.files:
        return wanted
    if single and len(manifest.files) == 1:
        return next(iter(manifest.files))
    raise DataError(f"{_source(task)}: no split {wanted!r}; found {', '.join(manifest.files)}")


def _configs(task: TaskSpec) -> list[str]:
    def ask() -> list[str]:
        import datasets

        return list(datasets.get_dataset_config_names(task.source.path, revision=task.source.revision))

    return _kept(_folder(task) / "configs.json", ask)


def _manifest(task: TaskSpec, config: str) -> Manifest:
    def ask() -> dict[str, Any]:
        import datasets

        name = None if config == "default" else config
        builder = datasets.load_dataset_builder(task.source.path, name, revision=task.source.revision)
        files = builder.config.data_files or {}
        declared = builder.info.features
        return {
            "module": type(builder).__module__.rpartition(".")[2],
            "options": _options(builder),
            "features": json.loads(json.dumps(declared.to_dict())) if declared else None,
            "files": {str(split): [_path(task, str(file)) for file in urls] for split, urls in files.items()},
        }

    return Manifest(**_kept(_folder(task) / f"config-{quote(config, safe='')}.json", ask))


def _options(builder: Any) -> dict[str, Any]:
    """What the data set's card tells the reader, beyond the reader's defaults."""
    plain = type(builder.config)()
    own = {"name", "version", "data_dir", "data_files", "description", "features"}
    told = {key: value for key, value in vars(builder.config).items() if key not in own}
    changed = {key: value for key, value in told.items() if value != getattr(plain, key, None)}
    return {key: value for key, value in changed.items() if isinstance(value, str | int | float | bool | list)}


def _path(task: TaskSpec, url: str) -> str:
    """`hf://datasets/ORG/NAME@REVISION/a/b.jsonl` -> `a/b.jsonl`."""
    prefix = f"hf://datasets/{task.source.path}@"
    if not url.startswith(prefix):
        raise DataError(f"{task.name}: {task.source.path} names a file outside its repository ({url[:80]})")
    return url.removeprefix(prefix).partition("/")[2]


def _fetched(task: TaskSpec, file: str) -> str:
    return dataset_file(task.source.path, file, revision=task.source.revision or "main")


def _parsed(manifest: Manifest, split: str, paths: list[str]) -> pyarrow.Table:
    import datasets

    features = datasets.Features.from_dict(manifest.features) if manifest.features else None
    with hidden_bars(datasets.utils):
        dataset: Any = datasets.load_dataset(
            manifest.module, data_files={split: paths}, split=split, features=features, **manifest.options
        )
    table: pyarrow.Table = dataset.data.table
    return table


def _folder(task: TaskSpec) -> Path:
    return cache_folder() / "data-sets" / quote(task.source.path, safe="") / quote(task.source.revision or "", safe="")


def _kept(file: Path, ask: Any) -> Any:
    """The JSON in `file`, else the answer of `ask`, kept there for the next time."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        pass
    answer = ask()
    write_cache(file, json.dumps(answer, indent=1))
    return answer


@contextlib.contextmanager
def _explained(task: TaskSpec) -> Iterator[None]:
    """The many errors of the clients as one that says what to do."""
    try:
        yield
    except DataError:
        raise
    except Exception as err:
        raise DataError(_explanation(_source(task), err), kind=_kind(err)) from err


def _kind(err: Exception) -> Kind:
    """What is to blame: the hub or the way to it where files could not be had, else the data."""
    if isinstance(err, OSError) and not _is_a(err, "DatasetNotFoundError"):
        return kind_of_failure(err)
    return kind_of(err, otherwise="data")


def _is_a(err: Exception, name: str) -> bool:
    """By name: where nothing had to be read, `datasets` is not imported, and transport errors change their classes."""
    return any(base.__name__ == name for base in type(err).__mro__)


def _explanation(source: str, err: Exception) -> str:
    if _is_a(err, "DatasetNotFoundError"):
        return (
            f"{source}: no such data set or revision, or it is private or gated and no token with access is set "
            "(HF_TOKEN)"
        )
    if _is_a(err, "DatasetGenerationError"):
        return f"{source}: cannot be read ({first_line(err.__cause__ or err)})"
    if isinstance(err, ValueError | RuntimeError):
        message = first_line(err).removeprefix(f"{type(err).__name__}: ")
        if type(err) is RuntimeError:  # what `datasets` raises where it finds a script, and nowhere else
            message += "; a data set made by a script cannot be loaded safely: use its mirror or a Parquet conversion"
        return f"{source}: {message}"
    if isinstance(err, OSError):
        return _unreachable(source, err)
    if isinstance(err, StopIteration):  # what the reader of JSON files says to a file without a line
        return f"{source}: a file holds no rows; expected at least one"
    return f"{source}: cannot be loaded ({first_line(err)})"


def _source(task: TaskSpec) -> str:
    mirror = " (a mirror exists: --mirror)" if task.mirror else ""
    return f"{task.name}: data set {task.source.path}@{task.source.revision}{mirror}"


def _unreachable(source: str, err: BaseException) -> str:
    if is_offline():
        return f"{source}: not in the local cache, and --offline forbids asking the hub; run `harness prefetch` first"
    return f"{source}: the hub could not be asked ({first_line(err)}); try again"
