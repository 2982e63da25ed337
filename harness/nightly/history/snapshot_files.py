"""Snapshots of nights on disk: the score of every cell and the run environment that it was measured in.

    <history>/00012-2026-01-31.night        one night: JSON, compressed; written once, never changed
    <history>/items/<sha256>.items.npz      the items files that nights refer to, each kept once
    <history>/reports/00012.{json,md}       the reports of the night

Nights are ordered by their number, so that a clock that was set back does not matter. A night with nothing to do adds
no snapshot.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import re
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from harness.errors import RecordError, UnknownName
from harness.files import atomic
from harness.files.disk_errors import on_disk
from harness.runner.cells import CellKey
from harness.types import Part
from harness.types.counted import counted

SUFFIX = ".night"
ITEMS = "items"
REPORTS = "reports"
FORMAT = 1
_DAMAGE = (zlib.error, EOFError, OSError, ValueError, RecursionError, MemoryError, msgspec.DecodeError)
"""What gzip and msgspec raise on a damaged file; BadGzipFile is an OSError, UnicodeDecodeError a ValueError."""
_NAME = re.compile(r"(\d{5,})-(\d{4}-\d\d-\d\d)\.night")


class RunEnvironment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a score was measured with, besides model, data and settings. Many cells share one."""

    versions: dict[str, str] = {}
    platform: str | None = None
    machine: str | None = None
    encoder: dict[str, Any] = {}


class NightCell(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One cell of a night.

    Attributes:
        environment: the index of its run environment in the night's `environments`.
        data: sha256 of the gold.
        date: when it was computed, as its record says; seconds since 1970.
        items: sha256 of its record's items file; None where there is none.
        seconds: how long it took to compute.
        stale: why its record was not valid that night, so that the score is that of an earlier night; empty for a valid
            record.
    """

    label: str
    task: str
    type: str
    split: str
    subset: str
    metric: str
    score: float
    model: str
    revision: str
    fingerprint: str
    environment: int = msgspec.field(name="world")
    variant: str = ""
    data: str | None = None
    dataset_revision: str | None = None
    date: float | None = None
    record: str = ""
    items: str | None = None
    seconds: float | None = None
    stale: str = ""

    @property
    def key(self) -> CellKey:
        """The cell by names, the same from night to night."""
        return CellKey(self.label, self.variant, self.task, self.part)

    @property
    def part(self) -> Part:
        """Split and subset."""
        return Part(self.split, self.subset)


class Night(msgspec.Struct, frozen=True, kw_only=True):
    """One night; times are seconds since 1970.

    Attributes:
        computed: how many cells were computed that night.
        environment: of the process that ran the night.
        environments: the run environments that its cells refer to.
        failures: cell or model -> error message.
        left: how many cells were left for the next night.
        notes: remarks for the report.
    """

    number: int
    started: float
    finished: float
    schedule: str = msgspec.field(name="plan")
    computed: int
    environment: RunEnvironment
    environments: tuple[RunEnvironment, ...] = msgspec.field(name="worlds")
    cells: tuple[NightCell, ...]
    failures: dict[str, str] = {}
    left: int = 0
    notes: tuple[str, ...] = ()
    format: int = FORMAT

    @property
    def name(self) -> str:
        """Number and date, for messages."""
        return f"{self.number} ({day(self.started)})"

    def by_key(self) -> dict[CellKey, NightCell]:
        """The cells by their keys."""
        return {cell.key: cell for cell in self.cells}

    def environment_of(self, cell: NightCell) -> RunEnvironment:
        """The run environment that a cell of this night was measured in."""
        return self.environments[cell.environment]


def day(seconds: float) -> str:
    """The UTC date of a time in seconds since 1970."""
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def nights(folder: Path) -> dict[int, Path]:
    """Number -> file of every snapshot, oldest first."""
    files = {}
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if match := _NAME.fullmatch(path.name):
                files[int(match[1])] = path
    return dict(sorted(files.items()))


def read(path: Path) -> Night:
    """Read a snapshot.

    Raises:
        RecordError: the file cannot be read, is broken, or has a later format.
    """
    with on_disk(path, "read"):
        content = path.read_bytes()
    try:
        night = msgspec.json.decode(gzip.decompress(content), type=Night)
    except _DAMAGE as err:
        raise RecordError(f"{path}: not a snapshot of a night ({err}); move it out of the folder") from err
    if night.format > FORMAT:
        raise RecordError(f"{path}: format {night.format}, expected {FORMAT}; update embedding-harness")
    if not all(0 <= cell.environment < len(night.environments) for cell in night.cells):
        raise RecordError(f"{path}: a cell refers to a run environment that the night lacks; move it out of the folder")
    return night


def last(folder: Path) -> Night | None:
    """The newest night; None where there is none.

    Raises:
        RecordError: its snapshot cannot be read.
    """
    files = nights(folder)
    return read(files[max(files)]) if files else None


def find(folder: Path, name: str) -> Night:
    """A night by number (`12`), from the end (`-1`, `latest`, `previous`), or by date (the last of `2026-01-31`).

    Raises:
        UnknownName: there is no such night.
        RecordError: its snapshot cannot be read.
    """
    files = nights(folder)
    if not files:
        raise UnknownName(f"no night in {folder}; run `harness nightly` first, or name the folder with --history")
    numbers = list(files)
    position = {"latest": -1, "previous": -2}.get(name)
    if re.fullmatch(r"-\d+", name):
        position = int(name)
    if position is not None and -len(numbers) <= position < 0:
        return read(files[numbers[position]])
    if name.isdecimal() and int(name) in files:
        return read(files[int(name)])
    dated = [number for number, path in files.items() if path.name.partition("-")[2] == f"{name}{SUFFIX}"]
    if dated:
        return read(files[dated[-1]])
    first, newest = files[numbers[0]].stem, files[numbers[-1]].stem
    raise UnknownName(
        f"no night {name!r} in {folder}; it has {counted(len(numbers), 'night')}, from {first} to {newest}"
    )


def write(folder: Path, night: Night) -> Path:
    """Write a snapshot, whole or not at all, as a read-only file.

    Raises:
        RecordError: a snapshot of this number exists, or the file cannot be written.
    """
    path = folder / f"{night.number:05}-{day(night.started)}{SUFFIX}"
    if night.number in nights(folder):
        raise RecordError(f"{path}: night {night.number} already has a snapshot; snapshots are never changed")
    with on_disk(path, "written"):
        folder.mkdir(parents=True, exist_ok=True)
        atomic.write(path, gzip.compress(msgspec.json.encode(night), compresslevel=6, mtime=0))
        path.chmod(0o444)
    return path


def keep_items(folder: Path, file: Path) -> str | None:
    """Keep a copy of an items file under its sha256, which is returned; None where there is no such file.

    The copy is a hard link where the disk allows it, since records are replaced and never changed in place.

    Raises:
        RecordError: the file cannot be read or the copy not written.
    """
    with on_disk(file, "read"):
        if not file.is_file():
            return None
        content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    place = items_place(folder, digest)
    with on_disk(place, "written"):
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(file, place)
            except OSError:
                atomic.write(place, content)
    return digest


def items_place(folder: Path, digest: str) -> Path:
    """The path of the items file with this sha256."""
    return folder / ITEMS / f"{digest}.items.npz"


def prune(folder: Path, *, keep: int) -> list[Path]:
    """Delete all but the newest `keep` nights, and the items files that no remaining night refers to.

    Returns:
        The deleted files.

    Raises:
        RecordError: a remaining night cannot be read, in which case nothing is deleted, or a file cannot be deleted.
    """
    files = nights(folder)
    old = list(files)[:-keep]
    if not keep or not old:
        return []
    remaining = [read(path) for number, path in files.items() if number not in old]
    wanted = {cell.items for night in remaining for cell in night.cells}
    gone = [files[number] for number in old]
    gone += [file for file in (folder / ITEMS).glob("*.items.npz") if file.name.partition(".")[0] not in wanted]
    for path in gone:
        with on_disk(path, "removed"):
            path.unlink(missing_ok=True)
    return gone


class MeasuredCell(NamedTuple):
    """A cell and the run environment that it was measured in."""

    cell: NightCell
    environment: RunEnvironment


def numbered(measured: Iterable[MeasuredCell]) -> tuple[tuple[NightCell, ...], tuple[RunEnvironment, ...]]:
    """Cells that refer to their run environments by index, and these environments, each once."""
    by_content: dict[bytes, int] = {}
    environments: list[RunEnvironment] = []
    cells = []
    by_object: dict[int, int] = {}  # spares encoding: many cells share one object
    for cell, environment in measured:
        number = by_object.get(id(environment))
        if number is None:
            content = msgspec.json.encode(environment, order="deterministic")
            if content not in by_content:
                by_content[content] = len(environments)
                environments.append(environment)
            number = by_object[id(environment)] = by_content[content]
        cells.append(cell if cell.environment == number else msgspec.structs.replace(cell, environment=number))
    return tuple(cells), tuple(environments)
