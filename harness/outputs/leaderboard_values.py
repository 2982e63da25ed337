"""A leaderboard as values: nested for JSON, flat for CSV and Parquet (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.leaderboard.board import Leaderboard, Row


def nested(board: Leaderboard, rows: Sequence[Row]) -> dict[str, Any]:
    """The whole leaderboard as values that JSON can hold."""
    return {
        "title": board.title,
        "uncertainty": board.uncertainty or None,
        "tasks": [
            {"name": task.name, "type": task.type, "languages": list(task.languages), "parts": list(map(str, parts))}
            for task, parts in zip(board.tasks, board.parts, strict=True)
        ],
        "unrecorded": [task.name for task in board.unrecorded],
        "not_common": [task.name for task in board.not_common],
        "without_row": {label: dict(reasons) for label, reasons in board.without_row.items()},
        "models": [_row(row) for row in rows],
        "refused": [refusal._asdict() for refusal in board.refused],
        "remarks": [remark._asdict() for remark in board.remarks],
    }


def flat(board: Leaderboard, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One mapping per row, all with the same keys: the columns of CSV and Parquet."""
    return [
        {
            "rank_borda": row.rank,
            "model": row.who.model,
            "variant": row.who.variant,
            "revision": row.revisions[0] if row.revisions else "",
            "mean_task": row.mean_task,
            "mean_task_low": row.interval.low if row.interval else None,
            "mean_task_high": row.interval.high if row.interval else None,
            "rank_low": row.rank_span[0] if row.rank_span else None,
            "rank_high": row.rank_span[1] if row.rank_span else None,
            "tie_group": row.tie_group,
            "mean_task_type": row.mean_type,
            **{name: row.by_type[name] for name in board.types},
            **{name: row.by_group[name] for name in board.groups},
            "zero_shot": row.zero_shot,
            "parameters": row.facts.parameters,
            "dimensions": row.facts.dimensions,
            "max_tokens": row.facts.max_tokens,
            "tokens_per_second": row.throughput.tokens_per_second,
            "device": row.throughput.device,
            "missing": len(row.missing),
            **{f"task:{task.name}": row.scores.get(task.name) for task in board.tasks},
        }
        for row in rows
    ]


def _row(row: Row) -> dict[str, Any]:
    return {
        "rank_borda": row.rank,
        "borda": row.points,
        "model": row.who.model,
        "variant": row.who.variant or None,
        "revisions": list(row.revisions),
        "mean_task": row.mean_task,
        "interval": list(row.interval) if row.interval else None,
        "rank_span": list(row.rank_span) if row.rank_span else None,
        "tie_group": row.tie_group,
        "mean_task_type": row.mean_type,
        "types": dict(row.by_type),
        "groups": dict(row.by_group),
        "zero_shot": row.zero_shot,
        "parameters": row.facts.parameters,
        "dimensions": row.facts.dimensions,
        "max_tokens": row.facts.max_tokens,
        "measured": {
            "device": row.throughput.device,
            "precision": row.throughput.precision,
            "tokens_per_second": row.throughput.tokens_per_second,
            "texts_per_second": row.throughput.texts_per_second,
        },
        "scores": dict(row.scores),
        "score_intervals": {task: list(span) for task, span in row.score_intervals.items()},
        "missing": dict(row.missing),
    }
