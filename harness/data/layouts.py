"""Layouts that some data sets have instead of their task type's usual one, turned into that one (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.data.rows_to_gold import Table
from harness.errors import DataError

POSITIVES, NEGATIVES = "positive_ctxs", "hard_negative_ctxs"


def dpr(rows: Table, *, where: str) -> dict[str, Table]:
    """Dense passage retrieval (DPR): each row a question with its passages, which together are the corpus.

    Columns `question`, `positive_ctxs` and `hard_negative_ctxs`; the passages of a row are a struct of lists, or a
    list of structs, with `title` and `text`. As mteb 1 read them (its task GermanDPR): a passage loses its section
    headings and line breaks; passages with the same text are one document, with the title that came last; every
    positive passage is relevant with score 1.

    Returns:
        `corpus`, `queries` and `qrels` in BEIR's columns.

    Raises:
        DataError: a column is missing or a passage is not as described above.
    """
    for name in ("question", POSITIVES, NEGATIVES):
        if name not in rows:
            raise DataError(f"{where}: no column {name!r}; found {', '.join(map(repr, rows))}")
    documents: dict[str, tuple[str, str]] = {}  # id -> title and text
    ids: dict[str, str] = {}  # text -> id
    judged: dict[tuple[str, str], int] = {}
    for row in range(len(rows["question"])):
        for column, mark in ((POSITIVES, "p"), (NEGATIVES, "n")):
            passages = _passages(rows[column][row], f"{where}: column {column!r}, row {row}")
            for number, (title, text) in enumerate(passages):
                document = ids.setdefault(text, f"doc_{row}_{mark}_{number}")
                documents[document] = (title, text)
                if column == POSITIVES:
                    judged[f"q_{row}", document] = 1
    return {
        "corpus": {
            "_id": list(documents),
            "title": [title for title, _ in documents.values()],
            "text": [text for _, text in documents.values()],
        },
        "queries": {"_id": [f"q_{row}" for row in range(len(rows["question"]))], "text": rows["question"]},
        "qrels": {
            "query-id": [query for query, _ in judged],
            "corpus-id": [document for _, document in judged],
            "score": list(judged.values()),
        },
    }


def joined(table: Table, columns: Mapping[str, str], *, where: str) -> Table:
    """The rows of legacy clustering, each a list of texts beside a list of labels, one set after the other.

    The newer clustering tasks read the older ones' data so. A flat table stays as it is.

    Raises:
        DataError: in some row the two lists are not of the same length.
    """
    names = (columns["text"], columns["label"])
    texts, labels = (table.get(name, []) for name in names)
    if not texts or not isinstance(texts[0], list):
        return table
    for row, (members, marks) in enumerate(zip(texts, labels, strict=True)):
        if not isinstance(members, list) or not isinstance(marks, list) or len(members) != len(marks):
            raise DataError(f"{where}, set {row}: expected a list of texts and a list of as many labels")
    return {name: [value for members in table[name] for value in members] for name in names}


def _passages(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """(title, text) of each passage, the text without headings and line breaks."""
    if isinstance(value, Mapping) and {"title", "text"} <= value.keys():
        titles, texts = value["title"], value["text"]
    elif isinstance(value, list) and all(isinstance(one, Mapping) and {"title", "text"} <= one.keys() for one in value):
        titles, texts = [one["title"] for one in value], [one["text"] for one in value]
    else:
        raise DataError(f"{place}: expected passages with title and text, found {type(value).__name__}")
    for title, text in zip(titles, texts, strict=True):
        if not isinstance(title, str) or not isinstance(text, str):
            raise DataError(f"{place}: the title or text of a passage is no text")
        yield title, text.split("==\n")[-1].replace("\n", " ").lstrip()
