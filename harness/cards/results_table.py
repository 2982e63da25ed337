"""The Markdown table of results in a card's body, between two marker comments (pure).

Moving the markers moves the table. Text outside the markers is never changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from harness.cards.card_file import Card
from harness.cards.edit.yaml_layout import Result
from harness.errors import CardError
from harness.evaluators import KINDS
from harness.outputs import score_table
from harness.outputs.trainer_report import CORRELATIONS, LINES

TableName = Literal["scores", "similarity"]
BEGIN = "<!-- harness results: begin (made by `harness card write --table`; changes here are lost) -->"
END = "<!-- harness results: end -->"
HEADING = "## Evaluation results"

_BEGIN = re.compile(r"^<!-- harness results: begin.*-->[ \t]*(?=\r?$)", re.MULTILINE)
_END = re.compile(r"^<!-- harness results: end.*-->[ \t]*(?=\r?$)", re.MULTILINE)


class Compared(NamedTuple):
    """A model of the table, with its results."""

    model: str
    results: Sequence[Result]


def scores(models: Sequence[Compared], *, digits: int = 4) -> str:
    """Render one score (0-1) per task, the mean of the first metric over its parts; the best of each task is bold.

    A model has no score of a task if it lacks a part that the first model has.
    """
    tasks = _by_task(models[0].results)
    rows: dict[str, dict[str, float]] = {}
    for model, results in models:
        values = {key: value for task in _by_task(results).values() for key, value in task.items()}
        rows[model] = {
            task: sum(values[key] for key in keys) / len(keys)
            for task, keys in tasks.items()
            if all(key in values for key in keys)
        }
    comparison = score_table.ScoreTable(models=list(rows), tasks=list(tasks), scores=rows)
    return score_table.render(comparison, format="markdown", digits=digits, scale=1)


def similarity(models: Sequence[Compared], *, digits: int = 4) -> str:
    """Render Pearson and Spearman correlations by similarity function, a table per part; the best of each is bold.

    Only task types whose scores are these correlations have such tables. A model without a value gets an empty cell.
    """
    parts = {_place(result): result for _, results in models for result in results if _is_similarity(result)}
    blocks = []
    for place, part in parts.items():
        columns = [
            {metric: score for result in results if _place(result) == place for metric, score in result.metrics.items()}
            for _, results in models
        ]
        title = f"{part.task} {part.config} {part.split}"
        header = [title, *(f"{model}: {kind.capitalize()}" for model, _ in models for kind in CORRELATIONS)]
        rows = [[label, *_similarity_cells(columns, family, digits)] for label, family in LINES]
        blocks.append(score_table.markdown(header, rows))
    return "\n".join(blocks)


def put(card: Card, text: str, table: str) -> str:
    """Put the table between the markers in `text`, or at the end with new markers if there are none.

    Args:
        card: the card, for its path and line breaks.
        text: the card's text, possibly edited already.
        table: Markdown.

    Raises:
        CardError: the markers are not one pair in order.
    """
    begins, ends = list(_BEGIN.finditer(text)), list(_END.finditer(text))
    newline = card.newline
    block = newline.join([BEGIN, "", *table.splitlines(), "", END])
    if not begins and not ends:
        gap = "" if not text or text.endswith(("\n", "\r")) else newline
        return f"{text}{gap}{newline}{HEADING}{newline}{newline}{block}{newline}"
    if len(begins) != 1 or len(ends) != 1 or begins[0].start() > ends[0].start():
        first = min(match.start() for match in (*begins, *ends))
        line = 1 + len(re.findall(r"\r\n|\r|\n", text[:first]))
        raise CardError(
            f"{card.path}:{line}: found {len(begins)} lines that begin the table of results and {len(ends)} that end "
            "it; expected one of each, in this order; remove the others"
        )
    return text[: begins[0].start()] + block + text[ends[0].end() :]


def _is_similarity(result: Result) -> bool:
    return result.type in KINDS and KINDS[result.type].similarity_report


def _place(result: Result) -> tuple[str, str, str]:
    return result.task, result.config, result.split


def _by_task(results: Sequence[Result]) -> dict[str, dict[tuple[str, str, str], float]]:
    tasks: dict[str, dict[tuple[str, str, str], float]] = {}
    for result in results:
        tasks.setdefault(result.task, {})[_place(result)] = next(iter(result.metrics.values()))
    return tasks


def _similarity_cells(columns: Sequence[Mapping[str, float]], family: str, digits: int) -> list[str]:
    cells = []
    for metrics in columns:
        for kind in CORRELATIONS:
            metric = f"{family}_{kind}"
            values = [f"{column[metric]:.{digits}f}" for column in columns if metric in column]
            text = f"{metrics[metric]:.{digits}f}" if metric in metrics else ""
            best = text and len(columns) > 1 and text == max(values, key=float)
            cells.append(f"**{text}**" if best else text)
    return cells
