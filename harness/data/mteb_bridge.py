"""The data of mteb's tasks, as mteb itself loads and transforms it. Owns `mteb`, whose import takes seconds.

Everything that is known about a task without its data comes from `tasks.mteb_metadata` and needs no mteb.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data import hub_tables
from harness.errors import DataError, RecordError
from harness.evaluators import KINDS
from harness.hub.retries import retried_requests
from harness.tasks import mteb_metadata
from harness.tasks.mteb_metadata import MtebTask
from harness.types import Source, TaskSpec

if TYPE_CHECKING:
    from harness.evaluators.tables import Table


def read(task: TaskSpec, *, table: str, subset: str, split: str, columns: Sequence[str] | None = None) -> Table:
    """One table of an mteb task as columns, after mteb's own transformations.

    Args:
        task: with a source of kind `mteb`.
        table: a split; for a search problem one of its tables.
        subset: of the task.
        split: of a search problem.
        columns: to read no others; one that the table lacks is left out.

    Raises:
        DataError: the installed mteb has no such task, loads other data than the spec names, or lacks the split.
    """
    loaded = _loaded(task.name, subset, task.source)
    if table == "changes" and not hasattr(loaded, "qrels_diff"):
        return hub_tables.read(task, table=table, subset=subset, split=split)
    kind = KINDS[task.type]
    if table in (*kind.tables, *kind.optional_tables):
        return _search_table(loaded, table, subset=subset, split=split)
    by_split = loaded.dataset.get(subset, loaded.dataset)
    if table not in by_split:
        raise DataError(f"{task.name}: mteb loads no split {table!r}; found {', '.join(map(str, by_split))}")
    if columns is None:
        return _columns(by_split[table])
    wide = _arrow(by_split[table])
    return {name: wide.column(name).to_pylist() for name in wide.column_names if name in columns}


def find(name: str) -> MtebTask | None:
    """mteb's task `name`, from the committed file; None if mteb has no such task.

    If the file lacks it and the installed mteb is of another version than the file, mteb is imported and asked.
    """
    return mteb_metadata.get(name) or _beyond_the_file(name)


def citation(name: str) -> str:
    """The BibTeX entry of mteb's task `name`, from the installed mteb; empty if mteb has none."""
    from mteb.get_tasks import _TASKS_REGISTRY

    kind = _TASKS_REGISTRY.get(name)
    return str(kind.metadata.bibtex_citation or "") if kind is not None else ""


def check_results(paths: Iterable[Path]) -> None:
    """Read result files with mteb's own loader.

    Raises:
        RecordError: mteb refuses one of them; the message names it.
    """
    from mteb.results.task_result import TaskResult

    for path in paths:
        try:
            TaskResult.from_disk(path)
        except Exception as err:
            raise RecordError(f"{path}: mteb does not read it: {err}") from err


def _beyond_the_file(name: str) -> MtebTask | None:
    try:
        if metadata.version("mteb") == mteb_metadata.version():
            return None
    except metadata.PackageNotFoundError:
        return None
    from mteb.get_tasks import _TASKS_REGISTRY

    from harness.data import mteb_metadata_file

    kind = _TASKS_REGISTRY.get(name)
    return mteb_metadata.task_of(mteb_metadata_file.row(kind)) if kind is not None else None


@functools.lru_cache(maxsize=2)
@retried_requests()
def _loaded(name: str, subset: str, source: Source) -> Any:
    """mteb's task, restricted to one subset, with its data; cached because the other splits are read next."""
    import mteb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            task: Any = mteb.get_task(name, hf_subsets=None if subset == "default" else [subset])
        except KeyError as err:
            raise DataError(f"{name}: the installed mteb {metadata.version('mteb')} has no task of this name") from err
        _check_source(task, source)
        task.load_data()
        if hasattr(task, "convert_v1_dataset_format_to_v2"):
            task.convert_v1_dataset_format_to_v2(num_proc=None)
    return task


def _check_source(task: Any, source: Source) -> None:
    """Raise DataError if mteb would load other data than the spec, and so the record, names."""
    path, revision = task.metadata.dataset["path"], task.metadata.dataset["revision"]
    if (path, revision) != (source.path, source.revision):
        raise DataError(
            f"{task.metadata.name}: the installed mteb {metadata.version('mteb')} loads {path} at {revision}, and the "
            f"spec names {source.path} at {source.revision}; install mteb=={mteb_metadata.version()}, "
            "or change the spec to what is installed"
        )


def _search_table(loaded: Any, table: str, *, subset: str, split: str) -> Table:
    """A table of a search problem in BEIR's columns; empty where mteb's task has none of this kind."""
    part = loaded.dataset[subset][split]
    if table == "qrels":
        rows = [(query, doc, score) for query, docs in part["relevant_docs"].items() for doc, score in docs.items()]
        return {
            "query-id": [row[0] for row in rows],
            "corpus-id": [row[1] for row in rows],
            "score": [row[2] for row in rows],
        }
    if table == "candidates":
        return _lists(part["top_ranked"]) if part["top_ranked"] is not None else {}
    if table == "changes":  # the others read them when they score
        return _lists(loaded.qrels_diff[subset][split])
    if table == "instructions":  # mteb has joined them with the queries, as a column
        return {}
    return _columns(part[table])


def _lists(by_query: Mapping[str, Any]) -> Table:
    return {"query-id": list(by_query), "corpus-ids": [list(documents) for documents in by_query.values()]}


@functools.lru_cache(maxsize=1)
def _arrow(dataset: Any) -> Any:
    """A `Dataset` as an Arrow table, kept because other columns of it are read next.

    For each column that is asked of it, `Dataset` copies the types of all, which takes longer than scoring a pair of
    languages.
    """
    return dataset.with_format("arrow")[:]


def _columns(dataset: Any) -> Table:
    """The columns of a Dataset, of a dict, or of a list with one dict, as some of mteb's transformations leave it."""
    if isinstance(dataset, list) and len(dataset) == 1 and isinstance(dataset[0], Mapping):
        dataset = dataset[0]
    names = dataset if isinstance(dataset, Mapping) else dataset.column_names
    return {name: list(dataset[name]) for name in names}
