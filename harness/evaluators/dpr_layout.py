"""Reads the layout of dense passage retrieval (DPR), in which each row is a question with its passages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import DataError
from harness.evaluators.tables import Table

POSITIVES, NEGATIVES = "positive_ctxs", "hard_negative_ctxs"


def dpr(rows: Table, *, where: str) -> dict[str, Table]:
    """Dense passage retrieval (DPR): each row a question with its passages, which together are the corpus.

    Columns `question`, `positive_ctxs` and `hard_negative_ctxs`; the passages of a row are a struct of lists, or a
    list of structs, with `title` and `text`. As mteb 1 read them (its task GermanDPR): section headings and line
    breaks are removed from a passage; passages with the same text are one document, with the title of the last one;
    every positive passage is relevant with score 1.

    Returns:
        `corpus`, `queries` and `qrels` in BEIR's columns.

    Raises:
        DataError: a column is missing, or a passage has another form.
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


def _passages(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """(title, text) of each passage, the text without headings and line breaks."""
    if isinstance(value, Mapping) and {"title", "text"} <= value.keys():
        titles, texts = value["title"], value["text"]
    elif isinstance(value, list) and all(
        isinstance(passage, Mapping) and {"title", "text"} <= passage.keys() for passage in value
    ):
        titles, texts = [passage["title"] for passage in value], [passage["text"] for passage in value]
    else:
        raise DataError(f"{place}: expected passages with title and text, found {type(value).__name__}")
    for title, text in zip(titles, texts, strict=True):
        if not isinstance(title, str) or not isinstance(text, str):
            raise DataError(f"{place}: the title or text of a passage is no text")
        yield title, text.split("==\n")[-1].replace("\n", " ").lstrip()
