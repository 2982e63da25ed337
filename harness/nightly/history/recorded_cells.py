"""What the results folder holds, by cell, from the leaderboard's index: no record is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from harness.leaderboard.file_index import Index
from harness.leaderboard.index_columns import NONE
from harness.types import Part


class File(NamedTuple):
    """A record as the index knows it: what it was made with, and its main score by part."""

    fingerprint: str | None
    precision: str | None
    scores: Mapping[Part, float]
    date: float
    path: Path
    problem: str


class Known(NamedTuple):
    """Of the index: files by model, revision, variant and task; revisions by model, variant and task; and rates."""

    files: Mapping[tuple[str, str, str, str], File]
    revisions: Mapping[tuple[str, str, str], list[str]]
    tokens: Mapping[str, float]
    pace: Mapping[str, float]


def recorded_in(own: Index) -> Known:
    """What an index knows, by the names that cells go by."""
    columns = own.columns
    strings, facts = columns.strings, columns.facts
    owners = [folder.owner.identity for folder in own.folders]
    folders = [str(own.root / folder.path) for folder in own.folders]
    scores = list(zip(*(columns.scores[name].tolist() for name in ("split", "subset", "value")), strict=True))
    names = ("folder", "name", "problem", "facts", "first", "count", "date", "seconds")
    files: dict[tuple[str, str, str, str], File] = {}
    revisions: dict[tuple[str, str, str], list[str]] = {}
    tokens: dict[str, float] = {}
    spent: dict[str, tuple[float, int]] = {}
    for folder, name, problem, fact, first, count, date, seconds in zip(
        *(columns.files[column].tolist() for column in names), strict=True
    ):
        who, file_name = owners[folder], strings[name]
        task = file_name.removesuffix(".json")
        told = facts[fact] if fact != NONE else None
        files[who.model, who.revision, who.variant, task] = File(
            told.fingerprint if told else None,
            told.precision if told else None,
            {
                Part(strings[split], strings[subset]): value
                for split, subset, value in scores[first : first + count]
                if value == value
            },
            date,
            Path(f"{folders[folder]}/{file_name}"),
            "" if problem == NONE else strings[problem],
        )
        revisions.setdefault((who.model, who.variant, task), []).append(who.revision)
        if told and told.tokens:
            tokens.setdefault(task, told.tokens / count)
            if seconds == seconds:
                so_far = spent.get(who.model, (0.0, 0))
                spent[who.model] = (so_far[0] + seconds, so_far[1] + told.tokens)
    pace = {model: seconds / count for model, (seconds, count) in spent.items()}
    return Known(files, revisions, tokens, pace)
