"""Rows and a column mapping into gold (pure). Whatever is wrong with the data ends here as one `DataError`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from harness.data import tables
from harness.data.tables import Filed, Table, at, column, kinds
from harness.errors import DataError
from harness.types import Clustered, ClusteredSets, Labelled, Mined, Pairs, Ranked

__all__ = ["Judged", "Table", "clustered", "clustered_sets", "column", "labelled", "mined", "pairs", "ranked"]


class Judged(NamedTuple):
    """A search problem and what was left out or left over on the way to it."""

    gold: Ranked
    notes: tuple[str, ...]


def pairs(table: Table, columns: Mapping[str, str], *, where: str, binary: bool) -> Pairs:
    """Sentence pairs with gold scores (any finite number) or, when `binary`, labels 0 and 1.

    A table of one row that holds lists is unpacked: older pair data sets were stored so.
    """
    table = _unpacked(table)
    left = tables.texts(table, columns["left"], where=where)
    right = tables.texts(table, columns["right"], where=where)
    gold = tables.numbers(table, columns["gold"], where=where)
    if binary:
        wrong = np.flatnonzero(~np.isin(gold, (0.0, 1.0)))
        if len(wrong):
            row = int(wrong[0])
            place = at(table, row, where=where)
            raise DataError(f"{place}: column {columns['gold']!r}, row {row}: label {gold[row]:g}; expected 0 or 1")
    if np.all(gold == gold[0]):
        kind = "labels of one class only" if binary else "the same gold score everywhere"
        place = at(table, where=where)
        raise DataError(f"{place}: column {columns['gold']!r} holds {kind} ({gold[0]:g}); nothing can be ranked")
    return Pairs(left=left, right=right, gold=gold)


def labelled(train: Table, test: Table, columns: Mapping[str, str], *, where: str, train_where: str) -> Labelled:
    """Training and test texts with labels that are all integers or all strings."""
    sides = []
    for table, place in ((train, train_where), (test, where)):
        texts = tables.texts(table, columns["text"], where=place)
        sides.append((texts, tables.labels(table, columns["label"], where=place)))
    (train_texts, train_labels), (test_texts, test_labels) = sides
    if {type(label) for label in train_labels} != {type(label) for label in test_labels}:
        raise DataError(
            f"{where}: labels are {kinds(test_labels)} here and {kinds(train_labels)} in {train_where}; "
            "expected the same type"
        )
    names = sorted(set(train_labels) | set(test_labels))
    if len(set(train_labels)) < 2:
        raise DataError(
            f"{at(train, where=train_where)}: labels of one class only ({train_labels[0]!r}); "
            "a classifier needs two or more"
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
    texts = tables.texts(table, columns["text"], where=where)
    labels = []
    values = column(table, columns["label"], where=where)
    if isinstance(table, Filed) and not any(isinstance(value, list) for value in values):
        values = tables.labels(table, columns["label"], where=where)
    for row, value in enumerate(values):
        levels = value if isinstance(value, list | tuple) else [value]
        if not levels:
            place = at(table, row, where=where)
            raise DataError(f"{place}: column {columns['label']!r}, row {row}: an empty list of labels")
        labels.append(tuple(tables.label(level, row, columns["label"], table=table, where=where) for level in levels))
    if len({levels[0] for levels in labels}) < 2:
        place = at(table, where=where)
        raise DataError(f"{place}: labels of one class only ({labels[0][0]!r}); nothing can be clustered")
    return Clustered(texts=texts, labels=labels)


def clustered_sets(table: Table, columns: Mapping[str, str], *, where: str) -> ClusteredSets:
    """The legacy layout: every row is a set, a list of texts beside a list of labels. Flat rows are one set."""
    texts = column(table, columns["text"], where=where)
    if not isinstance(texts[0], list):
        return ClusteredSets(sets=(clustered(table, columns, where=where),))
    labels = column(table, columns["label"], where=where)
    sets = []
    for row, (members, names) in enumerate(zip(texts, labels, strict=True)):
        place = f"{where}, set {row}"
        if not isinstance(members, list) or not isinstance(names, list) or len(members) != len(names):
            raise DataError(f"{place}: expected a list of texts and a list of as many labels")
        inner = {columns["text"]: members, columns["label"]: names}
        sets.append(
            Clustered(
                texts=tables.texts(inner, columns["text"], where=place),
                labels=[
                    (tables.label(name, i, columns["label"], table={}, where=place),) for i, name in enumerate(names)
                ],
            )
        )
    return ClusteredSets(sets=tuple(sets))


def ranked(
    corpus: Table, queries: Table, qrels: Table, *, where: str, strict: bool, shared_queries: bool = False
) -> Judged:
    """A search problem in BEIR's columns: `_id`/`id`, `title`, `text`; `query-id`, `corpus-id`, `score`.

    A document's text is its title and text joined by a space, stripped, as in mteb 2.26.

    Args:
        corpus: the documents.
        queries: the queries; those without judgements here belong to another split and are left out.
        qrels: the judgements.
        where: for messages.
        strict: refuse judgements of unknown ids and queries without a relevant document. Published data sets have
            both, and their scores count on it: then they are kept as mteb keeps them, and noted.
        shared_queries: the queries are those of several splits, so that a strict reading only notes the queries
            without judgements here.
    """
    document_ids = tables.distinct_ids(corpus, where=f"{where}, corpus")
    documents = _documents(corpus, where=f"{where}, corpus")
    query_ids = tables.distinct_ids(queries, where=f"{where}, queries")
    texts = tables.texts(queries, "text", where=f"{where}, queries", fixed=True)
    judged = _qrels(qrels, where=f"{where}, qrels", strict=strict)
    known_documents, known_queries = set(document_ids), set(query_ids)

    def noted(names: Sequence[str], what: str, *, table: Table = qrels, name: str = "query-id") -> list[str]:
        if names and strict:
            first = _first_place(table, name, names[0])
            raise DataError(f"{where}: {_counted(names, what)}; correct the qrels or remove them{first}")
        return [_counted(names, what)] if names else []

    strangers = sorted({name for docs in judged.values() for name in docs if name not in known_documents})
    notes = noted(strangers, "judged documents that the corpus lacks", name="corpus-id")
    notes += noted([name for name in sorted(judged) if name not in known_queries], "judged queries that do not exist")
    kept = [i for i, query in enumerate(query_ids) if query in judged]
    barren = [query_ids[i] for i in kept if not any(score > 0 for score in judged[query_ids[i]].values())]
    notes += noted(barren, "queries without a relevant document")
    unjudged = [query for query in query_ids if query not in judged]
    if strict and not shared_queries:
        noted(unjudged, "queries without a relevant document", table=queries, name=tables.id_column(queries))
    if not kept:
        raise DataError(f"{where}: none of the {len(query_ids)} queries is judged in qrels")
    if strict and unjudged:
        notes.append(_counted(unjudged, "queries that this split does not judge, left out"))
    gold = Ranked(
        query_ids=[query_ids[i] for i in kept],
        queries=[texts[i] for i in kept],
        document_ids=document_ids,
        documents=documents,
        qrels={query_ids[i]: judged[query_ids[i]] for i in kept},
    )
    return Judged(gold, tuple(notes))


def mined(table: Table, columns: Mapping[str, str], *, where: str) -> Mined:
    """Aligned texts in two languages: the translation of a left text is the right text of the same row.

    A column `gold` of (left, right) positions from 0, where there is one, says otherwise (as BUCC has it in mteb).
    """
    left = tables.texts(table, columns["left"], where=where)
    right = tables.texts(table, columns["right"], where=where)
    aligned = table.get("gold")
    gold = np.arange(len(left)) if aligned is None else np.array([pair[1] for pair in aligned], dtype=np.int64)
    if len(gold) != len(left) or (len(gold) and gold.max() >= len(right)):
        raise DataError(
            f"{where}: {len(left)} texts and {len(gold)} translations among {len(right)}; expected one each"
        )
    return Mined(left=left, right=right, gold=gold.astype(np.int64))


def with_candidates(judged: Judged, table: Table, *, where: str) -> Judged:
    """The search problem narrowed to each query's candidates: columns `query-id` and `corpus-ids`."""
    known = set(judged.gold.document_ids)
    candidates: dict[str, list[str]] = {}
    queries = tables.ids(table, "query-id", where=where)
    for row, (query, names) in enumerate(zip(queries, column(table, "corpus-ids", where=where, fixed=True))):
        if isinstance(names, str) or not isinstance(names, Sequence):
            tables.wrong(table, "corpus-ids", row, names, expected="a list of ids", where=where)
        if isinstance(table, Filed) and query in candidates:
            raise DataError(f"{at(table, row, where=where)}: the query {query!r} stands more than once; expected once")
        candidates[query] = [str(name) for name in names]
        strangers = [name for name in candidates[query] if name not in known]
        if strangers:
            what = _counted(strangers, "candidates that the corpus lacks")
            raise DataError(f"{at(table, row, where=where)}: {what}")
    lacking = [query for query in judged.gold.query_ids if not candidates.get(query)]
    notes = [_counted(lacking, "queries without candidates")] if lacking else []
    return Judged(replace(judged.gold, candidates=candidates), (*judged.notes, *notes))


def merged(tables: Sequence[Table]) -> Table:
    """Tables with the same columns, one after the other."""
    return {name: [value for table in tables for value in table[name]] for name in tables[0]}


def _counted(ids: Sequence[str], what: str) -> str:
    shown = ", ".join(repr(name) for name in ids[:3]) + (", ..." if len(ids) > 3 else "")
    return f"{len(ids)} {what}: {shown}"


def _first_place(table: Table, name: str, value: str) -> str:
    """Where a value stands first, for a table that knows."""
    return f" ({table.place(tables.row_of(table, name, value))})" if isinstance(table, Filed) else ""


def _documents(table: Table, *, where: str) -> list[str]:
    texts = tables.texts(table, "text", where=where, fixed=True)
    if table.get("title") is None:
        return [text.strip() for text in texts]
    titles = tables.as_written(table, "title")
    for row, title in enumerate(titles):
        if title is not None and not isinstance(title, str):
            tables.wrong(table, "title", row, title, expected="a text or null", where=where)
    return [f"{title} {text}".strip() if title else text.strip() for title, text in zip(titles, texts, strict=True)]


def _qrels(table: Table, *, where: str, strict: bool) -> dict[str, dict[str, int]]:
    """Query -> document -> relevance. Strict: whole numbers only."""
    queries, documents = (tables.ids(table, name, where=where) for name in ("query-id", "corpus-id"))
    scores = tables.numbers(table, "score", where=where, fixed=True).tolist()
    judged: dict[str, dict[str, int]] = {}
    for row, (query, document, score) in enumerate(zip(queries, documents, scores, strict=True)):
        of_query = judged.setdefault(query, {})
        if strict and not score.is_integer():
            tables.wrong(table, "score", row, score, expected="a whole number", where=where)
        if isinstance(table, Filed) and document in of_query:
            place = at(table, row, where=where)
            raise DataError(f"{place}: document {document!r} is judged twice for query {query!r}; expected once")
        of_query[document] = int(score)
    return judged


def _unpacked(table: Table) -> Table:
    if table and all(len(values) == 1 and isinstance(values[0], list) for values in table.values()):
        return {name: values[0] for name, values in table.items()}
    return table
