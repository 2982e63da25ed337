"""Rows and a column mapping into gold (pure).

A table is a mapping of column name to list, all of one length. Whatever is wrong with the data ends here as one
`DataError` that names the task's part, the column and the row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from harness.errors import DataError
from harness.types import Clustered, ClusteredSets, Labelled, Pairs, Ranked

Table: TypeAlias = Mapping[str, Sequence[Any]]


class Judged(NamedTuple):
    """A search problem and what was left out or left over on the way to it."""

    gold: Ranked
    notes: tuple[str, ...]


def pairs(table: Table, columns: Mapping[str, str], *, where: str, binary: bool) -> Pairs:
    """Sentence pairs with gold scores (any finite number) or, when `binary`, labels 0 and 1.

    A table of one row that holds lists is unpacked: older pair data sets were stored so.
    """
    table = _unpacked(table)
    left = _texts(table, columns["left"], where=where)
    right = _texts(table, columns["right"], where=where)
    gold = _numbers(table, columns["gold"], where=where)
    if binary:
        wrong = np.flatnonzero(~np.isin(gold, (0.0, 1.0)))
        if len(wrong):
            row = int(wrong[0])
            raise DataError(f"{where}: column {columns['gold']!r}, row {row}: label {gold[row]:g}; expected 0 or 1")
    if np.all(gold == gold[0]):
        kind = "labels of one class only" if binary else "the same gold score everywhere"
        raise DataError(f"{where}: column {columns['gold']!r} holds {kind} ({gold[0]:g}); nothing can be ranked")
    return Pairs(left=left, right=right, gold=gold)


def labelled(train: Table, test: Table, columns: Mapping[str, str], *, where: str, train_where: str) -> Labelled:
    """Training and test texts with labels that are all integers or all strings."""
    sides = []
    for table, place in ((train, train_where), (test, where)):
        texts = _texts(table, columns["text"], where=place)
        sides.append((texts, _labels(table, columns["label"], where=place)))
    (train_texts, train_labels), (test_texts, test_labels) = sides
    if {type(label) for label in train_labels} != {type(label) for label in test_labels}:
        raise DataError(
            f"{where}: labels are {_kinds(test_labels)} here and {_kinds(train_labels)} in {train_where}; "
            "expected the same type"
        )
    names = sorted(set(train_labels) | set(test_labels))
    if len(set(train_labels)) < 2:
        raise DataError(
            f"{train_where}: labels of one class only ({train_labels[0]!r}); a classifier needs two or more"
        )
    index = {name: position for position, name in enumerate(names)}
    return Labelled(
        train=train_texts,
        train_labels=np.array([index[label] for label in train_labels], dtype=np.int64),
        test=test_texts,
        test_labels=np.array([index[label] for label in test_labels], dtype=np.int64),
        label_names=tuple(names),
    )


def clustered(table: Table, columns: Mapping[str, str], *, where: str) -> Clustered:
    """Texts with a label, or a list of labels from the broadest level to the narrowest."""
    texts = _texts(table, columns["text"], where=where)
    labels = []
    for row, value in enumerate(_column(table, columns["label"], where=where)):
        levels = value if isinstance(value, list | tuple) else [value]
        if not levels:
            raise DataError(f"{where}: column {columns['label']!r}, row {row}: an empty list of labels")
        labels.append(tuple(_label(level, row, columns["label"], where=where) for level in levels))
    if len({levels[0] for levels in labels}) < 2:
        raise DataError(f"{where}: labels of one class only ({labels[0][0]!r}); nothing can be clustered")
    return Clustered(texts=texts, labels=labels)


def clustered_sets(table: Table, columns: Mapping[str, str], *, where: str) -> ClusteredSets:
    """The legacy layout: every row is a set, a list of texts beside a list of labels. Flat rows are one set."""
    texts = _column(table, columns["text"], where=where)
    if not isinstance(texts[0], list):
        return ClusteredSets(sets=(clustered(table, columns, where=where),))
    labels = _column(table, columns["label"], where=where)
    sets = []
    for row, (members, names) in enumerate(zip(texts, labels, strict=True)):
        place = f"{where}, set {row}"
        if not isinstance(members, list) or not isinstance(names, list) or len(members) != len(names):
            raise DataError(f"{place}: expected a list of texts and a list of as many labels")
        inner = {columns["text"]: members, columns["label"]: names}
        sets.append(
            Clustered(
                texts=_texts(inner, columns["text"], where=place),
                labels=[(_label(name, i, columns["label"], where=place),) for i, name in enumerate(names)],
            )
        )
    return ClusteredSets(sets=tuple(sets))


def ranked(corpus: Table, queries: Table, qrels: Table, *, where: str, strict: bool) -> Judged:
    """A search problem in BEIR's columns: `_id`/`id`, `title`, `text`; `query-id`, `corpus-id`, `score`.

    A document's text is its title and text joined by a space, stripped, as in mteb 2.26.

    Args:
        corpus: the documents.
        queries: the queries; those without judgements here belong to another split and are left out.
        qrels: the judgements.
        where: for messages.
        strict: refuse judgements of unknown ids and queries without a relevant document. Published data sets have
            both, and their scores count on it: then they are kept as mteb keeps them, and noted.
    """
    document_ids = _ids(corpus, where=f"{where}, corpus")
    documents = _documents(corpus, where=f"{where}, corpus")
    query_ids = _ids(queries, where=f"{where}, queries")
    texts = _texts(queries, "text", where=f"{where}, queries")
    judged = _qrels(qrels, where=f"{where}, qrels")
    known_documents, known_queries = set(document_ids), set(query_ids)
    notes = []
    strangers = sorted({d for docs in judged.values() for d in docs if d not in known_documents})
    notes += _noted(strangers, "judged documents that the corpus lacks", where=where, strict=strict)
    lost = sorted(query for query in judged if query not in known_queries)
    notes += _noted(lost, "judged queries that do not exist", where=where, strict=strict)
    kept = [i for i, query in enumerate(query_ids) if query in judged]
    barren = [query_ids[i] for i in kept if not any(score > 0 for score in judged[query_ids[i]].values())]
    notes += _noted(barren, "queries without a relevant document", where=where, strict=strict)
    if strict:
        unjudged = [query for query in query_ids if query not in judged]
        notes += _noted(unjudged, "queries without a relevant document", where=where, strict=True)
    if not kept:
        raise DataError(f"{where}: none of the {len(query_ids)} queries is judged in qrels")
    gold = Ranked(
        query_ids=[query_ids[i] for i in kept],
        queries=[texts[i] for i in kept],
        document_ids=document_ids,
        documents=documents,
        qrels={query_ids[i]: judged[query_ids[i]] for i in kept},
    )
    return Judged(gold, tuple(notes))


def merged(tables: Sequence[Table]) -> Table:
    """Tables with the same columns, one after the other."""
    return {name: [value for table in tables for value in table[name]] for name in tables[0]}


def _noted(ids: Sequence[str], what: str, *, where: str, strict: bool) -> list[str]:
    if not ids:
        return []
    shown = ", ".join(repr(name) for name in ids[:3]) + (", ..." if len(ids) > 3 else "")
    if strict:
        raise DataError(f"{where}: {len(ids)} {what}: {shown}; correct the qrels or remove them")
    return [f"{len(ids)} {what}: {shown}"]


def _column(table: Table, name: str, *, where: str) -> Sequence[Any]:
    if not any(len(values) for values in table.values()):
        raise DataError(f"{where}: holds no rows; expected at least one")
    if name not in table:
        raise DataError(f"{where}: no column {name!r}; found {', '.join(map(repr, table))}; set `columns:` in the spec")
    return table[name]


def _texts(table: Table, name: str, *, where: str) -> list[str]:
    values = _column(table, name, where=where)
    for row, value in enumerate(values):
        if not isinstance(value, str):
            raise DataError(f"{where}: column {name!r}, row {row}: found {_shown(value)}; expected a text")
    return list(values)


def _numbers(table: Table, name: str, *, where: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = _column(table, name, where=where)
    for row, value in enumerate(values):
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise DataError(f"{where}: column {name!r}, row {row}: found {_shown(value)}; expected a number")
    return np.array(values, dtype=np.float64)


def _labels(table: Table, name: str, *, where: str) -> list[str | int]:
    labels = [_label(value, row, name, where=where) for row, value in enumerate(_column(table, name, where=where))]
    if len({type(label) for label in labels}) > 1:
        raise DataError(f"{where}: column {name!r} mixes {_kinds(labels)}; expected one type")
    return labels


def _label(value: Any, row: int, name: str, *, where: str) -> str | int:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str | int):
        return value
    raise DataError(f"{where}: column {name!r}, row {row}: found {_shown(value)}; expected a label (text or integer)")


def _ids(table: Table, *, where: str) -> list[str]:
    name = "_id" if "_id" in table else "id"
    ids = []
    for row, value in enumerate(_column(table, name, where=where)):
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise DataError(f"{where}: column {name!r}, row {row}: found {_shown(value)}; expected an id")
        ids.append(str(value))
    if len(set(ids)) != len(ids):
        seen: set[str] = set()
        twice = next(name for name in ids if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise DataError(f"{where}: the id {twice!r} stands more than once; expected every id once")
    return ids


def _documents(table: Table, *, where: str) -> list[str]:
    texts = _texts(table, "text", where=where)
    titles = table.get("title")
    if titles is None:
        return [text.strip() for text in texts]
    for row, title in enumerate(titles):
        if title is not None and not isinstance(title, str):
            raise DataError(f"{where}: column 'title', row {row}: found {_shown(title)}; expected a text or null")
    return [f"{title} {text}".strip() if title else text.strip() for title, text in zip(titles, texts, strict=True)]


def _qrels(table: Table, *, where: str) -> dict[str, dict[str, int]]:
    queries, documents, scores = (_column(table, name, where=where) for name in ("query-id", "corpus-id", "score"))
    judged: dict[str, dict[str, int]] = {}
    for row, (query, document, score) in enumerate(zip(queries, documents, scores, strict=True)):
        if not isinstance(score, int | float) or not math.isfinite(score):
            raise DataError(f"{where}: column 'score', row {row}: found {_shown(score)}; expected a number")
        for name, value in (("query-id", query), ("corpus-id", document)):
            if isinstance(value, bool) or not isinstance(value, str | int):
                raise DataError(f"{where}: column {name!r}, row {row}: found {_shown(value)}; expected an id")
        judged.setdefault(str(query), {})[str(document)] = int(score)
    return judged


def _unpacked(table: Table) -> Table:
    if table and all(len(values) == 1 and isinstance(values[0], list) for values in table.values()):
        return {name: values[0] for name, values in table.items()}
    return table


def _kinds(values: Sequence[Any]) -> str:
    return " and ".join(sorted({"text" if isinstance(value, str) else "integer" for value in values}))


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    text = repr(value)
    return f"{text[:60]}{'...' if len(text) > 60 else ''} ({type(value).__name__})"
