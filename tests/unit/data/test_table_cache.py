"""Tables that are kept come back as they were, or not at all."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from harness.data import table_cache
from harness.files import run_environment

COLUMNS: dict[str, list[Any]] = {
    "text": ["a", "", "ä\u0000☃", None],
    "score": [0.1, -0.0, 1e300, None],
    "label": [1, -(2**62), 0, None],
    "flag": [True, False, None, True],
    "texts": [["a", "b"], [], None, ["c"]],
    "nested": [[["a"], []], [], [["b", "c"]], None],
    "struct": [{"a": 1, "b": ["x"]}, {"a": None, "b": []}, None, {"a": 2, "b": None}],
    "nothing": [None, None, None, None],
    "day": [datetime.date(2020, 2, 29), None, None, None],
    "bytes": [b"\x00\xff", b"", None, b"x"],
}


def test_every_type_comes_back(tmp_path: Path) -> None:
    """Values, types and the order of columns."""
    table = pyarrow.table(COLUMNS)
    file = tmp_path / "a" / "b.arrow"
    table_cache.put(file, table)
    found = table_cache.get(file)
    assert found is not None
    assert found.schema.equals(table.schema)
    assert found.to_pydict() == COLUMNS
    assert list(found.column_names) == list(COLUMNS)


def test_chunks_and_categories_come_back(tmp_path: Path) -> None:
    """A table of several pieces, and one with a dictionary."""
    coded = pyarrow.array(["x", "y", "x"]).dictionary_encode()
    table = pyarrow.concat_tables([pyarrow.table({"a": coded}), pyarrow.table({"a": coded})])
    table_cache.put(tmp_path / "t.arrow", table)
    found = table_cache.get(tmp_path / "t.arrow")
    assert found is not None
    assert found.to_pydict() == {"a": ["x", "y", "x"] * 2}


def test_what_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large tables, and types that only their own library brings back."""

    class Own(pyarrow.ExtensionType):
        def __init__(self) -> None:
            super().__init__(pyarrow.int64(), "test.own")

        def __arrow_ext_serialize__(self) -> bytes:
            return b""

    own = pyarrow.ExtensionArray.from_storage(Own(), pyarrow.array([1, 2]))
    table_cache.put(tmp_path / "own.arrow", pyarrow.table({"a": own}))
    monkeypatch.setattr(table_cache, "MAX_BYTES", 100)
    table_cache.put(tmp_path / "large.arrow", pyarrow.table({"a": ["x" * 200]}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"ARROW1\0\0", b"hello", None])
def test_a_broken_file_is_none(content: bytes | None, tmp_path: Path) -> None:
    """Whatever is left of a file after a power cut, the table is read anew."""
    file = tmp_path / "t.arrow"
    table_cache.put(file, pyarrow.table(COLUMNS))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert table_cache.get(file) is None
    assert table_cache.get(tmp_path / "none.arrow") is None


def test_another_place_for_anything_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other content, another file, order, way of reading or version of the reader: another table."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("a")
    other.write_text("a")
    paths = [str(one), str(other)]

    def place(paths: list[str] = paths, how: tuple[object, ...] = ("json", "test")) -> Path:
        return table_cache.file_of(tmp_path, paths, read_as=how)

    first = place()
    assert first == place()
    assert first.parent == tmp_path / "tables"
    places = [first, place(paths[:1]), place(paths[::-1]), place(how=("json", "train"))]
    with monkeypatch.context() as patch:
        patch.setattr(run_environment, "versions", lambda: {"datasets": "0"})
        places.append(place())
    os.utime(one, ns=(0, 1))
    places.append(place())
    one.write_text("ab")
    places.append(place())
    assert len(set(places)) == len(places)


def test_a_link_stands_for_its_file(tmp_path: Path) -> None:
    """The hub client's cache names a file by revision and lays its content elsewhere."""
    (tmp_path / "content").write_text("a")
    for name in ("one", "two"):
        (tmp_path / name).symlink_to(tmp_path / "content")
    places = {table_cache.file_of(tmp_path, [str(tmp_path / name)], read_as=[]) for name in ("one", "two", "content")}
    assert len(places) == 1
