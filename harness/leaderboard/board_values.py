"""A leaderboard as a value: its rows, as nested values for JSON and as flat ones for tables (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.leaderboard import model_facts
from harness.leaderboard.counted_tasks import ScopedTask
from harness.leaderboard.file_index import Index, Remark
from harness.leaderboard.folder_owners import ModelFacts
from harness.leaderboard.record_choice import IndexRow, Who
from harness.leaderboard.unranked import Unranked
from harness.stats.bootstrap import Interval
from harness.stats.ranks import RankSpan
from harness.types import Part, Refused
from harness.types.data_frame import data_frame, notebook_html

if TYPE_CHECKING:
    import pandas

    from harness.types import Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model.

    Attributes:
        label: name as shown: with the revision and variant where these set it apart.
        revisions: of its files, most used first.
        rank: by the Borda count, from 1.
        mean_task, mean_type: None where a task is missing.
        by_type: type -> mean over its tasks, None where one is missing.
        by_group: name of a further mean of the benchmark's table -> the mean, None where one is missing.
        scores: task -> score, for the tasks that have one.
        partial: task -> mean over the recorded parts, for the tasks that lack some; it counts for the rank alone.
        missing: task -> why there is no score.
        files: task -> the file that its score comes from; see `Leaderboard.indices`.
        zero_shot: share of the board's tasks that the model was not trained on; None where its metadata does not say.
        interval: of Mean (Task), at 95%; see `uncertainty`.
        score_intervals: task -> 95% interval of its score by resampled items, for tasks whose records hold items.
        rank_span: the 95% interval of the rank by Mean (Task).
        tie_group: number, from 1, of a group of models that are statistically tied with the best of the group.
    """

    who: Who
    label: str
    revisions: tuple[str, ...]
    rank: int
    points: float
    mean_task: float | None
    mean_type: float | None
    by_type: Mapping[str, float | None]
    scores: Mapping[str, float]
    missing: Mapping[str, str]
    files: Mapping[str, IndexRow]
    facts: ModelFacts = field(default_factory=ModelFacts)
    throughput: model_facts.Throughput = field(default_factory=model_facts.Throughput)
    partial: Mapping[str, float] = field(default_factory=dict)
    by_group: Mapping[str, float | None] = field(default_factory=dict)
    zero_shot: float | None = None
    interval: Interval | None = None
    score_intervals: Mapping[str, Interval] = field(default_factory=dict)
    rank_span: RankSpan | None = None
    tie_group: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """Ranked models.

    Attributes:
        tasks: the columns: the tasks of the scope that some model has results for.
        parts: of each of them, the parts that count.
        types: in the order of `evaluators.KINDS`, then others.
        groups: names of the further means of the benchmark's table.
        rows: best first.
        unrecorded: tasks of the scope that no model has results for; they are not counted.
        not_common: tasks that were left out because some model lacks them, where only common tasks were asked for.
        without_row: models that have records of these tasks, but none with all of its parts, with the reasons; as in
            mteb, they take places in the ranks all the same.
        refused: files that are not records, and why.
        remarks: what the reader had to decide about files that are records.
        completed_by: the command that computes what a row lacks, with MODEL for the model.
        variants_left_out: how many variants of models were not asked for.
        uncertainty: what was resampled for the intervals; empty where there are none.
        indices: of the results folders, into which the references of `Row.files` count.
    """

    title: str
    tasks: tuple[ScopedTask, ...]
    parts: tuple[tuple[Part, ...], ...]
    types: tuple[str, ...]
    rows: tuple[Row, ...]
    groups: tuple[str, ...] = ()
    unrecorded: tuple[ScopedTask, ...] = ()
    not_common: tuple[ScopedTask, ...] = ()
    without_row: Unranked = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()
    remarks: tuple[Remark, ...] = ()
    completed_by: str = ""
    variants_left_out: int = 0
    uncertainty: str = ""
    indices: tuple[Index, ...] = ()

    def path(self, file: IndexRow) -> Path:
        """Where a file of `Row.files` lies."""
        return self.indices[file.source].path(file.row)

    def to_pandas(self) -> pandas.DataFrame:
        """One row for each model, best first, with the columns of `harness leaderboard --format csv`; scores 0-1."""
        return data_frame(flat(self, self.rows))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return notebook_html(self.to_pandas())

    def score_matrix(self) -> Float64:
        """(rows, tasks) float64, NaN where missing."""
        names = [task.name for task in self.tasks]
        return np.array([[row.scores.get(name, math.nan) for name in names] for row in self.rows]).reshape(
            len(self.rows), len(names)
        )


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
            "rank_low": row.rank_span.best if row.rank_span else None,
            "rank_high": row.rank_span.worst if row.rank_span else None,
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
