"""Data made for training: rows of queries and answers become a search problem, texts with labels get a test split.

The names are those that the training data of sentence-transformers and similar tools use (pure).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from harness.errors import DataError
from harness.evaluators.tables import Table, at, shown

QUERIES = ("query", "question", "anchor")
POSITIVES = ("positive", "positives", "pos", "relevant_docs", "relevant_documents", "relevant", "answer", "passage")
_NEGATIVES = re.compile(r"(hard_)?neg(ative)?s?(_\d+)?")
SEED = 42
_TEST_SHARE = 0.2
_MOST_BINS, _ROWS_OF_A_BIN = 10, 5


class SearchColumns(NamedTuple):
    """The columns of a query, of what answers it, and of what does not."""

    query: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...]


def search_columns(table: Table) -> SearchColumns | None:
    """Which columns hold queries and documents; None where the names are others."""
    query = next((name for wish in QUERIES for name in table if name.lower() == wish), None)
    positives = [name for name in table if re.sub(r"_\d+$", "", name.lower()) in POSITIVES]
    negatives = [name for name in table if _NEGATIVES.fullmatch(name.lower())]
    others = {*table} - {query, *positives, *negatives}
    # a number beside a query and an answer is the grade of a pair
    graded = any(isinstance(value, int | float) for name in others for value in table[name][:1])
    if query is None or not positives or (graded and not negatives):
        return None
    return SearchColumns(query, tuple(positives), tuple(negatives))


class SearchRows(NamedTuple):
    """The tables of a search problem, as columns; `candidates` is empty where no row has negatives."""

    corpus: dict[str, list[Any]]
    queries: dict[str, list[Any]]
    qrels: dict[str, list[Any]]
    candidates: dict[str, list[Any]]


def search_rows(table: Table, columns: SearchColumns, *, where: str) -> SearchRows:
    """Queries and documents are the distinct texts, in the order in which they come; rows of one query are joined.

    Raises:
        DataError: a text is null or something else, or a document is positive and negative for one query.
    """
    documents: dict[str, str] = {}
    queries: dict[str, str] = {}
    right: dict[str, dict[str, None]] = {}
    wrong: dict[str, dict[str, None]] = {}
    for row, query in enumerate(table[columns.query]):
        if not isinstance(query, str):
            raise DataError(f"{at(table, row, where=where)}: column {columns.query!r}: found {shown(query)}")
        asked = queries.setdefault(query, f"q{len(queries) + 1}")
        for side, names in ((right, columns.positives), (wrong, columns.negatives)):
            for text in (text for name in names for text in _texts(table, name, row, where=where)):
                side.setdefault(asked, {})[documents.setdefault(text, f"d{len(documents) + 1}")] = None
        if both := right.get(asked, {}).keys() & wrong.get(asked, {}).keys():
            text = next(text for text, name in documents.items() if name in both)
            place = at(table, row, where=where)
            raise DataError(f"{place}: {text[:60]!r} is positive and negative for the query {query[:60]!r}")
        if not right.get(asked):
            raise DataError(f"{at(table, row, where=where)}: the query {query[:60]!r} has no positive text")
    pairs = [(query, document) for query, names in right.items() for document in names]
    candidates = [(query, [*names, *wrong.get(query, ())]) for query, names in right.items()] if wrong else []
    return SearchRows(
        corpus={"_id": [*documents.values()], "text": [*documents]},
        queries={"_id": [*queries.values()], "text": [*queries]},
        qrels={
            "query-id": [query for query, _ in pairs],
            "corpus-id": [document for _, document in pairs],
            "score": [1] * len(pairs),
        },
        candidates={
            "query-id": [query for query, _ in candidates],
            "corpus-ids": [names for _, names in candidates],
        }
        if candidates
        else {},
    )


def _texts(table: Table, name: str, row: int, *, where: str) -> list[str]:
    """The texts of one cell: one, or a list."""
    value = table[name][row]
    texts = value if isinstance(value, list) else [value]
    for text in texts:
        if not isinstance(text, str):
            place = at(table, row, where=where)
            raise DataError(
                f"{place}: column {name!r}, row {row}: found {shown(text)}; expected a text or a list of them"
            )
    return texts


class Split(NamedTuple):
    """Rows of one table as training and test data, and from what the test rows were drawn."""

    train: dict[str, list[Any]]
    test: dict[str, list[Any]]
    drawn_from: str


def split(table: Table, target: str, *, numbers: bool, where: str) -> Split:
    """A fifth of the rows as test data, drawn with a fixed seed; the rows stay in the order of the file.

    Args:
        table: the rows.
        target: the column of what is learnt. Of each label at least one row is drawn, but for labels with one row,
            which are for training alone. Of lists of labels, each pair of labels is drawn in proportion, by iterative
            stratification. Numbers are drawn from each tenth of them, or from fewer ranges of five rows.
        numbers: whether numbers are learnt, not labels.
        where: for messages.

    Raises:
        DataError: there is nothing to draw.
    """
    values = table[target]
    if any(isinstance(value, list) for value in values):
        tested, drawn_from = _drawn_from_lists(values), "each pair of labels"
    elif numbers:
        count = min(_MOST_BINS, len(values) // _ROWS_OF_A_BIN) or 1
        tested, drawn_from = _drawn_from_each(_bins(values, count)), f"{count} ranges of the numbers"
    else:
        tested, drawn_from = _drawn_from_each(values), "each label"
    if not tested:
        raise DataError(f"{where}: every label has one row, so none can be tested; expected two rows of some label")
    train, test = (
        {name: [value for row, value in enumerate(values) if (row in tested) is test] for name, values in table.items()}
        for test in (False, True)
    )
    return Split(train, test, drawn_from)


def _drawn_from_each(strata: Sequence[Any]) -> set[int]:
    """A fifth of the rows of each stratum with two rows or more, at least one."""
    import random

    of_stratum: dict[Any, list[int]] = {}
    for row, value in enumerate(strata):
        of_stratum.setdefault(value, []).append(row)
    generator = random.Random(SEED)
    drawn: set[int] = set()
    for rows in of_stratum.values():
        if len(rows) > 1:
            drawn.update(generator.sample(rows, max(1, round(_TEST_SHARE * len(rows)))))
    return drawn


def _drawn_from_lists(values: Sequence[Sequence[Any]]) -> set[int]:
    """About a fifth of the rows; none of a single one."""
    from harness.evaluators import stratified

    if len(values) < 2:
        return set()
    size = max(1, round(_TEST_SHARE * len(values)))
    place = {label: i for i, label in enumerate(sorted({label for value in values for label in value}, key=str))}
    labels = [sorted({place[label] for label in value}) for value in values]
    return (
        {int(row) for row in stratified.multilabel_sample(labels, size=size, seed=SEED)} if len(values) > 1 else set()
    )


def _bins(values: Sequence[float], count: int) -> list[int]:
    """The range that each number falls into, of `count` ranges with equally many."""
    import numpy as np

    from harness.evaluators import stratified

    return [int(number) for number in stratified.quantile_bins(np.array(values, dtype=np.float64), count=count)]


def as_jsonl(table: Mapping[str, Sequence[Any]]) -> str:
    """A table as one JSON object a line."""
    import json

    rows = zip(*table.values(), strict=True)
    return "".join(json.dumps(dict(zip(table, row, strict=True)), ensure_ascii=False) + "\n" for row in rows)
