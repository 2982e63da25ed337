"""Files of private data: the same table in every format, and one clear message for each way to be wrong."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import data
from harness.data import local_tables, trec_files
from harness.errors import DataError
from harness.evaluators.classification import ClassificationSettings, Labelled
from harness.evaluators.clustering import ClusteringSettings
from harness.evaluators.pair_classification import PairClassificationSettings
from harness.evaluators.retrieval import Ranked, RetrievalSettings
from harness.evaluators.sts import Pairs, STSSettings
from harness.evaluators.tables import Filed
from harness.files import digests as local_files
from harness.types import Part, Source, TaskSpec

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

PART = Part("test", "default")
SETTINGS: dict[str, Any] = {
    "STS": STSSettings(),
    "PairClassification": PairClassificationSettings(),
    "Classification": ClassificationSettings(),
    "Clustering": ClusteringSettings(max_fraction_of_documents_to_embed=None),
    "Retrieval": RetrievalSettings(),
    "Reranking": RetrievalSettings(),
}
SUFFIXES = ("jsonl", "csv", "tsv", "parquet")


def task(folder: Path, type_: str = "STS", path: str = "data") -> TaskSpec:
    return TaskSpec(
        name="Mine",
        type=type_,  # type: ignore[arg-type]
        description="",
        source=Source(kind="local", path=path),
        splits=("test",),
        subsets={"default": ("eng-Latn",)},
        columns={"left": "a", "right": "b", "gold": "y", "text": "t", "label": "l"},
        main_metric="pearson",
        settings=SETTINGS[type_],
        file=str(folder / "Mine.yaml"),
    )


def write(folder: Path, name: str, content: str | bytes | Sequence[Mapping[str, Any]]) -> Path:
    """A file of the data: its text, or rows in the format of its suffix."""
    path = folder / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str | bytes):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    elif path.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(list(content)), path)
    else:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writerow(content[0])
            writer.writerows(row.values() for row in content)
    return path


def load(folder: Path, type_: str = "STS") -> Any:
    return data.load(task(folder, type_), PART).gold


def refused(folder: Path, type_: str = "STS") -> str:
    """What the harness says to the data; the only lines that it has are those of its message."""
    with pytest.raises(DataError) as caught:
        load(folder, type_)
    message = str(caught.value)
    assert message.startswith("Mine") or str(folder) in message
    assert "\n" not in message
    return message.replace(f"{folder / 'data'}{os.sep}", "").replace(os.sep, "/")


# --- the same data in every format -----------------------------------------------------------------------------------

FIELDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12),
    st.sampled_from(
        ["007", "1.0", "-3", "1e5", "", " ", '"', ",", "\t", "a\nb", "a\r\nb", "\u2028", "\ufeff", "null", "NaN"]
    ),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(
        st.tuples(FIELDS, FIELDS, st.one_of(st.integers(-9, 9), st.floats(-1e6, 1e6))), min_size=2, max_size=6
    )
)
def test_every_format_holds_the_same_pairs(tmp_path: Path, rows: list[tuple[str, str, float]]) -> None:
    """Whatever the texts, JSONL, CSV, TSV and Parquet give the same gold: no text is taken for a number or changed."""
    if len({score for _, _, score in rows}) < 2:
        return
    digests = set()
    for suffix in SUFFIXES:
        path = write(tmp_path, f"test.{suffix}", [{"a": a, "b": b, "y": float(y)} for a, b, y in rows])
        gold = load(tmp_path)
        assert isinstance(gold, Pairs)
        assert list(zip(gold.left, gold.right, gold.gold.tolist())) == [(a, b, y) for a, b, y in rows]
        digests.add(data.digest(gold))
        path.unlink()
    assert len(digests) == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_holds_the_same_search_problem(tmp_path: Path, suffix: str) -> None:
    """Ids with leading zeros or that look like decimals stay what they are, and 1 is the same id as "1"."""
    write(
        tmp_path,
        f"corpus.{suffix}",
        [{"_id": "001", "title": "7", "text": "42"}, {"_id": "1.0", "title": "", "text": "x"}],
    )
    write(tmp_path, f"queries.{suffix}", [{"_id": 1, "text": "12"}, {"_id": 2, "text": "13"}])
    write(
        tmp_path,
        f"qrels.{suffix}",
        [{"query-id": "1", "corpus-id": "001", "score": 2}, {"query-id": "2", "corpus-id": "1.0", "score": 1}],
    )
    gold = load(tmp_path, "Retrieval")
    assert isinstance(gold, Ranked)
    assert gold.document_ids == ["001", "1.0"]
    assert gold.documents == ["7 42", "x"]
    assert gold.queries == ["12", "13"]
    assert gold.qrels == {"1": {"001": 2}, "2": {"1.0": 1}}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_holds_the_same_labels(tmp_path: Path, suffix: str) -> None:
    """Integer labels are integers; labels with leading zeros or decimals are texts in a text format."""
    for split in ("train", "test"):
        write(tmp_path, f"{split}.{suffix}", [{"t": "x", "l": 1}, {"t": "y", "l": 10}])
    assert load(tmp_path, "Classification").label_names == (1, 10)
    for split in ("train", "test"):
        write(tmp_path, f"{split}.{suffix}", [{"t": "x", "l": "01"}, {"t": "y", "l": "1.0"}])
    gold = load(tmp_path, "Classification")
    assert isinstance(gold, Labelled)
    assert gold.label_names == ("01", "1.0")


def test_decimal_labels_of_a_text_file_are_kept_as_written(tmp_path: Path) -> None:
    """Labels 1.0 and 1.00 are two labels: a label is a name, not a number."""
    write(tmp_path, "test.csv", "t,l\nx,1.0\ny,1.00\n")
    assert list(load(tmp_path, "Clustering").labels) == [("1.0",), ("1.00",)]


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    """What Excel adds is no part of the first column's name or the last column's values."""
    write(tmp_path, "test.csv", b"\xef\xbb\xbfa,b,y\r\nx,\xc3\xa4,1\r\nz,w,2.5\r\n\r\n")
    gold = load(tmp_path)
    assert (gold.left, gold.right, gold.gold.tolist()) == (["x", "z"], ["ä", "w"], [1, 2.5])


def test_long_fields(tmp_path: Path) -> None:
    """A document of a million characters is one field."""
    write(tmp_path, "test.csv", f'a,b,y\n"{"w " * 500_000}",x,1\ny,z,2\n')
    assert len(load(tmp_path).left[0]) == 1_000_000


def test_rows_know_their_lines(tmp_path: Path) -> None:
    """A row begins where it does, though texts run over lines and empty lines are skipped; Parquet has rows only."""
    for name, content, lines in (
        ("x.csv", 'a,b\n"1\n2",x\n\ny,"3\n\n4"\nz,w\n', [2, 5, 8]),
        ("x.jsonl", '\n{"a": 1}\n\n{"a": 2}\n', [2, 4]),
    ):
        table = local_tables.parsed(write(tmp_path, name, content))
        assert table.lines == lines
        assert table.place(1) == f"{tmp_path / 'data' / name}:{lines[1]}"
    table = local_tables.parsed(write(tmp_path, "x.parquet", [{"a": 1}]))
    assert table == {"a": [1]}
    assert table.place(0) == f"{tmp_path / 'data' / 'x.parquet'}, row 0"


# --- what is refused -------------------------------------------------------------------------------------------------

GOOD_CSV = 'a,b,y\n"one\ntwo",x,1\ny,z,2\n'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("test.jsonl", "", "Mine test: test.jsonl: holds no rows; expected at least one"),
        ("test.csv", "", "Mine test: test.csv: holds no rows; expected at least one"),
        ("test.csv", "a,b,y\n", "Mine test: test.csv: holds no rows; expected at least one"),
        (
            "test.csv",
            "x,z,1\ny,w,2\n",
            "Mine test: test.csv: no column 'a'; found 'x', 'z', '1'; set `columns:` in the spec; "
            "the first line must name the columns",
        ),
        (
            "test.jsonl",
            [{"a": "x", "b": "z", "score": 1}],
            "Mine test: test.jsonl: no column 'y'; found 'a', 'b', 'score'; set `columns:` in the spec",
        ),
        ("test.csv", GOOD_CSV + "v,w\n", "test.csv:5: 2 fields; expected 3 as in the header"),
        (
            "test.csv",
            GOOD_CSV + 'v,"w,1\n',
            "test.csv: cannot be read (unexpected end of data) in the row from line 5 on",
        ),
        ("test.csv", "a|b y\nx|z 1\n", "test.csv:1: found the header 'a|b y'; expected columns separated by commas"),
        ("test.csv", "sep=|\na|b\n", "test.csv:1: found 'sep=|'; expected a comma, a semicolon or a tab after sep="),
        ("test.tsv", "a,b,y\nx,z,1\n", "test.tsv:1: found the header 'a,b,y'; expected columns separated by tabs"),
        (
            "test.csv",
            "a,b,y\nx,z,1\n\u00e4,z,1\n".encode("cp1252"),
            "test.csv:3: cannot be read as UTF-8 (invalid continuation byte: byte 0xe4); save it as UTF-8, in Excel",
        ),
        (
            "test.csv",
            "a,b,y\n".encode("utf-16-le"),
            "test.csv:1: holds null characters, so it is UTF-16 without a byte order mark; save it as UTF-8",
        ),
        ("test.csv", b"\xff\xfea\x00,", "test.csv:1: cannot be read as UTF-16 (truncated data: byte 0x2c)"),
        (
            "test.tsv",
            'a\tb\ty\n"x\tz\t1\nx"\tz\t2\n',
            "test.tsv:2: a quote joins this line with the next, and both are whole rows without it",
        ),
        ("test.jsonl", b'{"a": "x"}\n' * 2000 + b'{"a": "\xe4"}\n', "test.jsonl:2001: not UTF-8 ("),
        ("test.jsonl", '[{"a": 1}]\n', "test.jsonl:1: found list; expected one JSON object a line"),
        ("test.jsonl", '{"a": 1,}\n', "test.jsonl:1: not JSON (Expecting property name"),
        ("test.jsonl", "[" * 100_000 + "\n", "test.jsonl:1: not JSON ("),
        ("test.jsonl", '{"a": "x\\ud83d"}\n', "test.jsonl:1: half of a surrogate pair"),
        ("test.parquet", b"PAR1", "test.parquet: cannot be read as Parquet ("),
        ("test.json", "{}", "Mine: no file test.jsonl (or .csv, .tsv, .parquet); source of "),
    ],
)
def test_files_that_are_not_what_they_promise(
    tmp_path: Path, name: str, content: str | bytes | list[dict[str, Any]], message: str
) -> None:
    """The message names the file, the line where there is one, what was found and what was expected."""
    write(tmp_path, name, content)
    assert refused(tmp_path).startswith(message)


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("test.jsonl", [("x", "z", 1), ("y", None, 2)], "test.jsonl:2: column 'b', row 1: found null; expected a text"),
        ("test.jsonl", [("x", "z", 1), (7, "w", 2)], "test.jsonl:2: column 'a', row 1: found 7 (int); expected a text"),
        (
            "test.jsonl",
            [("x", "z", 1), ("y", "w", "2")],
            "test.jsonl:2: column 'y', row 1: found '2' (str); expected a number",
        ),
        (
            "test.jsonl",
            [("x", "z", "1"), ("y", "w", "n")],
            "test.jsonl:2: column 'y', row 1: found 'n' (str); expected a number",
        ),
        ("test.jsonl", [("x", "z", 1), ("y", "w", float("nan"))], "test.jsonl:2: column 'y', row 1: found nan (float)"),
        ("test.csv", [("x", "z", 1), ("y", "w", ""), ("v", "w", 3)], "test.csv:3: column 'y', row 1: found '' (str)"),
        ("test.csv", [("x\nx", "z", 1), ("y", "w", "n/a")], "test.csv:4: column 'y', row 1: found 'n/a' (str)"),
        ("test.csv", [("x", "z", "0,5"), ("y", "w", "1")], "test.csv:2: column 'y', row 0: found '0,5' (str)"),
        (
            "test.parquet",
            [("x", "z", 1), (None, "w", 2)],
            "test.parquet, row 1: column 'a': found null; expected a text",
        ),
        (
            "test.parquet",
            [("x", "z", 1.5), ("y", "w", None)],
            "test.parquet, row 1: column 'y': found null; expected a number",
        ),
        (
            "test.jsonl",
            [("x", "z", 3), ("y", "w", 3)],
            "test.jsonl: column 'y' holds the same gold score everywhere (3)",
        ),
    ],
)
def test_wrong_types(tmp_path: Path, name: str, rows: list[tuple[Any, ...]], message: str) -> None:
    """The first wrong value is the one that is named, also where it makes a whole CSV column text."""
    write(tmp_path, name, [dict(zip("aby", row)) for row in rows])
    assert refused(tmp_path).startswith(f"Mine test: {message}")


def test_pair_labels_other_than_0_and_1(tmp_path: Path) -> None:
    """A label 2 is named with its line."""
    write(tmp_path, "test.csv", "a,b,y\nx,z,1\ny,w,2\n")
    message = refused(tmp_path, "PairClassification")
    assert message == "Mine test: test.csv:3: column 'y', row 1: label 2; expected 0 or 1"


@pytest.mark.parametrize("type_", ["Classification", "Clustering"])
def test_mixed_label_types(tmp_path: Path, type_: str) -> None:
    """A label of another type than the first one's is named with its line."""
    rows = [{"t": "x", "l": "a"}, {"t": "y", "l": "b"}, {"t": "z", "l": 3}]
    write(tmp_path, "train.jsonl", rows[:2])
    write(tmp_path, "test.jsonl", rows)
    message = "Mine test: test.jsonl:3: column 'l' mixes integer and text; expected one type"
    assert refused(tmp_path, type_) == message


def test_labels_that_differ_between_the_splits(tmp_path: Path) -> None:
    """Integers in one split and texts in the other is an error, not eight classes instead of four."""
    write(tmp_path, "train.csv", "t,l\nx,1\ny,2\n")
    write(tmp_path, "test.csv", "t,l\nx,one\ny,2\n")
    message = "Mine test: labels are text here and integer in Mine train; expected the same type"
    assert refused(tmp_path, "Classification") == message


@pytest.mark.parametrize(
    ("type_", "message"),
    [
        (
            "Classification",
            "Mine: one.jsonl is one file, which would be training and test data at once; expected a folder with "
            "train.jsonl and test.jsonl",
        ),
        ("Retrieval", "Mine: one.jsonl is one file; expected a folder with corpus, queries and qrels"),
    ],
)
def test_one_file_for_what_needs_several(tmp_path: Path, type_: str, message: str) -> None:
    """A single file is no training and test set, and no corpus with queries."""
    write(tmp_path, "one.jsonl", [{"t": "x", "l": "a"}])
    with pytest.raises(DataError) as caught:
        data.load(task(tmp_path, type_, "data/one.jsonl"), PART)
    assert str(caught.value).replace(str(tmp_path / "data") + os.sep, "") == message


# --- search problems -------------------------------------------------------------------------------------------------

CORPUS = [{"_id": "d1", "title": "", "text": "sun"}, {"_id": "d2", "title": "", "text": "rain"}]
QUERIES = [{"_id": "q1", "text": "sun?"}, {"_id": "q2", "text": "rain?"}]
HEADER = "query-id\tcorpus-id\tscore\n"
QRELS = HEADER + "q1\td1\t1\nq2\td2\t1\n"


def beir(folder: Path, **files: Any) -> None:
    """A BEIR folder; a file can be replaced (`corpus=rows`), the judgements too (`qrels=text`)."""
    write(folder, "corpus.jsonl", files.get("corpus", CORPUS))
    write(folder, "queries.jsonl", files.get("queries", QUERIES))
    write(folder, "qrels/test.tsv", files.get("qrels", QRELS))


def test_a_beir_folder(tmp_path: Path) -> None:
    """Judgements of a split lie in qrels/<split>.tsv under BEIR's header."""
    beir(tmp_path)
    assert load(tmp_path, "Retrieval").qrels == {"q1": {"d1": 1}, "q2": {"d2": 1}}


def test_queries_of_other_splits(tmp_path: Path) -> None:
    """BEIR's queries are those of all splits: a split scores its own, and says how many it leaves out."""
    beir(tmp_path, queries=[*QUERIES, {"_id": "q3", "text": "snow?"}])
    loaded = data.load(task(tmp_path, "Retrieval"), PART)
    assert loaded.gold.query_ids == ["q1", "q2"]  # type: ignore[union-attr]
    assert loaded.notes == ("1 queries that this split does not judge, left out: 'q3'",)


def test_queries_of_nobody(tmp_path: Path) -> None:
    """A single qrels file is meant for all queries: one that it forgets is an error that names its line."""
    beir(tmp_path, queries=[*QUERIES, {"_id": "q3", "text": "snow?"}])
    (tmp_path / "data" / "qrels" / "test.tsv").rename(tmp_path / "data" / "qrels.tsv")
    message = "1 queries without a relevant document: 'q3'; correct the qrels or remove them (queries.jsonl:3)"
    assert refused(tmp_path, "Retrieval") == f"Mine test: {message}"


@pytest.mark.parametrize(
    ("qrels", "message"),
    [
        ("", "Mine test, qrels: qrels/test.tsv: holds no rows; expected at least one"),
        (HEADER, "Mine test, qrels: qrels/test.tsv: holds no rows; expected at least one"),
        (
            QRELS.removeprefix(HEADER),
            "Mine test, qrels: qrels/test.tsv: no column 'query-id'; found 'q1', 'd1', '1'; rename yours; "
            "the first line must name the columns",
        ),
        ("q1 0 d1 1\n", "qrels/test.tsv:1: found the header 'q1 0 d1 1'; expected columns separated by tabs"),
        (QRELS + "q2\td1\n", "qrels/test.tsv:4: 2 fields; expected 3 as in the header"),
        (QRELS + "q2\td1\thigh\n", "Mine test, qrels: qrels/test.tsv:4: column 'score', row 2: found 'high' (str)"),
        (
            QRELS + "q2\td1\t0.5\n",
            "Mine test, qrels: qrels/test.tsv:4: column 'score', row 2: found 0.5 (float); expected a whole number",
        ),
        (
            QRELS + "q2\td2\t2\n",
            "Mine test, qrels: qrels/test.tsv:4: document 'd2' is judged twice for query 'q2'; expected once",
        ),
        (
            QRELS + "q2\td9\t1\n",
            "Mine test: 1 judged documents that the corpus lacks: 'd9'; correct the qrels or remove them "
            "(qrels/test.tsv:4)",
        ),
        (
            QRELS + "q8\td1\t1\n",
            "Mine test: 1 judged queries that do not exist: 'q8'; correct the qrels or remove them (qrels/test.tsv:4)",
        ),
        (
            HEADER + "q1\td1\t1\nq2\td2\t0\n",
            "Mine test: 1 queries without a relevant document: 'q2'; correct the qrels or remove them "
            "(qrels/test.tsv:3)",
        ),
    ],
)
def test_bad_judgements(tmp_path: Path, qrels: str, message: str) -> None:
    """Judgements that cannot be meant so are refused with file and line."""
    beir(tmp_path, qrels=qrels)
    assert refused(tmp_path, "Retrieval").startswith(message)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"corpus": [*CORPUS, {"_id": "d1", "title": "", "text": "fog"}]},
            "Mine test, corpus: corpus.jsonl:3: the id 'd1' stands more than once (first at corpus.jsonl:1); "
            "expected every id once",
        ),
        (
            {"queries": [QUERIES[0], QUERIES[0]]},
            "Mine test, queries: queries.jsonl:2: the id 'q1' stands more than once (first at queries.jsonl:1); "
            "expected every id once",
        ),
        (
            {"corpus": [{"doc": "d1", "text": "sun"}]},
            "Mine test, corpus: corpus.jsonl: no column '_id'; found 'doc', 'text'; rename yours",
        ),
        (
            {"queries": [{"_id": "q1", "question": "sun?"}]},
            "Mine test, queries: queries.jsonl: no column 'text'; found '_id', 'question'; rename yours",
        ),
        (
            {"corpus": [CORPUS[0], {"_id": None, "title": "", "text": "x"}]},
            "Mine test, corpus: corpus.jsonl:2: column '_id', row 1: found null; expected an id",
        ),
        (
            {"corpus": [CORPUS[0], {"_id": "d2", "title": 4, "text": "x"}]},
            "Mine test, corpus: corpus.jsonl:2: column 'title', row 1: found 4 (int); expected a text or null",
        ),
    ],
)
def test_bad_documents_and_queries(tmp_path: Path, files: dict[str, Any], message: str) -> None:
    """Ids must be there, and once; both places of a double id are named."""
    beir(tmp_path, **files)
    assert refused(tmp_path, "Retrieval") == message


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        (
            [{"query-id": "q1", "corpus-ids": "d1"}],
            "candidates.jsonl:1: column 'corpus-ids', row 0: found 'd1' (str); expected a list of ids",
        ),
        (
            [{"query-id": "q1", "corpus-ids": ["d1"]}, {"query-id": "q1", "corpus-ids": ["d2"]}],
            "candidates.jsonl:2: the query 'q1' stands more than once; expected once",
        ),
        (
            [{"query-id": "q1", "corpus-ids": ["d1", "d7"]}],
            "candidates.jsonl:1: 1 candidates that the corpus lacks: 'd7'",
        ),
        (
            [{"query": "q1", "corpus-ids": ["d1"]}],
            "candidates.jsonl: no column 'query-id'; found 'query', 'corpus-ids'",
        ),
    ],
)
def test_bad_candidates(tmp_path: Path, candidates: list[dict[str, Any]], message: str) -> None:
    """Candidates are lists of known ids, one for each query."""
    beir(tmp_path)
    write(tmp_path, "candidates.jsonl", candidates)
    assert refused(tmp_path, "Reranking").startswith(f"Mine test, candidates: {message}")


def test_queries_without_candidates_are_noted(tmp_path: Path) -> None:
    """A ranking may find nothing for a query; it then scores 0, and the record says so."""
    beir(tmp_path)
    write(tmp_path, "candidates.jsonl", [{"query-id": "q1", "corpus-ids": ["d2", "d1"]}])
    loaded = data.load(task(tmp_path, "Reranking"), PART)
    assert loaded.gold.candidates == {"q1": ["d2", "d1"]}  # type: ignore[union-attr]
    assert loaded.notes == ("1 queries without candidates: 'q2'",)


# --- TREC ------------------------------------------------------------------------------------------------------------

NAMES = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=5)
GAPS = st.sampled_from([" ", "\t", "  "])


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(st.tuples(NAMES, NAMES), st.integers(-2, 4), min_size=1, max_size=9),
    GAPS,
    st.sampled_from(["\n", "\r\n", "\n\n"]),
)
def test_trec_qrels(tmp_path: Path, judged: dict[tuple[str, str], int], gap: str, end: str) -> None:
    """Judgements are those that pytrec_eval, which is trec_eval, reads; and read back from the converted file."""
    pytrec_eval = pytest.importorskip("pytrec_eval")
    rows = [gap.join((query, "0", document, str(relevance))) for (query, document), relevance in judged.items()]
    path = write(tmp_path, "qrels.txt", end.join(rows) + end)
    table = trec_files.qrels(path)
    found: dict[str, dict[str, int]] = {}
    for query, document, relevance in zip(*table.values(), strict=True):
        found.setdefault(query, {})[document] = relevance
    assert found == pytrec_eval.parse_qrel(row for row in rows)
    again = local_tables.parsed(write(tmp_path, "qrels/test.tsv", trec_files.as_tsv(table)))
    assert [list(map(str, again.written.get(name, again[name]))) for name in again] == [
        list(map(str, values)) for values in table.values()
    ]
    assert list(again) == ["query-id", "corpus-id", "score"]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.tuples(NAMES, NAMES), st.floats(-9, 9), min_size=1, max_size=9), GAPS)
def test_trec_runs(tmp_path: Path, ranked: dict[tuple[str, str], float], gap: str) -> None:
    """A query's candidates are the documents that pytrec_eval reads, by falling score whatever the rank says."""
    pytrec_eval = pytest.importorskip("pytrec_eval")
    rows = [gap.join((query, "Q0", document, "1", repr(score), "x")) for (query, document), score in ranked.items()]
    table = trec_files.run(write(tmp_path, "run.txt", "\n".join(rows)))
    theirs = pytrec_eval.parse_run(row for row in rows)
    assert list(table["query-id"]) == list(theirs)
    for query, documents in zip(*table.values(), strict=True):
        assert set(documents) == set(theirs[query])
        assert [theirs[query][name] for name in documents] == sorted(theirs[query].values(), reverse=True)
    again = local_tables.parsed(write(tmp_path, "candidates.jsonl", trec_files.as_jsonl(table)))
    assert again == table


# --- what a record is tied to ----------------------------------------------------------------------------------------


def test_digests_do_not_depend_on_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of a spec in its data's own folder have the same names from wherever the command runs."""
    write(tmp_path, "test.jsonl", "abc")
    write(tmp_path, "qrels/test.tsv", "")
    monkeypatch.chdir(tmp_path)
    from_above = local_files.digests(task(Path("data"), path="."))
    monkeypatch.chdir(tmp_path / "data")
    assert local_files.digests(task(Path(), path=".")) == from_above
    assert set(from_above) == {"test.jsonl", "qrels/test.tsv"}


def test_a_table_from_a_file_is_a_table() -> None:
    """It compares as its columns do, and keeps what was written beside what was read."""
    table = Filed({"a": [1.0]}, file="x.csv", lines=[2], written={"a": ["1.00"]})
    assert table == {"a": [1.0]}
    assert table.place(None) == "x.csv"
    assert table.written == {"a": ["1.00"]}


def test_reading_a_table_leaves_the_limit_of_the_csv_module_alone(tmp_path: Path) -> None:
    """A field of more than 131,072 characters is read, and afterwards, or after an error, the caller's limit holds."""
    before = csv.field_size_limit()
    long = tmp_path / "long.csv"
    long.write_text(f"a,b\n{'x' * 200_000},1\n", encoding="utf-8")
    assert len(local_tables.parsed(long)["a"][0]) == 200_000
    assert csv.field_size_limit() == before
    long.write_text("a,b\n1\n", encoding="utf-8")
    with pytest.raises(DataError):
        local_tables.parsed(long)
    assert csv.field_size_limit() == before
