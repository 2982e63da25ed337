"""A leaderboard as a folder of static pages: one for the board, one per model, one per task.

The pages open from disk, ask no server for anything, and are a function of the leaderboard alone: the same results give
the same bytes. Table and pictures are drawn by the libraries in `assets/vendor`; without scripts the board is a plain
table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from harness.errors import HarnessError
from harness.files.atomic import write_output
from harness.files.disk_errors import on_disk
from harness.files.locks import locked
from harness.leaderboard.board_values import Leaderboard
from harness.outputs import leaderboard_text
from harness.outputs.site import board_script, pages
from harness.outputs.site.urls import Urls

MANIFEST = "site.json"


class Written(NamedTuple):
    """How many pages the folder has, how many files changed, and how many old ones were removed."""

    pages: int
    changed: int
    removed: int


def write(board: Leaderboard, folder: Path) -> Written:
    """Write the site, and remove the files of an earlier site there that this one lacks.

    Files that are equal already are not touched.

    Raises:
        HarnessError: the folder holds pages that are not a site of ours, or the disk refuses.
    """
    _manifest(folder)  # refuses the folder before anything is written there
    files = dict(render(board))
    with on_disk(folder, "written", error=HarnessError), locked(folder):
        before = _manifest(folder)
        # First the list of what will be there: whoever finds a site half written, by a run that was killed, can tell.
        _write_manifest(folder, {*before, *files})
        changed = sum(write_output(folder / name, content) for name, content in files.items())
        gone = [name for name in before if name not in files]
        for name in gone:
            (folder / name).unlink(missing_ok=True)
        _write_manifest(folder, files)
    return Written(sum(name.endswith(".html") for name in files), changed, len(gone))


def _write_manifest(folder: Path, names: Iterable[str]) -> None:
    write_output(folder / MANIFEST, json.dumps({"files": sorted(names)}, indent=0) + "\n")


def render(board: Leaderboard) -> Iterator[tuple[str, str | bytes]]:
    """Every file of the site: its path below the folder, with `/`, and what it holds."""
    for name, content in _assets(resources.files("harness.outputs.site") / "assets"):
        yield f"assets/{name}", content
    urls = Urls(board)
    yield "data/board.js", board_script.script(board, urls)
    yield "board.csv", leaderboard_text.render(board, format="csv")
    yield "board.json", leaderboard_text.render(board, format="json")
    yield "board.parquet", leaderboard_text.parquet(board)
    yield from pages.render(board, urls)


def _assets(folder: Traversable, above: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _assets(entry, f"{above}{entry.name}/")
        else:
            yield f"{above}{entry.name}", entry.read_bytes()


def _manifest(folder: Path) -> list[str]:
    """The files of the site that lies there; none where there is no folder yet.

    Only names that stay inside the folder count: what is listed is removed.
    """
    place = folder / MANIFEST
    try:
        if place.is_file():
            listed = json.loads(place.read_text(encoding="utf-8"))["files"]
            inside = [PurePosixPath(str(name)) for name in listed]
            return [str(name) for name in inside if not name.is_absolute() and ".." not in name.parts]
        occupied = folder.exists() and (not folder.is_dir() or any(folder.glob("*.html")))
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise HarnessError(f"{place}: cannot be read as the list of a site's files; remove it and its folder") from err
    if occupied:
        raise HarnessError(f"{folder}: holds something that is not a site of ours; name an empty or a new folder")
    return []
