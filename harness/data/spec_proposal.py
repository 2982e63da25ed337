"""Proposing a task for the columns of private data: columns -> TaskSpec, with the reasons (pure).

The caller's type and columns come first. The rest is guessed, and only where a single reading of the columns fits. Each
decision is returned with its reason, because the caller has to agree to it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from harness.data import header_check
from harness.data.column_contents import described
from harness.data.field_reader import FieldReader, SpecRequest
from harness.errors import DataError
from harness.evaluators import KINDS, tables
from harness.evaluators.tables import Table
from harness.evaluators.task_kind import Fit
from harness.types import TaskSpec

SPLITS = ("train", "validation", "valid", "val", "dev", "test")
"""The names of files that are taken for splits."""


class Proposal(NamedTuple):
    """A task, and the decisions behind it: (what was decided, decision and reason)."""

    task: TaskSpec
    reasons: tuple[tuple[str, str], ...]


def name_from(stem: str) -> str:
    """A task's name, made from a file's: `my-sts` -> `MySts`; empty if the file's name has no letter or digit."""
    parts = re.findall(r"[A-Za-z0-9]+", stem)
    return "".join(part[0].upper() + part[1:] for part in parts)[:100]


def propose(by_split: Mapping[str, Table], request: SpecRequest, *, to_split: bool = False) -> Proposal:
    """Propose a task for tables, split -> table.

    Args:
        by_split: the tables.
        request: the caller's decisions.
        to_split: whether some of the rows will become training data.

    Raises:
        DataError: no reading of the columns fits, or more than one; the message lists columns and what is expected.
        UnknownName: a column of the request does not exist.
    """
    first = next(iter(by_split.values()))
    for table in by_split.values():
        header_check.check(table, data=request.data, named=request.columns.values())
    shared = [name for name in first if all(name in table for table in by_split.values())]
    joined = {name: [value for table in by_split.values() for value in table[name]] for name in shared}
    contents = described(joined)
    trainable = to_split or ("train" in by_split and len(by_split) > 1)
    type_, columns = FieldReader(contents, request, joined, trainable=trainable).read()
    splits = tuple(split for split in by_split if split != "train" or len(by_split) == 1)
    for field in ("gold", "value"):
        for table in by_split.values() if field in columns else ():
            tables.numbers(table, columns[field], where=request.name)
    kind, values = KINDS[type_], {field: joined[column] for field, column in columns.items()}
    fit = kind.fit(values, max(tables.length(by_split[split]) for split in splits)) if kind.fit else None
    why = "as requested" if request.type else kind.recognizes(values, trainable)
    named = ", ".join(f"{field}={column}" for field, column in columns.items())
    reasons = [("type", f"{type_}: {why}"), ("columns", named)]
    unused = [str(column) for column in contents if column.name not in columns.values()]
    reasons += [("not used", "; ".join(unused))] if unused else []
    train = f"; train is {'what is learnt from' if kind.training else 'left out'}" if trainable else ""
    reasons += [("splits", ", ".join(splits) + train)]
    reasons += [("note", note) for note in header_check.note(first, columns.values(), named=request.columns.values())]
    return _proposal(type_, request, splits=splits, columns=columns, fit=fit, reasons=reasons)


def propose_search(splits: Sequence[str], request: SpecRequest, *, more: Collection[str], greatest: int) -> Proposal:
    """Propose a task for a corpus, queries and judgements.

    Args:
        splits: those with judgements.
        request: the caller's decisions.
        more: the tables that are there beside corpus, queries and qrels.
        greatest: the greatest relevance in the judgements.

    Raises:
        DataError: the request has another type, or columns.
    """
    present = {"corpus", "queries", "qrels", *more}
    fitting = [name for name, kind in KINDS.items() if kind.tables and present.issuperset(kind.tables)]
    type_ = max(fitting, key=lambda name: len(KINDS[name].tables))
    kind = KINDS[type_]
    if request.type not in (None, type_) or request.columns:
        what = f"--type {request.type}" if request.type not in (None, type_) else "--columns"
        raise DataError(f"{request.data}: holds a corpus, queries and qrels, which make a {type_}; leave out {what}")
    fit = kind.fit({"relevance": [greatest], "tables": sorted(present)}, 0) if kind.fit else None
    reasons = [("type", f"{type_}: {kind.recognizes({}, False)}"), ("splits", ", ".join(splits))]
    return _proposal(type_, request, splits=tuple(splits), columns={}, fit=fit, reasons=reasons)


def _proposal(
    type_: str,
    request: SpecRequest,
    *,
    splits: tuple[str, ...],
    columns: dict[str, str],
    fit: Fit | None,
    reasons: Collection[tuple[str, str]],
) -> Proposal:
    kind = KINDS[type_]
    fit = fit or Fit(kind.settings())
    task = TaskSpec(
        name=request.name,
        type=type_,
        description=f"{kind.description}, from {request.origin}.",
        source=request.source,
        splits=splits,
        subsets={"default": request.languages},
        columns=columns,
        configs=request.configs,
        main_metric=fit.main_metric or kind.main_metric,
        settings=fit.settings,
        file=request.file,
    )
    metric = f"{task.main_metric}: {fit.why_metric}" if fit.why_metric else task.main_metric
    why = [("settings", fit.why)] if fit.why else []
    return Proposal(task, (*reasons, *why, ("main metric", metric)))
