"""Models side by side on tasks: one score a cell, the best of each task marked where the format can."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.outputs import text_table
from harness.outputs.data_text import csv_text, json_text
from harness.outputs.number_text import score_text
from harness.outputs.text_table import escape_markdown

Format = Literal["table", "markdown", "csv", "json", "latex"]
FORMATS: tuple[Format, ...] = ("table", "markdown", "csv", "json", "latex")
_LATEX = str.maketrans(
    {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTable:
    """Scores (0-1) by model and task; a task that a model lacks is absent from its row."""

    models: Sequence[str]
    tasks: Sequence[str]
    scores: Mapping[str, Mapping[str, float]]

    def mean(self, model: str) -> float | None:
        """Mean over all tasks; None when one is missing."""
        row = self.scores[model]
        if any(task not in row for task in self.tasks) or not self.tasks:
            return None
        return sum(row[task] for task in self.tasks) / len(self.tasks)

    def best_first(self) -> ScoreTable:
        """The table with its models by their means, best first; those without a mean follow in their order."""
        means = {model: self.mean(model) for model in self.models}
        by_mean = sorted(self.models, key=lambda model: (means[model] is None, -(means[model] or 0.0)))
        return replace(self, models=by_mean)


def render(table: ScoreTable, *, format: Format, digits: int = 2, scale: Literal[1, 100] = 100) -> str:
    """The table as text in `format`, ending in a newline.

    The longer side becomes the rows. A mean is added from two tasks on. Scores are shown times
    `scale`; CSV and JSON hold them as recorded, 0-1, in full precision.
    """
    if format == "json":
        return json_text(
            [{"model": model, "scores": _scores(table, model), "mean": table.mean(model)} for model in table.models]
        )
    if format == "csv":
        lines = [[model, *_scores(table, model).values(), table.mean(model)] for model in table.models]
        return csv_text(["model", *table.tasks, "mean"], lines)
    columns = [*table.tasks, *(["Mean"] if len(table.tasks) > 1 else [])]
    cells = {model: _row(table, model, columns) for model in table.models}
    written = functools.partial(score_text, digits=digits, scale=scale)
    best = {column: _best([cells[model][column] for model in table.models], written) for column in columns}
    names = {name: escaped(name, format) for name in (*table.models, *columns)}

    def shown(model: str, column: str) -> str:
        value = cells[model][column]
        if value is None:
            return ""
        text = written(value)
        return _bold(text, format) if len(table.models) > 1 and text == best[column] else text

    if len(table.models) >= len(table.tasks) or len(columns) <= 4:
        header = ["Model", *(names[column] for column in columns)]
        rows = [[names[model], *(shown(model, column) for column in columns)] for model in table.models]
    else:
        header = ["Task", *(names[model] for model in table.models)]
        rows = [[names[column], *(shown(model, column) for model in table.models)] for column in columns]
    return _tabulated(header, rows, format)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, ending in a newline; header and first column are escaped, other cells stand as given."""
    shown = [[escaped(first, "markdown"), *cells] for first, *cells in rows]
    return _tabulated([escaped(name, "markdown") for name in header], shown, "markdown")


def _scores(table: ScoreTable, model: str) -> dict[str, float | None]:
    return {task: table.scores[model].get(task) for task in table.tasks}


def _row(table: ScoreTable, model: str, columns: Sequence[str]) -> dict[str, float | None]:
    row = _scores(table, model)
    if len(columns) > len(table.tasks):
        row["Mean"] = table.mean(model)
    return row


def _best(values: Sequence[float | None], written: Callable[[float], str]) -> str | None:
    scores = [value for value in values if value is not None]
    return written(max(scores)) if scores else None


def _bold(text: str, format: Format) -> str:
    return {"markdown": f"**{text}**", "latex": rf"\textbf{{{text}}}"}.get(format, text)


def escaped(name: str, format: Format) -> str:
    """A text that the format shows as it is."""
    if format == "latex":
        return name.translate(_LATEX)
    return escape_markdown(name) if format == "markdown" else name


def _tabulated(header: list[str], rows: list[list[str]], format: Format) -> str:
    draw = {"table": text_table.plain, "markdown": text_table.markdown, "latex": text_table.latex}[format]
    return draw(header, rows, right=range(1, len(header)))
