"""The site's pages, from templates that escape everything that is put into them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import numpy as np

from harness.leaderboard.board_values import Leaderboard, Row
from harness.leaderboard.compression import of_row
from harness.leaderboard.record_choice import Who, select
from harness.leaderboard.score_matrix import matrix
from harness.outputs import compression_picture, compression_table
from harness.outputs.number_text import MISSING, interval_text, score_text
from harness.outputs.site.dates import iso_date, recorded_at
from harness.outputs.site.urls import Urls
from harness.types import Refused, counted

if TYPE_CHECKING:
    from jinja2 import Environment


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
            board=board,
            urls=urls,
            root="",
            newest=_newest(board),
            cards=_cards(board, urls),
            refused=[_short(file) for file in board.refused],
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
                compression=(compression := of_row(board, row)),
                picture=compression_picture.picture(compression) if compression else "",
                compressed=compression_table,
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

    environment = Environment(
        loader=PackageLoader("harness.outputs.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["score"] = score_text
    environment.filters["span"] = interval_text
    return environment


def _web(address: str | None) -> str | None:
    """An address that may become a link: of the web, and of nothing that runs."""
    return address if address and urlsplit(address).scheme in ("http", "https") else None


def _short(file: Refused) -> Refused:
    """A refusal without the way to the results folder, which is nobody's business on a page."""
    return Refused("/".join(file.path.replace("\\", "/").split("/")[-3:]), file.reason)


# --- the board's page ----------------------------------------------------------------------------------------------


def _newest(board: Leaderboard) -> str | None:
    """The date of the board's newest record."""
    dates = [date for row in board.rows if (date := recorded_at(board, row.files)) is not None]
    return iso_date(max(dates)) if dates else None


class _Card(NamedTuple):
    what: str
    model: str
    url: str
    facts: Sequence[tuple[str, str]]


def _cards(board: Leaderboard, urls: Urls) -> list[_Card]:
    """The answers that most people come for."""
    complete = [row for row in board.rows if row.mean_task is not None]
    cards: list[_Card] = []

    def add(what: str, row: Row) -> None:
        facts = [("Mean (Task)", score_text(row.mean_task)), ("95%", interval_text(row.interval))]
        facts += [("Rank (Borda)", str(row.rank))]
        facts += (
            [("Speed", f"{row.throughput.tokens_per_second:,.0f} tokens/s")] if row.throughput.tokens_per_second else []
        )
        facts += [("Parameters", _count(row.facts.parameters))] if row.facts.parameters else []
        cards.append(_Card(what, row.label, urls.model(row), facts))

    if complete:
        best = min(complete, key=lambda row: (row.rank, row.label))
        tied = sum(row.tie_group == best.tie_group for row in complete) - 1 if best.tie_group else 0
        add("First" + (f", statistically tied with {tied} more" if tied else ""), best)
        small = [row for row in complete if row.facts.parameters and row.facts.parameters < 150e6]
        if small:
            add("First below 150 million parameters", min(small, key=lambda row: (row.rank, row.label)))
        timed = [row for row in complete if row.throughput.tokens_per_second]
        if timed:
            add("Fastest", max(timed, key=lambda row: row.throughput.tokens_per_second or 0.0))
    return cards


def _count(value: int) -> str:
    for size, unit in ((1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:,}"


# --- a model's page ------------------------------------------------------------------------------------------------


def _facts(row: Row) -> list[tuple[str, str]]:
    throughput, facts = row.throughput, row.facts
    listed = [
        ("Rank (Borda)", str(row.rank)),
        ("Mean (Task)", score_text(row.mean_task)),
        ("95%", interval_text(row.interval)),
        ("Tie group", row.tie_group),
        ("Mean (TaskType)", score_text(row.mean_type)),
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
    return [(name, str(value)) for name, value in listed if value]


class _Revisions(NamedTuple):
    """The revisions of a model, newest first, and how many tasks all of them have (0 for a single revision)."""

    entries: list[Entry]
    shared: int


class _History:
    """The revisions of every model: one matrix for all of them."""

    def __init__(self, board: Leaderboard) -> None:
        self.board = board
        names = {task.name for task in board.tasks}
        self.files = select(board.indices, tasks=names, variants=True, revisions=True)
        self.scores = matrix(board.indices, self.files, board.tasks).scores
        self.numbers: dict[tuple[str, str], list[tuple[int, Who]]] = {}
        for number, who in enumerate(self.files):
            self.numbers.setdefault((who.model, who.variant), []).append((number, who))

    def of(self, row: Row) -> _Revisions:
        """The history of a row's model."""
        revisions = [
            (number, who)
            for number, who in self.numbers.get((row.who.model, row.who.variant), [])
            if row.who.revision in ("", who.revision)
        ]
        scores = self.scores[[number for number, _ in revisions]]
        common = ~np.isnan(scores).any(axis=0)
        count = int(common.sum()) if len(revisions) > 1 else 0
        entries = []
        for (_, who), values in zip(revisions, scores, strict=True):
            recorded = recorded_at(self.board, self.files[who])
            tasks = int(np.count_nonzero(~np.isnan(values)))
            entry = Entry(
                revision=who.revision,
                date=(iso_date(recorded) if recorded is not None else None) or MISSING,
                tasks=tasks,
                mean=float(values.mean()) if tasks == len(values) else None,
                shared=float(values[common].mean()) if count else None,
            )
            entries.append((-math.inf if recorded is None else recorded, entry))
        entries.sort(key=lambda pair: (-pair[0], pair[1].revision))
        return _Revisions([entry for _, entry in entries], count)


# --- a task's page -------------------------------------------------------------------------------------------------


def _task_facts(board: Leaderboard, number: int) -> list[tuple[str, str]]:
    task, parts = board.tasks[number], board.parts[number]
    listed = [
        ("Type", task.type),
        ("Main metric", task.main_metric),
        ("Parts that count", counted.listed(parts, most=6)),
        ("Languages", ", ".join(task.languages[:8]) + (" ..." if len(task.languages) > 8 else "")),
        ("Data", task.dataset),
    ]
    return [(name, value) for name, value in listed if value]
