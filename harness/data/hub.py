"""Tables of public data sets at a pinned revision. Owns `datasets`."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from harness.data.columns import Table
from harness.errors import DataError
from harness.types import TaskSpec


def read(task: TaskSpec, *, table: str, subset: str, split: str) -> Table:
    """One table of a hub data set as columns.

    For retrieval tasks `table` is corpus, queries or qrels, which are configs of the repository (`corpus`, `queries` or
    `query`, `default` or `qrels`; with a subset in front, as `de-corpus`), each with the wanted split or a single one.

    Raises:
        DataError: the data set, revision, config or split does not exist, or the hub cannot be reached.
    """
    import datasets

    with _explained(task):
        config: str | None = None if subset == "default" else subset
        if table in ("corpus", "queries", "qrels"):
            config = _config(task, table, subset)
            split = _split(task, config, split)
        dataset = datasets.load_dataset(
            task.source.path, config, split=split, revision=task.source.revision, **_quiet()
        )
    return {name: dataset.data.column(name).to_pylist() for name in dataset.column_names}


def _config(task: TaskSpec, table: str, subset: str) -> str:
    known = _configs(task.source.path, task.source.revision)
    prefix = "" if subset == "default" else f"{subset}-"
    names = {
        "corpus": [f"{prefix}corpus"],
        "queries": [f"{prefix}queries", "query"],
        "qrels": [f"{prefix}qrels"] if prefix else ["default", "qrels"],
    }[table]
    for name in names:
        if name in known:
            return name
    raise DataError(
        f"{task.name}: {task.source.path} has no config {' or '.join(map(repr, names))}; found {', '.join(known)}"
    )


def _split(task: TaskSpec, config: str, wanted: str) -> str:
    known = _splits(task.source.path, config, task.source.revision)
    if wanted in known or len(known) != 1:
        return wanted
    return known[0]


@functools.lru_cache(maxsize=256)
def _configs(path: str, revision: str | None) -> tuple[str, ...]:
    import datasets

    return tuple(datasets.get_dataset_config_names(path, revision=revision))


@functools.lru_cache(maxsize=1024)
def _splits(path: str, config: str, revision: str | None) -> tuple[str, ...]:
    import datasets

    return tuple(str(name) for name in datasets.get_dataset_split_names(path, config, revision=revision))


def _quiet() -> dict[str, Any]:
    import datasets

    datasets.disable_progress_bars()
    return {}


@contextlib.contextmanager
def _explained(task: TaskSpec) -> Iterator[None]:
    """The many errors of the client as one that says what to do."""
    import datasets

    source = f"{task.name}: data set {task.source.path}@{task.source.revision}"
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
        raise DataError(f"{source}: cannot be read ({type(cause).__name__}: {str(cause).splitlines()[0]})") from err
    except (ValueError, RuntimeError) as err:
        message = str(err).splitlines()[0] if str(err) else type(err).__name__
        raise DataError(f"{source}: {message}") from err
    except (OSError, TimeoutError) as err:
        raise DataError(
            f"{source}: the hub could not be asked ({type(err).__name__}: {str(err).splitlines()[0][:200]})"
        ) from err
