"""Compressed vectors side by side: bytes a document, scores, and what is kept of the float search (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.leaderboard.compression import RECALL, CompressedRow, ModelCompression
from harness.outputs import text_table
from harness.outputs.data_text import csv_text, json_text
from harness.outputs.number_text import MISSING, score_text
from harness.outputs.score_table import Format, escaped
from harness.types import model_label

NOTE = (
    "Bytes are those of a document's vectors; after a slash, those that are searched, where float vectors are kept to "
    "rank the first documents again. Kept is the share of the float score, over the tasks that all rows have. "
    "Recall@10 is the share of the float search's ten best documents that are among the ten best here."
)


def number_format(row: CompressedRow) -> str:
    """The format of the vectors that are searched."""
    return row.transform.quantize or "float32"


def bytes_text(row: CompressedRow) -> str:
    """The bytes of a document, and those that are searched where these are fewer."""
    if row.bytes_per_document is None:
        return MISSING
    total = f"{row.bytes_per_document:,}"
    return total if row.bytes_searched == row.bytes_per_document else f"{total} / {row.bytes_searched:,}"


def header(table: ModelCompression) -> list[str]:
    """The columns of `cells`."""
    means = [*table.types, "Mean"] if len(table.tasks) > 1 else [table.tasks[0] if table.tasks else "Mean"]
    return ["Dims", "Vectors", "Rescored", "Bytes", *means, "Kept", "Recall@10"]


def cells(table: ModelCompression, row: CompressedRow, *, digits: int = 2) -> list[str]:
    """A row as text."""
    means = [*(row.by_type[name] for name in table.types), row.mean] if len(table.tasks) > 1 else [row.mean]
    return [
        MISSING if row.dimensions is None else str(row.dimensions),
        number_format(row),
        str(row.transform.rescore) if row.transform.rescore else MISSING,
        bytes_text(row),
        *(score_text(value, digits=digits) for value in means),
        MISSING if row.kept is None else f"{row.kept:.1%}",
        score_text(row.float_recall, digits=digits),
    ]


def name_of(table: ModelCompression, tables: Sequence[ModelCompression]) -> str:
    """The model, with its revision where another table has the same model and variant."""
    subject = table.subject
    same = [other for other in tables if other.subject[::2] == subject[::2]]
    return model_label(subject.model + (f"@{subject.revision[:10]}" if len(same) > 1 else ""), subject.variant)


def render(tables: Sequence[ModelCompression], *, format: Format, digits: int = 2) -> str:
    """A table for each model, ending in a newline; CSV and JSON are one table with full precision."""
    if format in ("csv", "json"):
        rows = [_values(table, row, name_of(table, tables)) for table in tables for row in table.rows]
        return _csv(rows) if format == "csv" else json_text(rows)
    draw = {"table": text_table.plain, "markdown": text_table.markdown, "latex": text_table.latex}[format]
    pieces = []
    for table in tables:
        names = [escaped(name, format) for name in header(table)]
        rows_of_cells = [[escaped(cell, format) for cell in cells(table, row, digits=digits)] for row in table.rows]
        drawn = draw(names, rows_of_cells, right=[0, *range(2, len(names))])
        pieces.append(f"{escaped(name_of(table, tables), format)}\n\n{drawn}\n")
    return "".join([*pieces, escaped(NOTE, format), "\n"])


def _values(table: ModelCompression, row: CompressedRow, name: str) -> dict[str, Any]:
    return {
        "model": name,
        "dims": row.dimensions,
        "vectors": number_format(row),
        "rescore": row.transform.rescore,
        "bytes_per_document": row.bytes_per_document,
        "bytes_searched": row.bytes_searched,
        "mean": row.mean,
        "kept": row.kept,
        RECALL: row.float_recall,
        "types": dict(row.by_type),
        "tasks": {task: row.scores.get(task) for task in table.tasks},
    }


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    """A column for each value; those of types and tasks under their names."""
    flat = [
        {name: value for name, value in row.items() if name not in ("types", "tasks")} | row["types"] | row["tasks"]
        for row in rows
    ]
    names = list(dict.fromkeys(name for row in flat for name in row))
    return csv_text(names, [[row.get(name) for name in names] for row in flat])
