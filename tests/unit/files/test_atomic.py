"""Writers that meet: every reader sees a whole file, no writer is refused, and what killed writers left is removed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from harness.files import atomic, temporary_files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _write_many(path: Path, letter: str, times: int) -> None:
    for number in range(times):
        atomic.write_output(path, letter * (50_000 + number))
        written = path.read_bytes()
        assert len(set(written)) == 1
        assert len(written) >= 50_000


def test_writers_of_one_output(tmp_path: Path) -> None:
    """Of several processes that write one file, none is refused and none leaves or reads a part of a file."""
    path = tmp_path / "board.html"
    writers = [
        multiprocessing.get_context("fork").Process(target=_write_many, args=(path, letter, 40)) for letter in "abc"
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert names(tmp_path) == ["board.html"]


def test_names_of_temporary_files(tmp_path: Path) -> None:
    """Two processes with one number, in two containers, have two temporary files; a long name fits a file system."""
    path = tmp_path / ("n" * 255)
    places = {temporary_files.place(path, number=temporary_files.random_number()) for _ in range(100)}
    assert len(places) == 100
    atomic.write(path, b"x", locked=False)
    atomic.write(path, b"y")
    assert path.read_bytes() == b"y"


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    """A writer that was killed leaves a temporary file, which the next writer removes; that of a living one stays."""
    path = tmp_path / "README.md"
    left = temporary_files.place(path, number="0" * 16)
    strangers = [tmp_path / name for name in (".README.md.notes.tmp", "README.md.tmp", ".other.0000000000000000.tmp")]
    for file in (left, *strangers):
        file.write_text("half")
    with temporary_files.opened(path, numbered=True).file as held:
        atomic.write_output(path, "whole")
        assert Path(held.name).exists()
    assert not left.exists()
    assert all(file.read_text() == "half" for file in strangers)


def test_a_writer_that_is_killed_in_the_middle(tmp_path: Path) -> None:
    """A kill between writing and renaming leaves the old file and, after the next write, nothing else."""
    path = tmp_path / "card.md"
    atomic.write_output(path, "old")
    pid = os.fork()
    if not pid:
        atomic.write(path, "new", locked=False, before_replacing=lambda file: os.kill(os.getpid(), signal.SIGKILL))
    os.waitpid(pid, 0)
    assert path.read_text() == "old"
    assert len(names(tmp_path)) == 2
    atomic.write_output(path, "old")  # what lies there already is not written, but the temporary file goes
    assert names(tmp_path) == ["card.md"]


def test_a_link_instead_of_a_temporary_file(tmp_path: Path) -> None:
    """A link or a FIFO with the name of a left temporary file is neither followed nor waited for."""
    path, target = tmp_path / "a", tmp_path / "target"
    target.write_text("keep")
    temporary_files.place(path, number="1" * 16).symlink_to(target)
    os.mkfifo(temporary_files.place(path, number="2" * 16))
    atomic.write_output(path, "x")
    assert target.read_text() == "keep"
    with pytest.raises(FileNotFoundError):
        atomic.write(tmp_path / "none" / "a", "x", locked=False)
