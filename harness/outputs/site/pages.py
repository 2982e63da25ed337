"""The site's pages, from templates that escape everything that is put into them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import numpy as np

from harness.leaderboard.board import Leaderboard, Row
from harness.leaderboard.record_choice import Who, select
from harness.leaderboard.score_matrix import matrix
from harness.outputs.site.dates import iso_date
from harness.outputs.site.urls import Urls
from harness.types import Refused

if TYPE_CHECKING:
    from jinja2 import Environment

MISSING = "–"


class Entry(NamedTuple):
    """One revision of a model in its history."""

    revision: str
    date: str
    tasks: int
    mean: float | None
    shared: float | None


def render(board: Leaderboard, urls: Urls) -> Iterator[tuple[str, str]]:
    """Every page: its path and its text."""
    templates = _environment()
    spans = any(row.score_intervals for row in board.rows)
    yield (
        "index.html",
        templates.get_template("index.html").render(
            board=board, urls=urls, root="", cards=_cards(board, urls), refused=[_short(file) for file in board.refused]
        ),
    )
    model, history = templates.get_template("model.html"), _History(board)
    for number, row in enumerate(board.rows):
        entries, shared = history.of(row)
        yield (
            urls.model(row),
            model.render(
                board=board,
                row=row,
                number=number,
                root="../",
                facts=_facts(row),
                reference=_web(row.facts.reference),
                history=entries,
                shared=shared,
                spans=spans,
            ),
        )
    task_page = templates.get_template("task.html")
    for number, task in enumerate(board.tasks):
        yield (
            urls.task(task),
            task_page.render(
                board=board,
                task=task,
                number=number,
                root="../",
                facts=_task_facts(board, number),
                reference=_web(task.reference),
                spans=spans,
            ),
        )


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("harness.outputs.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["score"] = _score
    made.filters["span"] = _span
    return made


def _score(value: float | None) -> str:
    return MISSING if value is None else f"{value:.4f}"


def _span(value: tuple[float, float] | None) -> str:
    return MISSING if value is None else f"{value[0]:.4f} to {value[1]:.4f}"


def _web(address: str | None) -> str | None:
    """An address that may become a link: of the web, and of nothing that runs."""
    return address if address and urlsplit(address).scheme in ("http", "https") else None


def _short(file: Refused) -> Refused:
    """A refusal without the way to the results folder, which is nobody's business on a page."""
    return Refused("/".join(file.path.replace("\\", "/").split("/")[-3:]), file.reason)


# --- the board's page ----------------------------------------------------------------------------------------------


class _Card(NamedTuple):
    what: str
    model: str
    url: str
    facts: Sequence[tuple[str, str]]


def _cards(board: Leaderboard, urls: Urls) -> list[_Card]:
    """The answers that most people come for."""
    complete = [row for row in board.rows if row.mean_task is not None]
    found: list[_Card] = []

    def add(what: str, row: Row) -> None:
        facts = [("Mean (Task)", _score(row.mean_task)), ("95%", _span(row.interval))]
        facts += [("Rank (Borda)", str(row.rank))]
        facts += (
            [("Speed", f"{row.throughput.tokens_per_second:,.0f} tokens/s")] if row.throughput.tokens_per_second else []
        )
        facts += [("Parameters", _count(row.facts.parameters))] if row.facts.parameters else []
        found.append(_Card(what, row.label, urls.model(row), facts))

    if complete:
        best = min(complete, key=lambda row: (row.rank, row.label))
        tied = sum(row.tie_group == best.tie_group for row in complete) - 1 if best.tie_group else 0
        add("First" + (f", not separable from {tied} more" if tied else ""), best)
        small = [row for row in complete if row.facts.parameters and row.facts.parameters < 150e6]
        if small:
            add("First below 150 million parameters", min(small, key=lambda row: (row.rank, row.label)))
        timed = [row for row in complete if row.throughput.tokens_per_second]
        if timed:
            add("Fastest", max(timed, key=lambda row: row.throughput.tokens_per_second or 0.0))
    return found


def _count(value: int) -> str:
    for size, unit in ((1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:,}"


# --- a model's page ------------------------------------------------------------------------------------------------


def _facts(row: Row) -> list[tuple[str, str]]:
    throughput, facts = row.throughput, row.facts
    known = [
        ("Rank (Borda)", str(row.rank)),
        ("Mean (Task)", _score(row.mean_task)),
        ("95%", _span(row.interval)),
        ("Tie group", row.tie_group),
        ("Mean (TaskType)", _score(row.mean_type)),
        ("Zero-shot", None if row.zero_shot is None else f"{row.zero_shot:.0%}"),
        ("Parameters", facts.parameters and _count(facts.parameters)),
        ("Dimensions", facts.dimensions),
        ("Max tokens", facts.max_tokens),
        ("Released", facts.release_date),
        ("Licence", facts.license),
        ("Revision", ", ".join(row.revisions)),
        ("Device", throughput.device),
        ("Precision", throughput.precision),
        ("Speed", throughput.tokens_per_second and f"{throughput.tokens_per_second:,.0f} tokens/s"),
    ]
    return [(name, str(value)) for name, value in known if value]


class _History:
    """The revisions of every model: one matrix for all of them."""

    def __init__(self, board: Leaderboard) -> None:
        self.board = board
        names = {task.name for task in board.tasks}
        self.cells = select(board.indices, tasks=names, variants=True, revisions=True)
        self.scores = matrix(board.indices, self.cells, board.tasks).scores
        self.numbers: dict[tuple[str, str], list[tuple[int, Who]]] = {}
        for number, who in enumerate(self.cells):
            self.numbers.setdefault((who.model, who.variant), []).append((number, who))

    def of(self, row: Row) -> tuple[list[Entry], int]:
        """A model's revisions, newest first, and how many tasks all of them have (0 where there is one)."""
        own = [
            (number, who)
            for number, who in self.numbers.get((row.who.model, row.who.variant), [])
            if row.who.revision in ("", who.revision)
        ]
        scores = self.scores[[number for number, _ in own]]
        common = ~np.isnan(scores).any(axis=0)
        count = int(common.sum()) if len(own) > 1 else 0
        entries = []
        for (_, who), values in zip(own, scores, strict=True):
            dates = self._dates(who)
            known = values[~np.isnan(values)]
            entries.append(
                (
                    max(dates, default=-math.inf),
                    Entry(
                        revision=who.revision,
                        date=(iso_date(max(dates)) if dates else None) or MISSING,
                        tasks=len(known),
                        mean=float(values.mean()) if len(known) == len(values) else None,
                        shared=float(values[common].mean()) if count else None,
                    ),
                )
            )
        entries.sort(key=lambda pair: (-pair[0], pair[1].revision))
        return [entry for _, entry in entries], count

    def _dates(self, who: Who) -> list[float]:
        found = [self.board.indices[index].columns.files["date"][row] for index, row in self.cells[who].values()]
        return [float(date) for date in found if date == date]


# --- a task's page -------------------------------------------------------------------------------------------------


def _task_facts(board: Leaderboard, number: int) -> list[tuple[str, str]]:
    task, parts = board.tasks[number], board.parts[number]
    shown = ", ".join(map(str, parts[:6])) + (f" and {len(parts) - 6} more" if len(parts) > 6 else "")
    known = [
        ("Type", task.type),
        ("Main metric", task.main_metric),
        ("Parts that count", shown),
        ("Languages", ", ".join(task.languages[:8]) + (" ..." if len(task.languages) > 8 else "")),
        ("Data", task.dataset),
    ]
    return [(name, value) for name, value in known if value]
