"""Tables of data sets on the hub, at the revision that the spec pins. Owns `datasets`.

The hub is asked once what a config consists of (files, format, features), and the answer is kept as a manifest. The
files are downloaded into the hub client's cache, which resumes broken downloads, and are read from there; `table_cache`
keeps the tables. So a second run, and one with --offline after a prefetch, asks the hub for nothing.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from harness.data import table_cache
from harness.errors import DataError, Kind, first_line, kind_of
from harness.evaluators import KINDS
from harness.evaluators.tables import Table
from harness.files import kept
from harness.files.folders import cache_folder
from harness.hub.downloads import dataset_file
from harness.hub.offline import is_offline
from harness.hub.progress_bars import hidden_bars
from harness.hub.retries import failure_text, kind_of_failure, retried_requests
from harness.types import TaskSpec

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One config of a data set at a revision.

    Attributes:
        module: which of `datasets`' readers reads the files (`parquet`, `json`, `csv`, ...).
        options: of the reader, where they are not its defaults.
        features: the declared types as `datasets` writes them; None where none are declared.
        files: split -> paths in the repository.
    """

    module: str
    options: dict[str, Any]
    features: dict[str, Any] | None
    files: dict[str, list[str]]


def read(task: TaskSpec, *, table: str, subset: str, split: str, columns: Sequence[str] | None = None) -> Table:
    """One table of a hub data set as columns: all of them, or those of `columns` that it has.

    For searching tasks `table` is corpus, queries, qrels, candidates, instructions or changes, which are configs of the
    repository (`corpus`, `queries` or `query`, `default` or `qrels`, `top_ranked`, `instruction`, `qrel_diff`; with a
    subset in front, as `de-corpus`), each with the wanted split or a single one. An optional table of the task's type
    is empty where there is no such config.

    Raises:
        DataError: the data set, revision, config or split does not exist, or the hub cannot be reached.
    """
    with _explained(task), retried_requests():
        config, kind = task.configs.get(subset, subset), KINDS[task.type]
        if table in (*kind.tables, *kind.optional_tables):
            named = _config(task, table, config)
            if named is None:
                return {}
            config = named
        return _table(task, config, split, single=table != split, columns=columns)


def configs(task: TaskSpec) -> list[str]:
    """The configs of the data set.

    Raises:
        DataError: the data set or revision does not exist, or the hub cannot be reached.
    """
    with _explained(task), retried_requests():
        return _configs(task)


def splits(task: TaskSpec, config: str, *, table: str = "") -> list[str]:
    """The splits of `config`, or of the config that holds this table of a searching task; see `read`."""
    with _explained(task), retried_requests():
        named = _config(task, table, config) if table else config
        return [] if named is None else list(_manifest(task, named).files)


def rows(task: TaskSpec, config: str, *, split: str) -> Table:
    """All columns of one split of a config.

    Raises:
        DataError: as for `read`.
    """
    with _explained(task), retried_requests():
        return _table(task, config, split, single=False, columns=None)


def _table(task: TaskSpec, config: str, split: str, *, single: bool, columns: Sequence[str] | None) -> Table:
    """A split of a config; with `single` also the only one that it has, under another name."""
    manifest = _manifest(task, config)
    name = _split(task, manifest, split, single=single)
    paths = [_fetched(task, file) for file in manifest.files[name]]
    file = table_cache.file_of(_folder(task), paths, read_as=[asdict(manifest), name])
    arrow = _LAST_WIDE.get(file) or table_cache.get(file)
    if arrow is None:
        arrow = _parsed(manifest, name, paths)
        table_cache.put(file, arrow)
    if columns is not None:
        _LAST_WIDE.clear()
        _LAST_WIDE[file] = arrow
    names = [name for name in arrow.column_names if columns is None or name in columns]
    return {column: arrow.column(column).to_pylist() for column in names}


_LAST_WIDE: dict[Path, pyarrow.Table] = {}
"""The last table of which some columns were read, since its other columns are read next."""


def _config(task: TaskSpec, table: str, subset: str) -> str | None:
    """The config that holds a table; None where there is none and the table is optional."""
    configs = _configs(task)
    prefix = "" if subset == "default" else f"{subset}-"
    names = {
        "corpus": [f"{prefix}corpus"],
        "queries": [f"{prefix}queries", "query"],
        "qrels": [f"{prefix}qrels"] if prefix else ["default", "qrels"],
        "candidates": [f"{prefix}top_ranked"],
        "instructions": [f"{prefix}instruction"],
        "changes": [f"{prefix}qrel_diff"],
    }[table]
    for name in names:
        if name in configs:
            return name
    if table in KINDS[task.type].optional_tables:
        return None
    raise DataError(f"{_source(task)} has no config {' or '.join(map(repr, names))}; found {', '.join(configs)}")


def _split(task: TaskSpec, manifest: Manifest, split: str, *, single: bool) -> str:
    if split in manifest.files:
        return split
    if single and len(manifest.files) == 1:
        return next(iter(manifest.files))
    raise DataError(f"{_source(task)}: no split {split!r}; found {', '.join(manifest.files)}")


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
    """The options of the reader that the data set's card sets to something else than their defaults."""
    defaults = type(builder.config)()
    no_options = {"name", "version", "data_dir", "data_files", "description", "features"}
    options = {key: value for key, value in vars(builder.config).items() if key not in no_options}
    changed = {key: value for key, value in options.items() if value != getattr(defaults, key, None)}
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
    """The JSON in `file`; where there is none, the answer of `ask`, which is written to `file`."""
    answer = kept.read_json(file)
    if answer is None:
        answer = ask()
        kept.write(file, json.dumps(answer, indent=1))
    return answer


@contextlib.contextmanager
def _explained(task: TaskSpec) -> Iterator[None]:
    """Raise the errors of the hub's client and of `datasets` as DataErrors that say what to do."""
    try:
        yield
    except DataError:
        raise
    except Exception as err:
        raise DataError(_explanation(_source(task), err), kind=_kind(err)) from err


def _kind(err: Exception) -> Kind:
    """The kind of the hub's failure where a file could not be downloaded, else `data`."""
    if isinstance(err, OSError) and not _is_a(err, "DatasetNotFoundError"):
        return kind_of_failure(err)
    return kind_of(err, otherwise="data")


def _is_a(err: Exception, name: str) -> bool:
    """Whether an error is of the class `name`. Compared by name, so that `datasets` need not be imported for it."""
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
        if type(err) is RuntimeError:  # `datasets` raises it for data sets with a script only
            message += "; a data set made by a script cannot be loaded safely: use its mirror or a Parquet conversion"
        return f"{source}: {message}"
    if isinstance(err, OSError):
        return _unreachable(source, err)
    if isinstance(err, StopIteration):  # the reader of JSON files raises it for an empty file
        return f"{source}: a file holds no rows; expected at least one"
    return f"{source}: cannot be loaded ({first_line(err)})"


def _source(task: TaskSpec) -> str:
    mirror = " (a mirror exists: --mirror)" if task.mirror else ""
    return f"{task.name}: data set {task.source.path}@{task.source.revision}{mirror}"


def _unreachable(source: str, err: BaseException) -> str:
    if is_offline():
        return f"{source}: not in the local cache, and --offline forbids asking the hub; run `harness prefetch` first"
    return f"{source}: the hub could not be asked ({failure_text(err, otherwise=first_line(err))}); try again"
