"""Summaries of result files as columns: rows of numbers that are positions in shared lists of strings and facts.

Half a million scores are 11 MB this way and travel between processes, to disk and back as plain bytes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import msgspec
import numpy as np

from harness.errors import RecordError
from harness.files.disk_errors import on_disk
from harness.files.reading import MAX_BYTES
from harness.leaderboard.file_summary import Facts, Summary, summarise
from harness.results.folder_walk import FileStamp
from harness.results.paths import Identity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows: TypeAlias = NDArray[np.void]

NONE = -1
FILES = np.dtype(
    [
        *(("folder", "<i4"), ("name", "<i4"), ("size", "<i8"), ("mtime", "<i8"), ("inode", "<u8"), ("problem", "<i4")),
        ("remark", "<i4"),
        *(("task", "<i4"), ("dataset_revision", "<i4"), ("mteb_version", "<i4"), ("seconds", "<f8"), ("date", "<f8")),
        *(("facts", "<i4"), ("first", "<i8"), ("count", "<i8")),
    ]
)
SCORES = np.dtype([("split", "<i4"), ("subset", "<i4"), ("languages", "<i4"), ("value", "<f8")])
FILE_STRINGS = ("name", "problem", "remark", "task", "dataset_revision", "mteb_version")
SCORE_STRINGS = ("split", "subset", "languages")
_NO_SUMMARY = (NONE, NONE, NONE, NONE, np.nan, np.nan, NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Result files in columns.

    Attributes:
        strings: the texts whose positions stand in the columns of names; -1 stands for None.
        files: (n,) FILES. A file with a `problem` was refused and has no scores; the scores of any other are
            `scores[first : first + count]`. NaN stands for None.
        scores: (m,) SCORES, NaN where a part has no main score.
        facts: those whose positions stand in `files["facts"]`.
    """

    strings: tuple[str, ...]
    files: Rows
    scores: Rows
    facts: tuple[Facts, ...]


class StoredColumns(msgspec.Struct, frozen=True, array_like=True):
    """Columns as they travel between processes and lie on disk."""

    strings: tuple[str, ...]
    files: bytes
    scores: bytes
    facts: tuple[Facts, ...]

    @classmethod
    def of(cls, columns: Columns) -> StoredColumns:
        """The columns, to be encoded."""
        return cls(columns.strings, columns.files.tobytes(), columns.scores.tobytes(), columns.facts)

    def columns(self) -> Columns:
        """The columns that were stored.

        Raises:
            ValueError: their rows have another layout.
        """
        files, scores = np.frombuffer(self.files, FILES), np.frombuffer(self.scores, SCORES)
        return Columns(strings=self.strings, files=files, scores=scores, facts=self.facts)


class FileToRead(NamedTuple):
    """One file to read.

    Attributes:
        folder: the number of its folder.
        identity: the model, revision and variant that it belongs to.
        problem: why no file of its folder can be read; None where they can.
        stamp: what is kept to tell later whether the file has changed.
    """

    folder: int
    identity: Identity
    problem: str | None
    path: str
    name: str
    size: int
    stamp: FileStamp


def empty() -> Columns:
    """No files."""
    return Columns(strings=(), files=np.empty(0, FILES), scores=np.empty(0, SCORES), facts=())


def read(files_to_read: Sequence[FileToRead]) -> Columns:
    """The files in columns, in order; one that is not a record has a problem instead of scores."""
    ids: dict[str | None, int] = {None: NONE}
    files: list[tuple[Any, ...]] = []
    scores: list[tuple[Any, ...]] = []
    facts: list[Facts] = []

    def id_(text: str | None) -> int:
        return ids.setdefault(text, len(ids) - 1)

    for file in files_to_read:
        summary, first = _summary(file), len(scores)
        if isinstance(summary, str):
            files.append((file.folder, id_(file.name), *file.stamp, id_(summary), *_NO_SUMMARY, first, 0))
            continue
        if summary.facts is not None:
            facts.append(summary.facts)
        scores += [
            (id_(split), id_(subset), id_(languages), _number(value))
            for split, subset, languages, value in summary.scores
        ]
        names = id_(summary.task), id_(summary.dataset_revision), id_(summary.mteb_version)
        numbers = _number(summary.seconds), _number(summary.date)
        fact = NONE if summary.facts is None else len(facts) - 1
        row = (*file.stamp, NONE, id_(summary.remark), *names, *numbers, fact, first, len(scores) - first)
        files.append((file.folder, id_(file.name), *row))
    del ids[None]
    return Columns(
        strings=tuple(filter(None.__ne__, ids)),  # type: ignore[arg-type]
        files=np.array(files, FILES),
        scores=np.array(scores, SCORES),
        facts=tuple(facts),
    )


def joined(pieces: Sequence[Columns]) -> Columns:
    """The files of all pieces, in order, over one list of strings."""
    ids: dict[str, int] = {}
    files, scores = [empty().files], [empty().scores]
    facts: list[Facts] = []
    n_scores = 0
    for piece in pieces:
        new_id = np.array([*(ids.setdefault(text, len(ids)) for text in piece.strings), NONE], np.int32)  # [-1] is -1
        piece_files, piece_scores = piece.files.copy(), piece.scores.copy()
        for name in FILE_STRINGS:
            piece_files[name] = new_id[piece_files[name]]
        for name in SCORE_STRINGS:
            piece_scores[name] = new_id[piece_scores[name]]
        piece_files["first"] += n_scores
        piece_files["facts"][piece_files["facts"] != NONE] += len(facts)
        n_scores += len(piece_scores)
        files.append(piece_files)
        scores.append(piece_scores)
        facts += piece.facts
    return Columns(strings=tuple(ids), files=np.concatenate(files), scores=np.concatenate(scores), facts=tuple(facts))


def score_positions(files: Rows) -> NDArray[np.int64]:
    """Where the scores of some files stand in `Columns.scores`, file by file."""
    counts = files["count"]
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(files["first"] - (ends - counts), counts)


def taken(columns: Columns, rows: NDArray[np.int64]) -> Columns:
    """Some files, in the order of `rows`, with nothing but their scores and facts."""
    files = columns.files[rows]
    scores = columns.scores[score_positions(files)]
    has_facts = files["facts"] != NONE
    facts = tuple(columns.facts[number] for number in files["facts"][has_facts].tolist())
    files["first"] = np.cumsum(files["count"]) - files["count"]
    files["facts"][has_facts] = np.arange(len(facts))
    return Columns(strings=columns.strings, files=files, scores=scores, facts=facts)


def _summary(file: FileToRead) -> Summary | str:
    """The summary of a file, or why it was refused."""
    if file.problem:
        return file.problem
    if file.size > MAX_BYTES:
        return f"{file.size} bytes, more than {MAX_BYTES}: not a result file"
    try:
        return summarise(_bytes(file), path=file.path, identity=file.identity)
    except RecordError as err:
        return str(err).removeprefix(f"{file.path}: ")


def _bytes(file: FileToRead) -> bytes:
    try:
        descriptor = os.open(file.path, os.O_RDONLY)
        try:
            return os.read(descriptor, file.size + 1)
        finally:
            os.close(descriptor)
    except OSError:
        with on_disk(Path(file.path), "read"):
            raise


def _number(value: float | None) -> float:
    return np.nan if value is None else value
