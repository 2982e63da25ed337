"""The leaderboard as the script that its pages load: `window.BOARD = {...}`.

A script and not JSON, because a page that was opened from disk may not fetch files.
"""

from __future__ import annotations

import json
from typing import Any

from harness.leaderboard.benchmark_means import MEAN_SUBSET
from harness.leaderboard.board_values import Leaderboard, Row
from harness.leaderboard.counted_tasks import ScopedTask
from harness.outputs.site.dates import is_date, iso_date, recorded_at
from harness.outputs.site.urls import Urls
from harness.types import Part

DIGITS = 9


def script(board: Leaderboard, urls: Urls) -> str:
    """The script's text: ASCII, and free of anything that could end a script or a comment."""
    reasons: dict[str, int] = {}
    models = [_model(row, board, urls, reasons) for row in board.rows]
    content = {
        "title": board.title,
        "types": list(board.types),
        "groups": list(board.groups),
        "by_subset": MEAN_SUBSET in board.groups,
        "tasks": [_task(task, parts, urls) for task, parts in zip(board.tasks, board.parts, strict=True)],
        "models": models,
        "reasons": list(reasons),
    }
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return "window.BOARD=" + text.replace("<", "\\u003c").replace(">", "\\u003e") + ";\n"


def _task(task: ScopedTask, parts: tuple[Part, ...], urls: Urls) -> dict[str, Any]:
    return {
        "name": task.name,
        "type": task.type,
        "languages": list(task.languages),
        "url": urls.task(task),
        "dataset": task.dataset,
        "revision": task.revision,
        "metric": task.main_metric,
        "part": list(parts[0]) if len(parts) == 1 else None,
    }


def _model(row: Row, board: Leaderboard, urls: Urls, reasons: dict[str, int]) -> dict[str, Any]:
    gaps = {
        number: reasons.setdefault(row.missing[task.name], len(reasons))
        for number, task in enumerate(board.tasks)
        if task.name in row.missing
    }
    return {
        "label": row.label,
        "url": urls.model(row),
        "rank": row.rank,
        "mean": _short(row.mean_task),
        "low": _short(row.interval.low) if row.interval else None,
        "high": _short(row.interval.high) if row.interval else None,
        "best": row.rank_span.best if row.rank_span else None,
        "worst": row.rank_span.worst if row.rank_span else None,
        "group": row.tie_group,
        "mean_type": _short(row.mean_type),
        "types": [_short(row.by_type[name]) for name in board.types],
        "groups": [_short(row.by_group[name]) for name in board.groups],
        "scores": [_short(row.scores.get(task.name)) for task in board.tasks],
        "partial": {
            number: _short(row.partial[task.name])
            for number, task in enumerate(board.tasks)
            if task.name in row.partial
        },
        "zero_shot": _short(row.zero_shot),
        "parameters": row.facts.parameters,
        "open_weights": row.facts.open_weights,
        "dimensions": row.facts.dimensions,
        "max_tokens": row.facts.max_tokens,
        "speed": _short(row.throughput.tokens_per_second),
        "device": row.throughput.device,
        "gaps": gaps,
        "spans": {
            number: [_short(end) for end in row.score_intervals[task.name]]
            for number, task in enumerate(board.tasks)
            if task.name in row.score_intervals
        },
        "date": _date(board, row),
    }


def _date(board: Leaderboard, row: Row) -> str | None:
    """When the model was released or, where that is not known, last evaluated: an ISO date."""
    released = row.facts.release_date
    if released and is_date(released):
        return released
    recorded = recorded_at(board, row.files)
    return None if recorded is None else iso_date(recorded)


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
