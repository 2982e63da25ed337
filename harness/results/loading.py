"""`harness.load_results`: reads the records of a results folder as one value, or as a table."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UnknownName
from harness.files.folders import results_folder
from harness.results import scan
from harness.results.asked_names import recorded_name
from harness.types import Record, Refused
from harness.types.data_frame import data_frame, notebook_html

if TYPE_CHECKING:
    import pandas

_IDENTITY = ("model", "revision", "variant", "task", "split", "subset")


@dataclass(frozen=True, slots=True)
class Results:
    """Records read from a results folder; iteration yields them sorted by path.

    Attributes:
        records: the requested records.
        refused: every JSON file in the folder that is not a record, with the reason.
    """

    records: tuple[Record, ...]
    refused: tuple[Refused, ...]

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def to_pandas(self) -> pandas.DataFrame:
        """One row for each part of each record.

        Returns:
            The columns `model`, `revision`, `variant` (empty for plain records), `task`, `split`, `subset`,
            `main_score`, and then every metric with a single value, in alphabetical order; NaN where a part does not
            have the metric. Lists, such as the scores of single experiments, are left out.
        """
        rows = []
        for record in self.records:
            for part, entry in record.parts.items():
                names = (record.model, record.revision, record.variant, record.task, part.split, part.subset)
                metrics = {name: value for name, value in entry.items() if _is_number(value)}
                rows.append({**metrics, **dict(zip(_IDENTITY, names, strict=True))})
        columns = sorted({name for row in rows for name in row} - {*_IDENTITY, "main_score"})
        table = data_frame(rows, columns=[*_IDENTITY, "main_score", *columns])
        return table.astype(dict.fromkeys(["main_score", *columns], "float64"))

    def _repr_html_(self) -> str:
        """What a notebook shows: one row for each part, with its main score."""
        return notebook_html(self.to_pandas()[[*_IDENTITY, "main_score"]])


def load_results(
    folder: str | os.PathLike[str] | None = None,
    *,
    models: str | Sequence[str] | None = None,
    tasks: str | Sequence[str] | None = None,
    require_models: bool = False,
) -> Results:
    """Read the records of a results folder: your own, or a clone of mteb's public results repository.

    Args:
        folder: the results folder; `$HARNESS_RESULTS`, else `results`.
        models: only records of these models, by any name that `harness.run` takes.
        tasks: only records of these tasks.
        require_models: refuse a model that has no record at all, rather than leave it out.

    Returns:
        The records, and the files that could not be read as records.

    Raises:
        UnknownName: there is no such folder, or no record of a model that is required.
        HarnessError: a name that fits several models or revisions.
    """
    root = results_folder(folder)
    if not root.is_dir():
        raise UnknownName(f"no results folder {root}; expected the folder that holds the records of `harness run`")
    records: list[Record] = []
    refused: list[Refused] = []
    for item in scan(root):
        if isinstance(item, Refused):
            refused.append(item)
        else:
            records.append(item)
    if models is not None:
        records = _of_models(records, [models] if isinstance(models, str) else models, root, required=require_models)
    if tasks is not None:
        wanted = {tasks} if isinstance(tasks, str) else set(tasks)
        records = [record for record in records if record.task in wanted]
    return Results(tuple(records), tuple(refused))


def _of_models(records: list[Record], models: Sequence[str], root: Path, *, required: bool) -> list[Record]:
    revisions: dict[str, set[str]] = {}
    for record in records:
        revisions.setdefault(record.model, set()).add(record.revision)
    asked = []
    for name in models:
        try:
            asked.append(recorded_name(name, revisions, folders=[root]))
        except UnknownName:  # no record is an answer too
            if required:
                raise
    return [record for record in records if any(name.covers(record.model, record.revision) for name in asked)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
