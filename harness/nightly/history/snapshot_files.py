"""Snapshots of nights on disk: what every cell scored, and in what world.

    <history>/00012-2026-01-31.night        one night: JSON, compressed; written once, never changed
    <history>/items/<sha256>.items.npz      the per-item scores that nights refer to, each kept once
    <history>/reports/00012.{json,md}       what the night had to say

Nights are ordered by their number; a clock that was set back changes no order. A night that found nothing new adds no
snapshot: it is the same night still.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import re
import time
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import RecordError, UnknownName
from harness.files import atomic
from harness.files.disk_errors import on_disk
from harness.runner.cells import CellKey
from harness.types import Part

SUFFIX = ".night"
ITEMS = "items"
REPORTS = "reports"
FORMAT = 1
_NAME = re.compile(r"(\d{5,})-(\d{4}-\d\d-\d\d)\.night")


class World(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a score was measured with, besides model, data and settings; many cells share one."""

    versions: dict[str, str] = {}
    platform: str | None = None
    machine: str | None = None
    encoder: dict[str, Any] = {}


class NightCell(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One cell of a night.

    Attributes:
        world: which of the night's worlds.
        data: sha256 of what the scorer saw.
        date: when it was computed, as its record says.
        items: sha256 of its record's per-item scores; None where there are none.
        stale: why its record no longer stood that night; the score is the last one known. Empty for one that stands.
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
    world: int
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
        """The cell from night to night."""
        return CellKey(self.label, self.variant, self.task, self.part)

    @property
    def part(self) -> Part:
        """Split and subset."""
        return Part(self.split, self.subset)


class Night(msgspec.Struct, frozen=True, kw_only=True):
    """One night; times are seconds since 1970.

    Attributes:
        computed: cells that were computed for it.
        failures: cell or model -> why it could not be computed.
        left: cells that the budget left for another night.
        environment: of the machine that ran it.
    """

    number: int
    started: float
    finished: float
    schedule: str = msgspec.field(name="plan")
    computed: int
    environment: World
    worlds: tuple[World, ...]
    cells: tuple[NightCell, ...]
    failures: dict[str, str] = {}
    left: int = 0
    notes: tuple[str, ...] = ()
    format: int = FORMAT

    @property
    def name(self) -> str:
        """For people: number and date."""
        return f"{self.number} ({day(self.started)})"

    def by_key(self) -> dict[CellKey, NightCell]:
        """The cells."""
        return {cell.key: cell for cell in self.cells}


def day(seconds: float) -> str:
    """The date of a moment, UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def nights(folder: Path) -> dict[int, Path]:
    """Number -> file of every snapshot, oldest first."""
    found = {}
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if match := _NAME.fullmatch(path.name):
                found[int(match[1])] = path
    return dict(sorted(found.items()))


def read(path: Path) -> Night:
    """A snapshot.

    Raises:
        RecordError: it cannot be read, or is broken or of a later version.
    """
    try:
        with on_disk(path, "read"):
            content = path.read_bytes()
        night = msgspec.json.decode(gzip.decompress(content), type=Night)
    except (gzip.BadGzipFile, zlib.error, EOFError, msgspec.DecodeError) as err:
        raise RecordError(f"{path}: not a snapshot of a night ({err}); move it away") from err
    if night.format > FORMAT:
        raise RecordError(f"{path}: format {night.format}, expected {FORMAT}; update embedding-harness")
    return night


def last(folder: Path) -> Night | None:
    """The newest night, None where there is none.

    Raises:
        RecordError: it cannot be read.
    """
    found = nights(folder)
    return read(found[max(found)]) if found else None


def find(folder: Path, name: str) -> Night:
    """A night by number (`12`), from the end (`-1`, `latest`, `previous`), or by date (`2026-01-31`: its last).

    Raises:
        UnknownName: there is no such night.
        RecordError: it cannot be read.
    """
    found = nights(folder)
    if not found:
        raise UnknownName(f"no night in {folder}; run `harness nightly` first, or name the folder with --history")
    numbers = list(found)
    position = {"latest": -1, "previous": -2}.get(name)
    if re.fullmatch(r"-\d+", name):
        position = int(name)
    if position is not None and -len(numbers) <= position < 0:
        return read(found[numbers[position]])
    if name.isdecimal() and int(name) in found:
        return read(found[int(name)])
    dated = [number for number, path in found.items() if path.name.partition("-")[2] == f"{name}{SUFFIX}"]
    if dated:
        return read(found[dated[-1]])
    first, newest = found[numbers[0]].stem, found[numbers[-1]].stem
    raise UnknownName(f"no night {name!r} in {folder}; there are {len(numbers)}, from {first} to {newest}")


def write(folder: Path, night: Night) -> Path:
    """Write a snapshot, whole or not at all. It is read-only from then on.

    Raises:
        RecordError: there is one of this number, or the disk refuses.
    """
    path = folder / f"{night.number:05}-{day(night.started)}{SUFFIX}"
    if night.number in nights(folder):
        raise RecordError(f"{path}: night {night.number} is written already; a snapshot is never changed")
    with on_disk(path, "written"):
        folder.mkdir(parents=True, exist_ok=True)
        atomic.write(path, gzip.compress(msgspec.json.encode(night), compresslevel=6, mtime=0))
        path.chmod(0o444)
    return path


def keep_items(folder: Path, file: Path) -> str | None:
    """Keep a file of items under its sha256, which is returned; None where there is no such file.

    A hard link where the disk allows it: records are replaced, never changed in place.

    Raises:
        RecordError: the disk refuses.
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
    """Where items of this sha256 lie."""
    return folder / ITEMS / f"{digest}.items.npz"


def prune(folder: Path, *, keep: int) -> list[Path]:
    """Remove all but the newest `keep` nights, and the items that no night refers to any more; what went.

    Raises:
        RecordError: a night that stays cannot be read: then nothing is removed.
    """
    found = nights(folder)
    old = list(found)[:-keep]
    if not keep or not old:
        return []
    wanted = _referred(read(path) for number, path in found.items() if number not in old)
    gone = [found[number] for number in old]
    gone += [file for file in (folder / ITEMS).glob("*.items.npz") if file.name.partition(".")[0] not in wanted]
    for path in gone:
        with on_disk(path, "removed"):
            path.unlink(missing_ok=True)
    return gone


def _referred(kept: Iterable[Night]) -> set[str]:
    return {cell.items for night in kept for cell in night.cells if cell.items}


def worlds_of(cells: Mapping[CellKey, tuple[NightCell, World]]) -> tuple[tuple[NightCell, ...], tuple[World, ...]]:
    """Cells and their worlds, each world once."""
    numbers: dict[bytes, int] = {}
    worlds: list[World] = []
    placed = []
    known: dict[int, int] = {}  # most worlds are one object shared by many cells
    for cell, world in cells.values():
        number = known.get(id(world))
        if number is None:
            content = msgspec.json.encode(world, order="deterministic")
            if content not in numbers:
                numbers[content] = len(worlds)
                worlds.append(world)
            number = known[id(world)] = numbers[content]
        placed.append(cell if cell.world == number else msgspec.structs.replace(cell, world=number))
    return tuple(placed), tuple(worlds)
