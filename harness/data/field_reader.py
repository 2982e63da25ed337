"""Finding which columns of a table are the fields of a task, and the type of the task (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from harness.data.column_contents import Column
from harness.errors import DataError, UnknownName
from harness.evaluators import KINDS
from harness.evaluators.tables import Table
from harness.tasks.languages import is_language
from harness.types import Source

EXPECTED = (
    "two columns of texts and one of numbers (STS; PairClassification where they are 0 and 1), "
    "two of texts alone (BitextMining, with --type where they are not called after languages such as de and en), "
    "one of texts and one of labels (Classification, Clustering), of lists of labels (MultilabelClassification) or of "
    "numbers (Regression), "
    "query and positive, with negatives or without (Retrieval, Reranking), "
    "human_summaries, machine_summaries and their relevance (Summarization), "
    "or a folder with corpus, queries and qrels (Retrieval)"
)
_SIDES = (
    ("sentence1", "sentence2"), ("text1", "text2"), ("left", "right"), ("a", "b"), ("s1", "s2"),
    ("sentence_a", "sentence_b"), ("premise", "hypothesis"), ("query", "answer"), ("source", "target"),
)  # fmt: skip
_PAIRS = {"left": "", "right": "", "gold": ""}
_TRANSLATED = {"left": "", "right": ""}
_LABELLED = {"text": "", "label": ""}
_VALUED = {"text": "", "value": ""}
_GOLD = ("score", "similarity", "similarity_score", "gold", "grade", "rating", "label", "labels")
_TEXT = ("text", "sentence", "sentences", "content", "body", "document")
_LABEL = ("label", "labels", "category", "class", "topic", "intent")
_VALUE = ("value", "score", "target", "rating", "number")


class SpecRequest(NamedTuple):
    """What the caller has decided.

    Attributes:
        name: of the task.
        data: the file, folder or data set, for messages.
        origin: what the description says that the data are from.
        source: the data, for a folder or file relative to the folder of `file`.
        file: the task file to be written.
        type: of the task; None to guess it.
        columns: field of the gold -> column; a field that is absent is guessed.
        configs: subset -> config of a data set on the hub, where their names differ.
    """

    name: str
    data: str
    origin: str
    source: Source
    file: str
    type: str | None = None
    languages: tuple[str, ...] = ("eng-Latn",)
    columns: Mapping[str, str] = {}
    configs: Mapping[str, str] = {}

    def for_files_beside(self) -> SpecRequest:
        """The request for data that are written into a folder of the task's name beside the spec."""
        origin = self.origin if self.source.kind == "local" else self.data
        return self._replace(source=Source(kind="local", path=self.name), configs={}, origin=origin)


class FieldReader:
    """Finds the type of a task and its columns, among the columns of a table."""

    def __init__(self, contents: Sequence[Column], request: SpecRequest, table: Table, *, trainable: bool) -> None:
        self.contents, self.request, self.table, self.trainable = contents, request, table, trainable
        for name in request.columns.values():
            if name not in table:
                raise UnknownName.of(f"column of {request.data}", name, table)
        self.free = [column for column in contents if column.name not in request.columns.values()]

    def read(self) -> tuple[str, dict[str, str]]:
        """Type, and field -> column."""
        type_ = self.request.type
        kind = KINDS[type_] if type_ else None
        if kind and kind.tables:
            raise self._refused(f"{type_} needs a folder with corpus, queries and qrels")
        self._check_fields(*([type_] if type_ else KINDS))
        if kind and kind.training and not self.trainable:
            raise self._refused(f"{type_} needs a folder with train and test")
        columns = self._columns(kind.columns if kind else self._seen_fields())
        type_ = type_ or next(self._recognized(columns), None)
        if type_ is None:
            raise self._refused("its columns fit no task")
        self._check_fields(type_)
        for name in columns.values():
            if name != name.strip() or not name.isprintable() or not name:
                raise self._refused(f"the column {name!r} needs a printable name without spaces around it")
        return type_, columns

    def _seen_fields(self) -> Mapping[str, str]:
        """The fields of the types that the columns fit."""
        for kind in KINDS.values():
            columns = {field: self.request.columns.get(field, column) for field, column in kind.columns.items()}
            guessed = any(columns.keys() >= fields.keys() for fields in ({"left": "", "right": ""}, _LABELLED, _VALUED))
            if columns and not guessed and {*columns.values()} <= self.table.keys() and any(self._recognized(columns)):
                return kind.columns
        if self._seems_pairs():
            return _PAIRS
        if self._seems_valued():
            return _VALUED
        if self._seems_translated():
            return _TRANSLATED
        if self.request.columns or self._seems_labelled():
            return _LABELLED
        raise self._refused("its columns fit no task, or more than one")

    def _recognized(self, columns: Mapping[str, str]) -> Iterator[str]:
        """The types that data with these columns may have."""
        values = {field: self.table[column] for field, column in columns.items()}
        for name, kind in KINDS.items():
            if kind.columns.keys() == columns.keys() and kind.recognizes(values, self.trainable):
                yield name

    def _columns(self, usual: Mapping[str, str]) -> dict[str, str]:
        """Field -> column; `usual` are the columns of the type, for fields that are neither requested nor guessed."""
        if {"left", "right"} <= usual.keys():
            return self._pairs(scored="gold" in usual)
        if {"text", "label"} <= usual.keys():
            return self._labelled()
        if _VALUED.keys() <= usual.keys():
            return self._valued()
        columns = {field: self.request.columns.get(field, column) for field, column in usual.items()}
        missing = [field for field, column in columns.items() if column not in self.table]
        if missing:
            raise self._refused(f"no column for {', '.join(missing)}; say which with --columns {missing[0]}=...")
        return columns

    def _check_fields(self, *types: str) -> None:
        fields = list(dict.fromkeys(field for type_ in types for field in KINDS[type_].columns))
        for field in self.request.columns:
            if field not in fields:
                raise UnknownName.of(f"field of {' or '.join(types)}", field, fields)

    def _seems_pairs(self) -> bool:
        if self.request.columns:
            return bool({"left", "right", "gold"} & self.request.columns.keys())
        named = {column.name.lower() for column in self.free}
        # columns such as `title`, `text` and `label` are no pairs
        labelled = bool(named & {*_TEXT}) and bool(named & {*_LABEL})
        return len(self._of("text")) >= 2 and bool(self._of("integer", "number")) and not labelled

    def _seems_labelled(self) -> bool:
        return bool(self._of("text")) and bool(self._labels())

    def _seems_valued(self) -> bool:
        if self.request.columns:
            return "value" in self.request.columns
        return self.trainable and bool(self._of("text")) and not self._labels() and bool(self._of("integer", "number"))

    def _seems_translated(self) -> bool:
        """Whether there are two columns of texts, called after their languages, and nothing else."""
        names = [column.name for column in self.contents]
        return len(names) == 2 == len(self._of("text")) and all(map(is_language, names))

    def _labels(self) -> list[str]:
        kinds = ("label", "labels") if self.trainable else ("label",)
        return [column.name for column in self.free if column.could_label or column.kind in kinds]

    def _pairs(self, *, scored: bool) -> dict[str, str]:
        given = dict(self.request.columns)
        columns: dict[str, str] = {field: given[field] for field in ("left", "right") if field in given}
        if len(columns) < 2:
            free = self._texts(2 - len(columns))
            usual = [pair for pair in _SIDES if {*pair} <= {name.lower() for name in free}]
            if len(free) > 2 - len(columns) and len(usual) == 1 and not columns:
                free = [name for side in usual[0] for name in free if name.lower() == side]
            if len(free) != 2 - len(columns):
                raise self._refused(f"{len(free)} columns could be the texts to compare, where two are expected")
            columns |= dict(zip((field for field in ("left", "right") if field not in columns), free))
        if scored:
            numbers = [name for name in self._of("integer", "number") if name not in columns.values()]
            columns["gold"] = given.get("gold") or self._picked(numbers, _GOLD, "scores of the pairs")
        return {field: columns[field] for field in ("left", "right", "gold") if field in columns}

    def _labelled(self) -> dict[str, str]:
        given = dict(self.request.columns)
        text = given.get("text") or self._picked(self._texts(1), _TEXT, "texts")
        labels = self._labels()
        if self.request.type and not labels:
            labels = self._of("text", "id", "integer")
        labels = [name for name in labels if name != text]
        return {"text": text, "label": given.get("label") or self._picked(labels, _LABEL, "labels")}

    def _valued(self) -> dict[str, str]:
        given = dict(self.request.columns)
        text = given.get("text") or self._picked(self._texts(1), _TEXT, "texts")
        numbers = self._of("integer", "number")
        return {"text": text, "value": given.get("value") or self._picked(numbers, _VALUE, "numbers to predict")}

    def _of(self, *kinds: str) -> list[str]:
        return [column.name for column in self.free if column.kind in kinds]

    def _texts(self, needed: int) -> list[str]:
        """Columns of texts; if these are too few for the requested type, those of labels and ids too."""
        texts = self._of("text")
        return texts if len(texts) >= needed or not self.request.type else self._of("text", "label", "id")

    def _picked(self, names: Sequence[str], preferred: Sequence[str], what: str) -> str:
        usual = [name for wish in preferred for name in names if name.lower() == wish]
        if len(names) == 1 or usual:
            return usual[0] if usual else names[0]
        raise self._refused(f"{len(names) or 'no'} columns could be the {what}, where one is expected")

    def _refused(self, why: str) -> DataError:
        shown = "; ".join(map(str, self.contents))
        return DataError(
            f"{self.request.data}: {why}. Found {shown}. Expected {EXPECTED}. To say which is which: --type STS "
            "--columns left=...,right=...,gold=..., or --columns text=...,label=..."
        )
