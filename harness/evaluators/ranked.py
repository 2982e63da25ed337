"""`Ranked`, the gold of retrieval and reranking, and how it is read from tables in the layout of BEIR."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from harness.errors import DataError
from harness.evaluators import query_groups, sampling, tables
from harness.evaluators.query_texts import query_texts
from harness.evaluators.tables import Filed, Table, at
from harness.types import ItemText


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A search problem. `qrels`: query id -> document id -> relevance (> 0 is relevant).

    `candidates`, for reranking: query id -> the ids of the documents to rank; None when all are.
    `changes`: query -> the ids of the documents that its other instruction makes irrelevant; None where queries have
    one instruction each.
    """

    query_ids: Sequence[str]
    queries: Sequence[str]
    document_ids: Sequence[str]
    documents: Sequence[str]
    qrels: Mapping[str, Mapping[str, int]]
    candidates: Mapping[str, Sequence[str]] | None = None
    changes: Mapping[str, Sequence[str]] | None = None

    def __post_init__(self) -> None:
        assert len(self.query_ids) == len(self.queries)
        assert len(self.document_ids) == len(self.documents)

    def contents(self) -> Iterator[str]:
        """Queries and documents with their ids, then judgements and candidates by query, then changes."""
        for ids, members in ((self.query_ids, self.queries), (self.document_ids, self.documents)):
            yield str(len(ids))
            for name, text in zip(ids, members, strict=True):
                yield from (name, text)
        for query in sorted(self.qrels):
            yield query
            yield json.dumps(sorted(self.qrels[query].items()))
            if self.candidates is not None:
                yield json.dumps(list(self.candidates.get(query, ())))
        for query in sorted(self.changes or ()):
            yield query
            yield json.dumps(list((self.changes or {})[query]))

    def sample(self, n: int, *, settings: Any = None) -> Ranked:
        """At most `n` queries; those that are scored together stay together, and at least one such group stays.

        The corpus keeps all their judged documents and candidates, and other documents up to ten times `n`. With fewer
        documents nDCG is higher than in a full run.
        """
        groups = query_groups.grouped(self.query_ids, settings.further_metrics if settings else "none")
        rows = sampling.rows_of_groups(list(groups.values()), n)
        names = sampling.picked(self.query_ids, rows)
        candidates = None
        wanted = {document for name in names for document in self.qrels.get(name, {})}
        if self.candidates is not None:
            candidates = {name: self.candidates.get(name, ()) for name in names}
            wanted |= {document for of_query in candidates.values() for document in of_query}
        others = [row for row, name in enumerate(self.document_ids) if name not in wanted]
        missing = max(0, 10 * n - len(wanted))
        filling = set(random.Random(sampling.SEED).sample(others, min(len(others), missing)))
        places = [row for row, name in enumerate(self.document_ids) if name in wanted or row in filling]
        return Ranked(
            query_ids=names,
            queries=sampling.picked(self.queries, rows),
            document_ids=sampling.picked(self.document_ids, places),
            documents=sampling.picked(self.documents, places),
            qrels={name: self.qrels[name] for name in names if name in self.qrels},
            candidates=candidates,
            changes=self.changes,
        )

    def item_text(self, position: int) -> ItemText:
        """A query."""
        return ItemText((self.queries[position],))


class Judged(NamedTuple):
    """A search problem, notes about ids that are missing or left out, and defects that are scored nevertheless."""

    gold: Ranked
    notes: tuple[str, ...]
    defects: tuple[str, ...] = ()

    @property
    def greatest(self) -> int:
        """The greatest relevance of a document for a query."""
        return max(score for documents in self.gold.qrels.values() for score in documents.values())


def read_ranked(
    corpus: Table,
    queries: Table,
    qrels: Table,
    *,
    where: str,
    strict: bool,
    shared_queries: bool = False,
    instructions: Table = MappingProxyType({}),
) -> Judged:
    """A search problem in BEIR's columns: `_id`/`id`, `title`, `text`; `query-id`, `corpus-id`, `score`.

    A document's text is its title and text joined by a space, stripped, as in mteb 2.26; for that of a query see
    `query_texts`.

    Args:
        corpus: the documents.
        queries: the queries; those without judgements here belong to another split and are left out.
        qrels: the judgements.
        where: for messages.
        strict: refuse judgements of unknown ids, queries without a relevant document, and document ids that stand more
            than once. Published data sets have all three, and published scores include them: without `strict` they are
            kept, as in mteb, and noted.
        shared_queries: several splits share the queries, so that queries without judgements are only noted.
        instructions: the instruction of each query; empty where the data have no such table.
    """
    defects: tuple[str, ...] = ()
    if strict:
        document_ids = tables.distinct_ids(corpus, where=f"{where}, corpus")
    else:
        document_ids = tables.ids(corpus, tables.id_column(corpus), where=f"{where}, corpus")
        defects = _repeated(document_ids)
    documents = _documents(corpus, where=f"{where}, corpus")
    query_ids = tables.distinct_ids(queries, where=f"{where}, queries")
    texts = query_texts(queries, instructions=instructions, where=f"{where}, queries")
    judged = _qrels(qrels, where=f"{where}, qrels", strict=strict)
    in_corpus, in_queries = set(document_ids), set(query_ids)

    def noted(names: Sequence[str], what: str, *, table: Table = qrels, name: str = "query-id") -> list[str]:
        if names and strict:
            first = _first_place(table, name, names[0])
            raise DataError(f"{where}: {tables.counted(names, what)}; correct the qrels or remove them{first}")
        return [tables.counted(names, what)] if names else []

    strangers = sorted({name for docs in judged.values() for name in docs if name not in in_corpus})
    notes = noted(strangers, "judged documents that the corpus lacks", name="corpus-id")
    notes += noted([name for name in sorted(judged) if name not in in_queries], "judged queries that do not exist")
    kept = [i for i, query in enumerate(query_ids) if query in judged]
    barren = [query_ids[i] for i in kept if not any(score > 0 for score in judged[query_ids[i]].values())]
    notes += noted(barren, "queries without a relevant document")
    unjudged = [query for query in query_ids if query not in judged]
    if strict and not shared_queries:
        noted(unjudged, "queries without a relevant document", table=queries, name=tables.id_column(queries))
    if not kept:
        raise DataError(f"{where}: none of the {len(query_ids)} queries is judged in qrels")
    if strict and unjudged:
        notes.append(tables.counted(unjudged, "queries that this split does not judge, left out"))
    gold = Ranked(
        query_ids=[query_ids[i] for i in kept],
        queries=[texts[i] for i in kept],
        document_ids=document_ids,
        documents=documents,
        qrels={query_ids[i]: judged[query_ids[i]] for i in kept},
    )
    return Judged(gold, tuple(notes), defects)


def _repeated(document_ids: Sequence[str]) -> tuple[str, ...]:
    """What is said of ids that several documents have; empty where each has its own."""
    if len(set(document_ids)) == len(document_ids):
        return ()
    repeated = [name for name, times in Counter(document_ids).items() if times > 1]
    return (tables.counted(repeated, "document ids that stand more than once, scored as in mteb"),)


def with_candidates(gold: Ranked, table: Table, *, where: str) -> Judged:
    """The search problem narrowed to each query's candidates: columns `query-id` and `corpus-ids`.

    Raises:
        DataError: a column is missing or of another kind, or a candidate is not in the corpus.
    """
    in_corpus = set(gold.document_ids)
    candidates: dict[str, list[str]] = {}
    for row, (query, names) in enumerate(_lists(table, where=where)):
        if isinstance(table, Filed) and query in candidates:
            raise DataError(f"{at(table, row, where=where)}: the query {query!r} stands more than once; expected once")
        candidates[query] = names
        strangers = [name for name in names if name not in in_corpus]
        if strangers:
            what = tables.counted(strangers, "candidates that the corpus lacks")
            raise DataError(f"{at(table, row, where=where)}: {what}")
    lacking = [query for query in gold.query_ids if not candidates.get(query)]
    notes = (tables.counted(lacking, "queries without candidates"),) if lacking else ()
    return Judged(replace(gold, candidates=candidates), notes)


def with_changes(gold: Ranked, table: Table, *, where: str) -> Judged:
    """The search problem with the documents that a changed instruction makes irrelevant.

    Columns `query-id`, without the endings `-og` and `-changed` of the queries, and `corpus-ids`.

    Raises:
        DataError: a column is missing or of another kind, or there are no rows.
    """
    if not tables.length(table):
        raise DataError(f"{where}: no rows; expected the documents whose relevance the changed instructions change")
    changes: dict[str, list[str]] = {}
    for row, (query, names) in enumerate(_lists(table, where=where)):
        if query in changes and isinstance(table, Filed):
            raise DataError(f"{at(table, row, where=where)}: the query {query!r} stands more than once; expected once")
        changes[query] = names
    queries = {*gold.query_ids}
    endings = (query_groups.ORIGINAL, query_groups.CHANGED)
    lacking = [query for query in changes if not queries.issuperset(query + ending for ending in endings)]
    notes = (tables.counted(lacking, "changed queries without both instructions, left out"),) if lacking else ()
    return Judged(replace(gold, changes=changes), notes)


def _lists(table: Table, *, where: str) -> Iterable[tuple[str, list[str]]]:
    """(query, documents) of each row of a table with the columns `query-id` and `corpus-ids`."""
    queries = tables.ids(table, "query-id", where=where)
    for row, (query, names) in enumerate(zip(queries, tables.column(table, "corpus-ids", where=where, fixed=True))):
        if isinstance(names, str) or not isinstance(names, Sequence):
            tables.wrong(table, "corpus-ids", row, names, expected="a list of ids", where=where)
        yield query, [str(name) for name in names]


def _first_place(table: Table, name: str, value: str) -> str:
    """The first line with a value, for a table that was read from a file; else empty."""
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
