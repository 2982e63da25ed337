"""Tables of public data sets at a pinned revision. Owns `datasets`."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.data.columns import Table
from harness.errors import DataError
from harness.types import TaskSpec

_SEARCH_TABLES = ("corpus", "queries", "qrels")


def read(task: TaskSpec, *, table: str, subset: str, split: str) -> Table:
    """One table of a hub data set as columns.

    For retrieval tasks `table` is corpus, queries or qrels, which are configs of the repository (`corpus`, `queries` or
    `query`, `default` or `qrels`; with a subset in front, as `de-corpus`), each with the wanted split or a single one.

    A commit never changes, so what the client's cache holds of it is read without asking the hub.

    Raises:
        DataError: the data set, revision, config or split does not exist, or the hub cannot be reached.
    """
    import datasets

    datasets.disable_progress_bars()
    with _explained(task):
        dataset = _cached(task, table, subset, split)
        if dataset is None:
            if datasets.config.HF_HUB_OFFLINE:
                raise DataError(f"{_source(task)}: not in the local cache, and --offline forbids asking the hub")
            dataset = _downloaded(task, table, subset, split)
    return {name: dataset.data.column(name).to_pylist() for name in dataset.column_names}


def _config_names(table: str, subset: str) -> list[str]:
    """What the config may be called, the likeliest first."""
    if table not in _SEARCH_TABLES:
        return [subset]
    prefix = "" if subset == "default" else f"{subset}-"
    return {
        "corpus": [f"{prefix}corpus"],
        "queries": [f"{prefix}queries", "query"],
        "qrels": [f"{prefix}qrels"] if prefix else ["default", "qrels"],
    }[table]


def _cached(task: TaskSpec, table: str, subset: str, split: str) -> Any:
    """The table as an earlier load has prepared it, at the task's revision and no other; None where there is none.

    The client has its own way back to its cache, but takes the latest revision that it finds there.
    """
    from datasets.packaged_modules.cache.cache import Cache

    revision, path = task.source.revision, task.source.path
    for name in _config_names(table, subset):
        known = {"repo_id": path, "dataset_name": path.rpartition("/")[2], "config_name": name, "hash": revision}
        versions = Path(Cache(**known, version="0.0.0").cache_dir).parent.parent
        for folder in sorted(versions.glob(f"*/{revision}")):
            builder = Cache(**known, version=folder.parent.name)
            if table in _SEARCH_TABLES:
                split = _fitting(split, tuple(builder.info.splits or ()))
            return builder.as_dataset(split=split)
    return None


def _downloaded(task: TaskSpec, table: str, subset: str, split: str) -> Any:
    import datasets

    path, revision = task.source.path, task.source.revision
    config = None if subset == "default" else subset
    if table in _SEARCH_TABLES:
        config = _config(task, _config_names(table, subset))
        split = _fitting(split, _splits(path, config, revision))
    dataset = datasets.load_dataset(path, config, split=split, revision=revision)
    if any(Path(file["filename"]).parent.name != revision for file in dataset.cache_files):
        raise DataError(
            f"{_source(task)}: the hub did not give it (gone, private, or not reachable), and the local cache holds "
            "other revisions only; set HF_TOKEN to a token with access, or try again"
        )
    return dataset


def _config(task: TaskSpec, names: Sequence[str]) -> str:
    known = _configs(task.source.path, task.source.revision)
    for name in names:
        if name in known:
            return name
    raise DataError(
        f"{task.name}: {task.source.path} has no config {' or '.join(map(repr, names))}; found {', '.join(known)}"
    )


def _fitting(wanted: str, known: Sequence[str]) -> str:
    return wanted if wanted in known or len(known) != 1 else known[0]


@functools.lru_cache(maxsize=256)
def _configs(path: str, revision: str | None) -> tuple[str, ...]:
    import datasets

    return tuple(datasets.get_dataset_config_names(path, revision=revision))


@functools.lru_cache(maxsize=1024)
def _splits(path: str, config: str, revision: str | None) -> tuple[str, ...]:
    import datasets

    return tuple(str(name) for name in datasets.get_dataset_split_names(path, config, revision=revision))


def _source(task: TaskSpec) -> str:
    return f"{task.name}: data set {task.source.path}@{task.source.revision}"


@contextlib.contextmanager
def _explained(task: TaskSpec) -> Iterator[None]:
    """The many errors of the client as one that says what to do."""
    import datasets

    source = _source(task)
    try:
        yield
    except DataError:
        raise
    except datasets.exceptions.DatasetNotFoundError as err:
        raise DataError(
            f"{source}: no such data set or revision, or it is private or gated and no token with access is set "
            "(HF_TOKEN)"
        ) from err
    except datasets.exceptions.DatasetGenerationError as err:
        cause = err.__cause__ or err
        raise DataError(f"{source}: cannot be read ({_said(cause)})") from err
    except (ValueError, RuntimeError) as err:
        raise DataError(f"{source}: {_said(err).removeprefix(f'{type(err).__name__}: ')}") from err
    except OSError as err:
        raise DataError(f"{source}: the hub could not be asked ({_said(err)})") from err
    except StopIteration as err:  # what the reader of JSON files says to a file without a line
        raise DataError(f"{source}: a file holds no rows; expected at least one") from err
    except Exception as err:  # transport errors, whose classes change with the client's version
        raise DataError(f"{source}: cannot be loaded ({_said(err)})") from err


def _said(err: BaseException) -> str:
    lines = str(err).splitlines()
    return f"{type(err).__name__}: {lines[0][:200]}" if lines else type(err).__name__
