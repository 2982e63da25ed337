"""Files of private tasks into tables, and from there into gold with a digest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import data
from harness.data import local_tables
from harness.errors import DataError
from harness.evaluators.classification import ClassificationSettings, Labelled
from harness.evaluators.clustering import Clustered, ClusteredSets, ClusteringSettings
from harness.evaluators.retrieval import RetrievalSettings
from harness.evaluators.sts import Pairs, STSSettings
from harness.files import digests
from harness.types import Part, Source, TaskSpec

LAYOUT = {"table": "test", "subset": "default", "split": "test"}


def task(folder: Path, path: str = "data", **changes: Any) -> TaskSpec:
    spec: dict[str, Any] = {
        "name": "Mine",
        "type": "STS",
        "description": "",
        "source": Source(kind="local", path=path),
        "splits": ("test",),
        "subsets": {"default": ("eng-Latn",)},
        "columns": {"left": "a", "right": "b", "gold": "y", "text": "t", "label": "l"},
        "main_metric": "pearson",
        "settings": STSSettings(),
        "file": str(folder / "Mine.yaml"),
    }
    return TaskSpec(**(spec | changes))


def write(folder: Path, name: str, content: str | bytes) -> None:
    path = folder / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def read(folder: Path, **changes: str) -> Any:
    return local_tables.read(task(folder), **(LAYOUT | changes))


# --- formats ---------------------------------------------------------------------------------------------------------


def test_jsonl(tmp_path: Path) -> None:
    """One object a line, as columns; a byte order mark, CRLF and empty lines do not matter."""
    write(
        tmp_path, "test.jsonl", b'\xef\xbb\xbf{"a": "\xc3\xa4\\u00e4", "y": 1}\r\n\r\n{"y": null, "a": "\xe2\x80\xa8"}'
    )
    assert read(tmp_path) == {"a": ["ää", "\u2028"], "y": [1, None]}


def test_csv_and_tsv(tmp_path: Path) -> None:
    """A header and fields; numbers where a whole column is numbers; quotes hold commas and line ends."""
    write(tmp_path, "test.csv", 'a,b,y,z\r\n"x, y","two\nlines",0.5,1\r\n"say ""hi""",w,2,-7\r\n\r\n')
    assert read(tmp_path) == {"a": ["x, y", 'say "hi"'], "b": ["two\nlines", "w"], "y": [0.5, 2.0], "z": [1, -7]}
    (tmp_path / "data" / "test.csv").unlink()
    write(tmp_path, "test.tsv", "a\ty\nx, y\t1\n")
    assert read(tmp_path) == {"a": ["x, y"], "y": [1]}


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        (["1", "-2", "0"], [1, -2, 0]),
        (["1", "2.5", "1e3"], [1.0, 2.5, 1000.0]),
        (["007", "12"], ["007", "12"]),
        (["1_000", "2"], ["1_000", "2"]),
        (["nan", "1"], ["nan", "1"]),
        (["inf"], ["inf"]),
        ([" 1", "2"], [" 1", "2"]),
        (["1", ""], ["1", ""]),
        (["٣"], ["٣"]),
    ],
)
def test_numbers_in_text_files(tmp_path: Path, fields: list[str], values: list[Any]) -> None:
    """A column is numbers only if all of it is written as plain numbers: ids like 007 and the word nan stay text."""
    write(tmp_path, "test.csv", "a,b\n" + "".join(f"{field},x\n" for field in fields))
    found = read(tmp_path)["a"]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_parquet(tmp_path: Path) -> None:
    """A Parquet table, with lists and nulls."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "data").mkdir()
    parquet.write_table(pyarrow.table({"t": [["a"], None], "l": [1, 2]}), tmp_path / "data" / "test.parquet")
    assert read(tmp_path) == {"t": [["a"], None], "l": [1, 2]}
    write(tmp_path, "test.parquet", b"PAR1 no more")
    with pytest.raises(DataError, match=r"test\.parquet: cannot be read as Parquet \("):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("test.jsonl", '{"a": 1}\n{"a": \n', r"test\.jsonl:2: not JSON \(.*\); expected one object a line"),
        ("test.jsonl", "[1, 2]\n", r"test\.jsonl:1: found list; expected one JSON object a line"),
        ("test.jsonl", '{"a": 1}\n\n{"b": 1}\n', r"test\.jsonl:3: other keys than in the first line \(a, b\)"),
        ("test.jsonl", b'{"a": "\xff"}\n', r"test\.jsonl:1: not UTF-8 \(invalid start byte\)"),
        ("test.csv", "a,b\n1,2\n3\n", r"test\.csv:3: 1 fields; expected 2 as in the header"),
        ("test.csv", "a,a\n1,2\n", r"test\.csv:1: two columns of one name in the header \(a, a\)"),
        ("test.csv", 'a,b\n"x\n', r"test\.csv: cannot be read \(unexpected end of data\)"),
        ("test.csv", b"a,b\n\xff,2\n", r"test\.csv:2: cannot be read as UTF-8"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    """The message says in which file and line the format ends to be one."""
    write(tmp_path, name, content)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_empty_files(tmp_path: Path) -> None:
    """Nothing in a file is a table without rows, which whoever needs rows refuses."""
    write(tmp_path, "test.jsonl", "")
    assert read(tmp_path) == {}
    write(tmp_path, "dev.csv", "a,b\n")
    assert read(tmp_path, table="dev") == {"a": [], "b": []}


# --- where files lie -------------------------------------------------------------------------------------------------


def test_subsets_lie_in_folders(tmp_path: Path) -> None:
    """A subset other than `default` has a folder of its own."""
    write(tmp_path, "de/test.jsonl", '{"a": "de"}\n')
    write(tmp_path, "test.jsonl", '{"a": "plain"}\n')
    assert read(tmp_path, subset="de") == {"a": ["de"]}
    assert read(tmp_path) == {"a": ["plain"]}


def test_a_single_file_serves_every_table(tmp_path: Path) -> None:
    """A source that is a file is the task's only table."""
    write(tmp_path, "all.jsonl", '{"a": "x"}\n')
    assert local_tables.read(task(tmp_path, "data/all.jsonl"), **LAYOUT) == {"a": ["x"]}
    write(tmp_path, "all.xml", "<a/>")
    write(tmp_path, "all.xlsx", b"PK")
    with pytest.raises(DataError, match=r'all\.xlsx: a workbook, .* export the sheet: in Excel .* "CSV UTF-8'):
        local_tables.read(task(tmp_path, "data/all.xlsx"), **LAYOUT)
    with pytest.raises(DataError, match=r"all\.xml: unknown kind of file; expected \.jsonl, \.csv, \.tsv, \.parquet"):
        local_tables.read(task(tmp_path, "data/all.xml"), **LAYOUT)


def test_judgements_may_lie_as_in_beir(tmp_path: Path) -> None:
    """`qrels.jsonl` for a task of one split, or `qrels/<split>.tsv`."""
    write(tmp_path, "qrels/dev.tsv", "query-id\tcorpus-id\tscore\n007\td1\t1\n")
    assert read(tmp_path, table="qrels", split="dev") == {"query-id": ["007"], "corpus-id": ["d1"], "score": [1]}


def test_a_missing_or_ambiguous_file(tmp_path: Path) -> None:
    """The message names the file that was expected, or the two of which one is too many."""
    write(tmp_path, "test.jsonl", '{"a": "x"}\n')
    with pytest.raises(DataError, match=r"Mine: no file .*dev\.jsonl \(or \.csv, \.tsv, \.parquet\)"):
        read(tmp_path, table="dev")
    write(tmp_path, "test.csv", "a\nx\n")
    with pytest.raises(DataError, match=r"Mine: both .*test\.jsonl and test\.csv exist; keep one"):
        read(tmp_path)


def test_digests_change_with_any_file(tmp_path: Path) -> None:
    """One sha256 for each data file; other files do not count; no file at all is an error."""
    with pytest.raises(DataError, match=r"Mine: no data at .*data; source of .*Mine\.yaml"):
        digests.digests(task(tmp_path))
    write(tmp_path, "test.jsonl", "abc")
    write(tmp_path, "de/test.csv", "")
    write(tmp_path, "README.md", "words")
    found = digests.digests(task(tmp_path))
    assert found == {
        "data/test.jsonl": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",  # FIPS 180-2, B.1
        "data/de/test.csv": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
    write(tmp_path, "de/test.csv", "a\n")
    assert digests.digests(task(tmp_path)) != found


# --- load ------------------------------------------------------------------------------------------------------------

PART = Part("test", "default")


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_load_pairs(tmp_path: Path) -> None:
    """Gold, rows and a digest; the digest depends on every field and on nothing else."""
    write(tmp_path, "test.jsonl", lines({"a": "x", "b": "y", "y": 1}, {"a": "z", "b": "w", "y": 2}))
    loaded = data.load(task(tmp_path), PART)
    assert isinstance(loaded.gold, Pairs)
    assert loaded.rows == {"test": 2}
    assert loaded.notes == ()
    assert data.load(task(tmp_path), PART).digest == loaded.digest
    for changed in ({"a": "z", "b": "w", "y": 3}, {"a": "zw", "b": "", "y": 2}, {"a": "w", "b": "z", "y": 2}):
        write(tmp_path, "test.jsonl", lines({"a": "x", "b": "y", "y": 1}, changed))
        assert data.load(task(tmp_path), PART).digest != loaded.digest


def test_load_classification(tmp_path: Path) -> None:
    """Training and test split; rows of both."""
    write(tmp_path, "train.jsonl", lines({"t": "x", "l": "a"}, {"t": "y", "l": "b"}))
    write(tmp_path, "test.jsonl", lines({"t": "z", "l": "b"}))
    loaded = data.load(task(tmp_path, type="Classification", settings=ClassificationSettings()), PART)
    assert isinstance(loaded.gold, Labelled)
    assert loaded.gold.test_labels.tolist() == [1]
    assert loaded.rows == {"test": 1, "train": 2}


def test_load_clusters(tmp_path: Path) -> None:
    """The settings' method decides between one collection and sets."""
    write(tmp_path, "test.jsonl", lines({"t": "x", "l": "a"}, {"t": "y", "l": "b"}))
    for method, kind in (("v2", Clustered), ("legacy", ClusteredSets)):
        settings = ClusteringSettings(method=method)  # type: ignore[arg-type]
        assert isinstance(data.load(task(tmp_path, type="Clustering", settings=settings), PART).gold, kind)


def test_load_retrieval(tmp_path: Path) -> None:
    """Three tables; a private task is held to be consistent."""
    write(tmp_path, "corpus.jsonl", lines({"_id": "d", "text": "t"}, {"_id": "e", "text": "u"}))
    write(tmp_path, "queries.jsonl", lines({"_id": "q", "text": "t?"}))
    write(tmp_path, "qrels.jsonl", lines({"query-id": "q", "corpus-id": "d", "score": 1}))
    spec = task(tmp_path, type="Retrieval", settings=RetrievalSettings())
    loaded = data.load(spec, PART)
    assert loaded.rows == {"corpus": 2, "queries": 1, "qrels": 1}
    write(tmp_path, "qrels.jsonl", lines({"query-id": "q", "corpus-id": "x", "score": 1}))
    with pytest.raises(DataError, match="Mine test: 1 judged documents that the corpus lacks"):
        data.load(spec, PART)


def test_merged_splits(tmp_path: Path) -> None:
    """A split declared as a merger is its parts, one after the other; parts must have the same columns."""
    write(tmp_path, "one.jsonl", lines({"a": "x", "b": "y", "y": 1}))
    write(tmp_path, "two.jsonl", lines({"a": "z", "b": "w", "y": 2}))
    spec = task(tmp_path, merge_splits={"test": ("one", "two")})
    loaded = data.load(spec, PART)
    assert isinstance(loaded.gold, Pairs)
    assert loaded.gold.left == ["x", "z"]
    assert loaded.rows == {"test": 2}
    write(tmp_path, "two.jsonl", lines({"a": "z", "c": "w", "y": 2}))
    with pytest.raises(DataError, match="Mine test: the splits one, two have different columns"):
        data.load(spec, PART)
