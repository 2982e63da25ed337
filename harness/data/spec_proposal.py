"""What private data could be a task of: columns -> TaskSpec, with the reasons (pure).

A guess is made only where one reading of the columns stands out; the caller's type and columns come first. What it
decided, and why, is part of the answer, because the person who asked has to agree.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from harness.data.column_contents import Column, described
from harness.data.tables import NUMBER, Table
from harness.errors import DataError, UnknownName
from harness.tasks.settings import SETTINGS
from harness.tasks.task_file import COLUMNS
from harness.types import ClusteringSettings, Settings, Source, STSSettings, TaskSpec, TaskType

MAIN_METRIC: dict[TaskType, str] = {
    "STS": "cosine_spearman",
    "PairClassification": "max_ap",
    "Classification": "accuracy",
    "Clustering": "v_measure",
    "Retrieval": "ndcg_at_10",
    "Reranking": "map_at_1000",
    "BitextMining": "f1",
}
SPLITS = ("train", "validation", "valid", "val", "dev", "test")
"""What a file of a folder may be called to be taken for a split."""

EXPECTED = (
    "two columns of texts and one of numbers (STS; PairClassification where they are 0 and 1), "
    "one of texts and one of labels (Clustering; Classification in a folder with train and test), "
    "or a folder with corpus, queries and qrels (Retrieval)"
)
_SIDES = (
    ("sentence1", "sentence2"), ("text1", "text2"), ("left", "right"), ("a", "b"), ("s1", "s2"),
    ("sentence_a", "sentence_b"), ("premise", "hypothesis"), ("query", "answer"), ("source", "target"),
)  # fmt: skip
_GOLD = ("score", "similarity", "similarity_score", "gold", "grade", "rating", "label", "labels")
_TEXT = ("text", "sentence", "sentences", "content", "body", "document")
_LABEL = ("label", "labels", "category", "class", "topic", "intent")
_LONGEST_NAME = 60
_MOST_TO_CLUSTER = 16_384


class SpecRequest(NamedTuple):
    """What the caller has decided.

    Attributes:
        name: the task's.
        data: the file or folder, for messages.
        path: where the data lies, seen from the folder of `file`.
        file: the spec to be.
        type: None to guess it.
        columns: field of the gold value -> column; what is absent is guessed.
    """

    name: str
    data: str
    path: str
    file: str
    type: TaskType | None = None
    languages: tuple[str, ...] = ("eng-Latn",)
    columns: Mapping[str, str] = {}


class Proposal(NamedTuple):
    """A task, and what was decided about it: (what, decision and reason)."""

    task: TaskSpec
    reasons: tuple[tuple[str, str], ...]


def name_from(stem: str) -> str:
    """A task's name from a file's: `my-sts` -> `MySts`; empty if nothing of it is safe in a name."""
    parts = re.findall(r"[A-Za-z0-9]+", stem)
    return "".join(part[0].upper() + part[1:] for part in parts)[:100]


def propose(tables: Mapping[str, Table], request: SpecRequest) -> Proposal:
    """The task that one table or the tables of a folder, split -> table, make.

    Raises:
        DataError: no reading, or more than one, fits the columns; the message lists them and what is expected.
        UnknownName: a column that was asked for does not exist.
    """
    for name in next(iter(tables.values())):
        if NUMBER.fullmatch(name) or len(name) > _LONGEST_NAME:
            raise DataError(f"{request.data}: a column called {name!r}; expected the columns' names in the first line")
    shared = [name for name in next(iter(tables.values())) if all(name in table for table in tables.values())]
    joined = {name: [value for table in tables.values() for value in table[name]] for name in shared}
    found = described(joined)
    trainable = "train" in tables and len(tables) > 1
    type_, columns = _Reader(found, request, joined).read(trainable=trainable)
    splits = tuple(split for split in tables if split != "train" or len(tables) == 1)
    settings, why = _settings(type_, joined[columns["gold"]] if "gold" in columns else [], tables, splits)
    reasons = [
        ("type", f"{type_}: {_why(type_, trainable)}" if request.type is None else f"{type_}: as requested"),
        ("columns", ", ".join(f"{field}={column}" for field, column in columns.items())),
    ]
    unused = [str(column) for column in found if column.name not in columns.values()]
    reasons += [("not used", "; ".join(unused))] if unused else []
    train = f"; train is {'what is learnt from' if type_ == 'Classification' else 'left out'}" if trainable else ""
    reasons += [("splits", ", ".join(splits) + train)]
    reasons += [("settings", why)] if why else []
    task = _task(type_, request, splits=splits, columns=columns, settings=settings)
    return Proposal(task, (*reasons, ("main metric", task.main_metric)))


def propose_search(splits: Sequence[str], request: SpecRequest, *, candidates: bool, greatest: int) -> Proposal:
    """The task that a corpus, queries and judgements make.

    Args:
        splits: what there are judgements for.
        request: the caller's decisions.
        candidates: whether there are documents to rank for each query.
        greatest: the greatest relevance in the judgements.

    Raises:
        DataError: the caller wants a type that this cannot be.
    """
    type_: TaskType = "Reranking" if candidates else "Retrieval"
    if request.type not in (None, type_) or request.columns:
        what = f"--type {request.type}" if request.type not in (None, type_) else "--columns"
        raise DataError(f"{request.data}: holds a corpus, queries and qrels, which make a {type_}; leave out {what}")
    task = _task(type_, request, splits=tuple(splits), columns={}, settings=SETTINGS[type_]())
    metric = MAIN_METRIC[type_]
    if candidates and greatest > 1:
        task, metric = replace(task, main_metric="ndcg_at_10"), "ndcg_at_10: the judgements are graded"
    why = "corpus, queries and qrels" + (", with candidates to rank for each query" if candidates else "")
    return Proposal(task, (("type", f"{type_}: {why}"), ("splits", ", ".join(splits)), ("main metric", metric)))


class _Reader:
    """One attempt to read columns as a task."""

    def __init__(self, found: Sequence[Column], request: SpecRequest, table: Table) -> None:
        self.found, self.request, self.table = found, request, table
        for name in request.columns.values():
            if name not in table:
                raise UnknownName.of(f"column of {request.data}", name, table)
        self.free = [column for column in found if column.name not in request.columns.values()]

    def read(self, *, trainable: bool) -> tuple[TaskType, dict[str, str]]:
        """Type, and field -> column."""
        type_ = self.request.type
        if type_ in ("Retrieval", "Reranking"):
            raise self.refused(f"{type_} needs a folder with corpus, queries and qrels")
        self.check_fields(*([type_] if type_ else COLUMNS))
        if type_ == "Classification" and not trainable:
            raise self.refused("Classification needs a folder with train and test")
        if type_ is None and not self.request.columns and not (self.seems_pairs() or self.seems_labelled()):
            raise self.refused("its columns fit no task, or more than one")
        as_pairs = type_ in ("STS", "PairClassification", "BitextMining") if type_ else self.seems_pairs()
        columns = self.pairs(scored=type_ != "BitextMining") if as_pairs else self.labelled()
        if type_ is None and as_pairs:
            type_ = "PairClassification" if set(self.table[columns["gold"]]) <= {0, 1} else "STS"
        type_ = type_ or ("Classification" if trainable else "Clustering")
        self.check_fields(type_)
        for name in columns.values():
            if name != name.strip() or not name.isprintable() or not name:
                raise self.refused(f"the column {name!r} needs a printable name without spaces around it")
        return type_, columns

    def check_fields(self, *types: TaskType) -> None:
        fields = list(dict.fromkeys(field for type_ in types for field in COLUMNS[type_]))
        for field in self.request.columns:
            if field not in fields:
                raise UnknownName.of(f"field of {' or '.join(types)}", field, fields)

    def seems_pairs(self) -> bool:
        if self.request.columns:
            return bool({"left", "right", "gold"} & self.request.columns.keys())
        named = {column.name.lower() for column in self.free}
        called_so = bool(named & {*_TEXT}) and bool(named & {*_LABEL})  # as `title`, `text` and `label` are
        return len(self.of("text")) >= 2 and bool(self.of("integer", "number")) and not called_so

    def seems_labelled(self) -> bool:
        return bool(self.of("text")) and bool(self.labels())

    def labels(self) -> list[str]:
        return [column.name for column in self.free if column.could_label]

    def pairs(self, *, scored: bool) -> dict[str, str]:
        given = dict(self.request.columns)
        columns: dict[str, str] = {field: given[field] for field in ("left", "right") if field in given}
        if len(columns) < 2:
            free = self.texts(2 - len(columns))
            known = [pair for pair in _SIDES if {*pair} <= {name.lower() for name in free}]
            if len(free) > 2 - len(columns) and len(known) == 1 and not columns:
                free = [name for side in known[0] for name in free if name.lower() == side]
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
        """Columns of texts; short ones that come back, or that look like ids, if the caller knows better."""
        found = self.of("text")
        return found if len(found) >= needed or not self.request.type else self.of("text", "label", "id")

    def picked(self, names: Sequence[str], preferred: Sequence[str], what: str) -> str:
        known = [name for wish in preferred for name in names if name.lower() == wish]
        if len(names) == 1 or known:
            return known[0] if known else names[0]
        raise self.refused(f"{len(names) or 'no'} columns could be the {what}, where one is expected")

    def refused(self, why: str) -> DataError:
        shown = "; ".join(map(str, self.found))
        return DataError(
            f"{self.request.data}: {why}. Found {shown}. Expected {EXPECTED}. To say which is which: --type STS "
            "--columns left=...,right=...,gold=..., or --columns text=...,label=..."
        )


def _why(type_: TaskType, trainable: bool) -> str:
    if type_ == "STS":
        return "two columns of texts and one of numbers"
    if type_ == "PairClassification":
        return "two columns of texts and one of numbers that are only 0 and 1"
    return f"a column of texts and one of labels, {'with' if trainable else 'without'} training data"


def _settings(
    type_: TaskType, gold: Sequence[float], tables: Mapping[str, Table], splits: Collection[str]
) -> tuple[Settings, str]:
    """Settings that fit the data, and why."""
    if type_ == "STS" and gold:
        least, most = min(gold), max(gold)
        low, high = math.floor(least), math.ceil(most)
        if low < high:
            why = f"scores from {least:g} to {most:g}, so the range is {low} to {high} (which moves no correlation)"
            return STSSettings(min_score=low, max_score=high), why
    if type_ == "Clustering":
        rows = max(_length(tables[split]) for split in splits)
        limit = None if rows <= _MOST_TO_CLUSTER else _MOST_TO_CLUSTER
        settings = ClusteringSettings(
            max_fraction_of_documents_to_embed=None,
            max_document_to_embed=limit,
            max_documents_per_cluster=min(rows, _MOST_TO_CLUSTER),
        )
        return settings, f"{limit or 'all'} texts are clustered, {min(rows, _MOST_TO_CLUSTER)} drawn each time"
    return SETTINGS[type_](), ""


def _length(table: Table) -> int:
    return max((len(values) for values in table.values()), default=0)


_DESCRIPTIONS: dict[TaskType, Callable[[str], str]] = {
    "STS": lambda data: f"Pairs of texts with a score of how similar they are, from {data}.",
    "PairClassification": lambda data: f"Pairs of texts that belong together or not, from {data}.",
    "Classification": lambda data: f"Texts and their labels, from {data}.",
    "Clustering": lambda data: f"Texts to be clustered by their labels, from {data}.",
    "Retrieval": lambda data: f"Search for the documents that answer a query, from {data}.",
    "Reranking": lambda data: f"Rank each query's candidates, from {data}.",
    "BitextMining": lambda data: f"Find each text's translation, from {data}.",
}


def _task(
    type_: TaskType, request: SpecRequest, *, splits: tuple[str, ...], columns: dict[str, str], settings: Settings
) -> TaskSpec:
    data = re.split(r"[/\\]", request.data.rstrip("/\\"))[-1]
    return TaskSpec(
        name=request.name,
        type=type_,
        description=_DESCRIPTIONS[type_](data),
        source=Source(kind="local", path=request.path),
        splits=splits,
        subsets={"default": request.languages},
        columns=columns,
        main_metric=MAIN_METRIC[type_],
        settings=settings,
        file=request.file,
    )
