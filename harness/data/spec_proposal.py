"""Proposing a task for the columns of private data: columns -> TaskSpec, with the reasons (pure).

The caller's type and columns come first. The rest is guessed, and only where a single reading of the columns fits. Each
decision is returned with its reason, because the caller has to agree to it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from harness.data.column_contents import Column, described
from harness.errors import DataError, UnknownName
from harness.evaluators import KINDS, tables
from harness.evaluators.tables import NUMBER, Table
from harness.evaluators.task_kind import Fit
from harness.types import Source, TaskSpec

SPLITS = ("train", "validation", "valid", "val", "dev", "test")
"""The names of files that are taken for splits."""

EXPECTED = (
    "two columns of texts and one of numbers (STS; PairClassification where they are 0 and 1), "
    "one of texts and one of labels (Clustering; Classification in a folder with train and test), "
    "or a folder with corpus, queries and qrels (Retrieval)"
)
_SIDES = (
    ("sentence1", "sentence2"), ("text1", "text2"), ("left", "right"), ("a", "b"), ("s1", "s2"),
    ("sentence_a", "sentence_b"), ("premise", "hypothesis"), ("query", "answer"), ("source", "target"),
)  # fmt: skip
_PAIRS = {"left": "", "right": "", "gold": ""}
_LABELLED = {"text": "", "label": ""}
_GOLD = ("score", "similarity", "similarity_score", "gold", "grade", "rating", "label", "labels")
_TEXT = ("text", "sentence", "sentences", "content", "body", "document")
_LABEL = ("label", "labels", "category", "class", "topic", "intent")
_LONGEST_NAME = 60


class SpecRequest(NamedTuple):
    """What the caller has decided.

    Attributes:
        name: of the task.
        data: the file or folder, for messages.
        path: of the data, relative to the folder of `file`.
        file: the task file to be written.
        type: of the task; None to guess it.
        columns: field of the gold -> column; a field that is absent is guessed.
    """

    name: str
    data: str
    path: str
    file: str
    type: str | None = None
    languages: tuple[str, ...] = ("eng-Latn",)
    columns: Mapping[str, str] = {}


class Proposal(NamedTuple):
    """A task, and the decisions behind it: (what was decided, decision and reason)."""

    task: TaskSpec
    reasons: tuple[tuple[str, str], ...]


def name_from(stem: str) -> str:
    """A task's name, made from a file's: `my-sts` -> `MySts`; empty if the file's name has no letter or digit."""
    parts = re.findall(r"[A-Za-z0-9]+", stem)
    return "".join(part[0].upper() + part[1:] for part in parts)[:100]


def propose(by_split: Mapping[str, Table], request: SpecRequest) -> Proposal:
    """Propose a task for tables, split -> table.

    Raises:
        DataError: no reading of the columns fits, or more than one; the message lists columns and what is expected.
        UnknownName: a column of the request does not exist.
    """
    first = next(iter(by_split.values()))
    for name in first:
        if NUMBER.fullmatch(name) or len(name) > _LONGEST_NAME:
            raise DataError(f"{request.data}: a column called {name!r}; expected the columns' names in the first line")
    shared = [name for name in first if all(name in table for table in by_split.values())]
    joined = {name: [value for table in by_split.values() for value in table[name]] for name in shared}
    contents = described(joined)
    trainable = "train" in by_split and len(by_split) > 1
    type_, columns = _Reader(contents, request, joined).read(trainable=trainable)
    splits = tuple(split for split in by_split if split != "train" or len(by_split) == 1)
    kind, values = KINDS[type_], {field: joined[column] for field, column in columns.items()}
    fit = kind.fit(values, max(tables.length(by_split[split]) for split in splits)) if kind.fit else None
    why = "as requested" if request.type else kind.recognizes(values, trainable)
    named = ", ".join(f"{field}={column}" for field, column in columns.items())
    reasons = [("type", f"{type_}: {why}"), ("columns", named)]
    unused = [str(column) for column in contents if column.name not in columns.values()]
    reasons += [("not used", "; ".join(unused))] if unused else []
    train = f"; train is {'what is learnt from' if kind.training else 'left out'}" if trainable else ""
    reasons += [("splits", ", ".join(splits) + train)]
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


class _Reader:
    """Finds the type of a task and its columns, among the columns of a table."""

    def __init__(self, contents: Sequence[Column], request: SpecRequest, table: Table) -> None:
        self.contents, self.request, self.table = contents, request, table
        for name in request.columns.values():
            if name not in table:
                raise UnknownName.of(f"column of {request.data}", name, table)
        self.free = [column for column in contents if column.name not in request.columns.values()]

    def read(self, *, trainable: bool) -> tuple[str, dict[str, str]]:
        """Type, and field -> column."""
        type_ = self.request.type
        kind = KINDS[type_] if type_ else None
        if kind and kind.tables:
            raise self.refused(f"{type_} needs a folder with corpus, queries and qrels")
        self.check_fields(*([type_] if type_ else KINDS))
        if kind and kind.training and not trainable:
            raise self.refused(f"{type_} needs a folder with train and test")
        if kind is None and not self.request.columns and not (self.seems_pairs() or self.seems_labelled()):
            raise self.refused("its columns fit no task, or more than one")
        columns = self.columns(kind.columns if kind else _PAIRS if self.seems_pairs() else _LABELLED)
        values = {field: self.table[column] for field, column in columns.items()}
        type_ = type_ or next(
            name
            for name, guess in KINDS.items()
            if guess.columns.keys() == columns.keys() and guess.recognizes(values, trainable)
        )
        self.check_fields(type_)
        for name in columns.values():
            if name != name.strip() or not name.isprintable() or not name:
                raise self.refused(f"the column {name!r} needs a printable name without spaces around it")
        return type_, columns

    def columns(self, usual: Mapping[str, str]) -> dict[str, str]:
        """Field -> column; `usual` are the columns of the type, for fields that are neither requested nor guessed."""
        if {"left", "right"} <= usual.keys():
            return self.pairs(scored="gold" in usual)
        if {"text", "label"} <= usual.keys():
            return self.labelled()
        columns = {field: self.request.columns.get(field, column) for field, column in usual.items()}
        missing = [field for field, column in columns.items() if column not in self.table]
        if missing:
            raise self.refused(f"no column for {', '.join(missing)}; say which with --columns {missing[0]}=...")
        return columns

    def check_fields(self, *types: str) -> None:
        fields = list(dict.fromkeys(field for type_ in types for field in KINDS[type_].columns))
        for field in self.request.columns:
            if field not in fields:
                raise UnknownName.of(f"field of {' or '.join(types)}", field, fields)

    def seems_pairs(self) -> bool:
        if self.request.columns:
            return bool({"left", "right", "gold"} & self.request.columns.keys())
        named = {column.name.lower() for column in self.free}
        # columns such as `title`, `text` and `label` are no pairs
        labelled = bool(named & {*_TEXT}) and bool(named & {*_LABEL})
        return len(self.of("text")) >= 2 and bool(self.of("integer", "number")) and not labelled

    def seems_labelled(self) -> bool:
        return bool(self.of("text")) and bool(self.labels())

    def labels(self) -> list[str]:
        return [column.name for column in self.free if column.could_label]

    def pairs(self, *, scored: bool) -> dict[str, str]:
        given = dict(self.request.columns)
        columns: dict[str, str] = {field: given[field] for field in ("left", "right") if field in given}
        if len(columns) < 2:
            free = self.texts(2 - len(columns))
            usual = [pair for pair in _SIDES if {*pair} <= {name.lower() for name in free}]
            if len(free) > 2 - len(columns) and len(usual) == 1 and not columns:
                free = [name for side in usual[0] for name in free if name.lower() == side]
            if len(free) != 2 - len(columns):
                raise self.refused(f"{len(free)} columns could be the texts to compare, where two are expected")
            columns |= dict(zip((field for field in ("left", "right") if field not in columns), free))
        if scored:
            numbers = [name for name in self.of("integer", "number") if name not in columns.values()]
            columns["gold"] = given.get("gold") or self.picked(numbers, _GOLD, "scores of the pairs")
        return {field: columns[field] for field in ("left", "right", "gold") if field in columns}

    def labelled(self) -> dict[str, str]:
        given = dict(self.request.columns)
        text = given.get("text") or self.picked(self.texts(1), _TEXT, "texts")
        labels = self.labels()
        if self.request.type and not labels:
            labels = self.of("text", "id", "integer")
        labels = [name for name in labels if name != text]
        return {"text": text, "label": given.get("label") or self.picked(labels, _LABEL, "labels")}

    def of(self, *kinds: str) -> list[str]:
        return [column.name for column in self.free if column.kind in kinds]

    def texts(self, needed: int) -> list[str]:
        """Columns of texts; if these are too few for the requested type, those of labels and ids too."""
        texts = self.of("text")
        return texts if len(texts) >= needed or not self.request.type else self.of("text", "label", "id")

    def picked(self, names: Sequence[str], preferred: Sequence[str], what: str) -> str:
        usual = [name for wish in preferred for name in names if name.lower() == wish]
        if len(names) == 1 or usual:
            return usual[0] if usual else names[0]
        raise self.refused(f"{len(names) or 'no'} columns could be the {what}, where one is expected")

    def refused(self, why: str) -> DataError:
        shown = "; ".join(map(str, self.contents))
        return DataError(
            f"{self.request.data}: {why}. Found {shown}. Expected {EXPECTED}. To say which is which: --type STS "
            "--columns left=...,right=...,gold=..., or --columns text=...,label=..."
        )


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
    data = re.split(r"[/\\]", request.data.rstrip("/\\"))[-1]
    task = TaskSpec(
        name=request.name,
        type=type_,
        description=f"{kind.description}, from {data}.",
        source=Source(kind="local", path=request.path),
        splits=splits,
        subsets={"default": request.languages},
        columns=columns,
        main_metric=fit.main_metric or kind.main_metric,
        settings=fit.settings,
        file=request.file,
    )
    metric = f"{task.main_metric}: {fit.why_metric}" if fit.why_metric else task.main_metric
    why = [("settings", fit.why)] if fit.why else []
    return Proposal(task, (*reasons, *why, ("main metric", metric)))
