"""Files in the format of the TREC tracks: judgements (qrels) and rankings (runs), fields separated by white space.

    qrels:  query  iteration  document  relevance            q1 0  d7 2
    run:    query  Q0  document  rank  score  tag            q1 Q0 d7 1 12.5 bm25

As in trec_eval 9, iteration and rank are ignored, and a query names a document at most once. `as_tsv` and `as_jsonl`
write the tables in the formats that the harness reads.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.evaluators.tables import INTEGER, Filed, Table


def qrels(path: Path) -> Filed:
    """The columns `query-id`, `corpus-id` and `score`.

    Raises:
        DataError: a line is no judgement.
    """
    columns: dict[str, list[Any]] = {"query-id": [], "corpus-id": [], "score": []}
    lines = []
    for number, (query, _, document, relevance) in _fields(path, "query 0 document relevance"):
        if not INTEGER.fullmatch(relevance):
            raise DataError(f"{path}:{number}: relevance {relevance!r}; expected a whole number")
        for values, value in zip(columns.values(), (query, document, int(relevance)), strict=True):
            values.append(value)
        lines.append(number)
    return Filed(columns, file=str(path), lines=lines)


def run(path: Path) -> Filed:
    """The columns `query-id` and `corpus-ids`: each query's documents by falling score, ties in the file's order.

    Raises:
        DataError: a line is none of a run, or a query names a document twice.
    """
    ranked: dict[str, dict[str, float]] = {}
    lines: dict[str, int] = {}
    for number, (query, _, document, _, score, _) in _fields(path, "query Q0 document rank score tag"):
        of_query = ranked.setdefault(query, {})
        lines.setdefault(query, number)
        if document in of_query:
            raise DataError(f"{path}:{number}: document {document!r} stands twice for query {query!r}; expected once")
        of_query[document] = _score(score, f"{path}:{number}")
    candidates = [sorted(scores, key=lambda name: -scores[name]) for scores in ranked.values()]
    columns: dict[str, list[Any]] = {"query-id": list(ranked), "corpus-ids": candidates}
    return Filed(columns, file=str(path), lines=list(lines.values()))


def as_tsv(table: Table) -> str:
    """A table in the format of `qrels/<split>.tsv`."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values()))
    return stream.getvalue()


def as_jsonl(table: Table) -> str:
    """A table as JSON lines, one row each."""
    rows = (dict(zip(table, values)) for values in zip(*table.values()))
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _score(text: str, place: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if math.isnan(score):
        raise DataError(f"{place}: score {text!r}; expected a number")
    return score


def _fields(path: Path, expected: str) -> Iterator[tuple[int, list[str]]]:
    """Number and fields of each line that is not empty."""
    width = len(expected.split())
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, 1):
                fields = line.split()
                if fields and len(fields) != width:
                    raise DataError(f"{path}:{number}: {len(fields)} fields; expected {width}: {expected}")
                if fields:
                    yield number, fields
    except OSError as err:
        raise DataError(f"{path}: cannot be read ({err.strerror})") from err
    except UnicodeDecodeError as err:
        raise DataError(f"{path}: not UTF-8 ({err.reason} at byte {err.start})") from err
    if not number:
        raise DataError(f"{path}: is empty; expected lines of {expected}")
