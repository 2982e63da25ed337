"""The look-up of a night, which takes what is recorded from the leaderboard's index and reads no records.

Reading 20,000 records would take longer than a night with nothing to do may.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.leaderboard import file_index
from harness.leaderboard.file_index import Index
from harness.leaderboard.index_columns import NONE
from harness.runner.recorded import RecordedParts
from harness.types import ModelSpec, Part


@dataclass(frozen=True, slots=True)
class RecordedIndex:
    """The look-up of a night; see `harness.runner.recorded.LookUp`.

    Attributes:
        files: model, revision, variant and task -> its record, or why that cannot be used.
        revisions: model, variant and task -> the revisions that are recorded.
        tokens: task -> tokens of one part, where some record tells them.
        pace: model -> seconds per token, where some record tells it.
    """

    files: Mapping[tuple[str, str, str, str], RecordedParts | str] = field(default_factory=dict)
    revisions: Mapping[tuple[str, str, str], list[str]] = field(default_factory=dict)
    tokens: Mapping[str, float] = field(default_factory=dict)
    pace: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, model: ModelSpec, *, variant: str, task: str) -> RecordedParts | str:
        """What is recorded of the task, or why there is nothing that can be used."""
        recorded = self.files.get((model.name, model.revision, variant, task))
        if recorded is not None:
            return recorded
        moved = (model.name, variant, task) in self.revisions
        return f"the model is now at {model.revision[:10]}" if moved else "not recorded yet"


def read(results: Path) -> RecordedIndex:
    """The look-up of a results folder, which need not exist."""
    return of_index(file_index.read(results)) if results.is_dir() else RecordedIndex()


def of_index(index: Index) -> RecordedIndex:
    """The look-up of an index."""
    columns = index.columns
    strings, facts = columns.strings, columns.facts
    owners = [folder.owner.identity for folder in index.folders]
    folders = [str(index.root / folder.path) for folder in index.folders]
    scores = list(zip(*(columns.scores[name].tolist() for name in ("split", "subset", "value")), strict=True))
    names = ("folder", "name", "problem", "facts", "first", "count", "date", "seconds")
    files: dict[tuple[str, str, str, str], RecordedParts | str] = {}
    revisions: dict[tuple[str, str, str], list[str]] = {}
    tokens: dict[str, float] = {}
    spent: dict[str, tuple[float, int]] = {}
    for folder, name, problem, fact, first, count, date, seconds in zip(
        *(columns.files[column].tolist() for column in names), strict=True
    ):
        owner, file_name = owners[folder], strings[name]
        task = file_name.removesuffix(".json")
        summary = facts[fact] if fact != NONE else None
        if problem != NONE:
            files[owner.model, owner.revision, owner.variant, task] = f"the record is broken ({strings[problem]})"
        else:
            files[owner.model, owner.revision, owner.variant, task] = RecordedParts(
                parts={
                    Part(strings[split], strings[subset])
                    for split, subset, value in scores[first : first + count]
                    if value == value
                },
                fingerprint=summary.fingerprint if summary else None,
                precision=summary.precision if summary else None,
                path=Path(f"{folders[folder]}/{file_name}"),
                date=date,
            )
        revisions.setdefault((owner.model, owner.variant, task), []).append(owner.revision)
        if summary and summary.tokens:
            tokens.setdefault(task, summary.tokens / count)
            if seconds == seconds:
                so_far = spent.get(owner.model, (0.0, 0))
                spent[owner.model] = (so_far[0] + seconds, so_far[1] + summary.tokens)
    pace = {model: seconds / count for model, (seconds, count) in spent.items()}
    return RecordedIndex(files, revisions, tokens, pace)
