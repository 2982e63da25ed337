"""What compression keeps, from records made by hand."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.leaderboard.compression import compressions, transform_of
from harness.outputs import compression_picture, compression_table
from harness.results.paths import Identity
from harness.types import PLAIN, Record, VectorTransform


def record(task: str, variant: str, score: float | None, *, model: str = "org/model", **extra: Any) -> Record:
    entry = {"main_score": score, "hf_subset": "default", "languages": ["eng-Latn"], **extra}
    return Record(
        task=task,
        model=model,
        revision="r1",
        variant=variant,
        dataset_revision="1",
        scores={"test": [entry]},
        harness={"task_type": "STS" if task == "Pairs" else "Retrieval", "encoder": {"dimensions": 16}},
    )


AGAIN = "quantize=binary, rescore=5"
RECORDS = [
    record("Pairs", "", 0.8),
    record("Search", "", 0.5),
    record("More", "", 0.7),
    record("Alone", "", 0.1),
    record("Pairs", "quantize=binary", 0.6),
    record("Search", "quantize=binary", 0.3, float_recall_at_10=0.5),
    record("More", "quantize=binary", 0.3, float_recall_at_10=0.7),
    record("Search", AGAIN, 0.5, float_recall_at_10=0.8),
    record("More", AGAIN, 0.58, float_recall_at_10=0.9),
    record("Search", "precision=fp16", 0.4),
]


def test_means_shares_and_bytes_by_hand() -> None:
    """Means need every task, and shares are of the tasks that all rows have; a task that only floats have is out."""
    [table] = compressions(RECORDS)
    assert table.subject == Identity("org/model", "r1", "")
    assert (table.tasks, table.common, table.types) == (
        ("More", "Pairs", "Search"),
        ("More", "Search"),
        ("STS", "Retrieval"),
    )
    floats, binary, again = table.rows
    assert [row.transform for row in table.rows] == [
        PLAIN,
        VectorTransform(None, "binary"),
        VectorTransform(None, "binary", 5),
    ]
    assert floats.mean == pytest.approx(2 / 3)
    assert binary.mean == pytest.approx(0.4)
    assert again.mean is None
    assert again.by_type == {"Retrieval": pytest.approx(0.54), "STS": None}
    assert [row.kept for row in table.rows] == pytest.approx([1, 0.5, 0.9])
    assert [row.bytes_per_document for row in table.rows] == [64, 2, 66]
    assert [row.bytes_searched for row in table.rows] == [64, 2, 2]
    assert floats.float_recall is None
    assert [binary.float_recall, again.float_recall] == pytest.approx([0.6, 0.85])


def test_whose_vectors() -> None:
    """Another variant of a model is a subject of its own; without a compressed record there is none."""
    others = [record("Search", "dims=4, precision=fp16", 0.2), record("Search", "precision=fp16", 0.4)]
    tables = compressions([*RECORDS[:4], *others, record("Search", "", 0.9, model="org/other")])
    assert [table.subject.variant for table in tables] == ["precision=fp16"]
    assert [row.kept for row in tables[0].rows] == [1, 0.5]
    assert compressions(RECORDS[:4]) == []


def test_without_floats() -> None:
    """Where the float vectors have no record, there is a score but no share of theirs."""
    [table] = compressions([record("Search", "quantize=int8", 0.4)])
    assert [(row.mean, row.kept) for row in table.rows] == [(0.4, None)]


@pytest.mark.parametrize(
    ("variant", "transform"),
    [
        ("", PLAIN),
        ("calibration=documents, dims=64, quantize=int8, rescore=9", VectorTransform(64, "int8", 9)),
        ("precision=fp16", PLAIN),
        ("dims=many", None),
        ("quantize=ternary", None),
        ("not a variant", None),
    ],
)
def test_variants_of_any_program(variant: str, transform: VectorTransform | None) -> None:
    """The transform that a variant names; one that we do not make is none."""
    assert transform_of(variant) == transform


def test_the_table() -> None:
    """Bytes searched stand behind a slash; missing means are a dash; CSV and JSON hold the numbers in full."""
    tables = compressions(RECORDS)
    text = compression_table.render(tables, format="table", digits=2)
    lines = [line.split() for line in text.splitlines()]
    assert ["16", "binary", "5", "66", "/", "2", "–", "54.00", "–", "90.0%", "85.00"] in lines
    assert ["16", "float32", "–", "64", "80.00", "60.00", "66.67", "100.0%", "–"] in lines
    rows = json.loads(compression_table.render(tables, format="json"))
    assert [row["tasks"]["More"] for row in rows] == [0.7, 0.3, 0.58]
    [first, *_] = csv.DictReader(io.StringIO(compression_table.render(tables, format="csv")))
    assert (first["model"], first["bytes_per_document"], first["Retrieval"]) == ("org/model", "64", repr(0.6))
    hostile = compressions([record("Search", "quantize=int8", 0.4, model="a|b_c")])
    assert r"a\|b\_c" in compression_table.render(hostile, format="markdown")


def test_the_picture() -> None:
    """A point for each row, whose title names bytes and score; better is higher, larger is to the right."""
    [table] = compressions(RECORDS)
    drawn = ElementTree.fromstring(compression_picture.picture(table))
    space = "{http://www.w3.org/2000/svg}"
    points = {title.text: circle for circle in drawn.iter(f"{space}circle") for title in circle.iter(f"{space}title")}
    assert list(points) == [
        "16 x float32: 64 bytes, 60.00",
        "16 x binary: 2 bytes, 30.00",
        "16 x binary, first 5 ranked again by floats: 66 bytes (2 searched), 54.00",
    ]
    xs, ys = ([float(circle.attrib[axis]) for circle in points.values()] for axis in ("cx", "cy"))
    assert xs[1] < xs[0] < xs[2]
    assert ys[0] < ys[2] < ys[1]
    [dashed] = [line for line in drawn.iter(f"{space}line") if "stroke-dasharray" in line.attrib]
    assert float(dashed.attrib["x1"]) == xs[1]
    [single] = compressions([record("Search", "quantize=int8", 0.4)])
    assert compression_picture.picture(single) == ""


def test_text_in_the_picture() -> None:
    """A task's name from a record is text, never markup."""
    name = "<script>&"
    hostile = compressions([record(name, "", 0.5), record(name, "quantize=int8", 0.4)])
    drawn = compression_picture.picture(hostile[0])
    assert "<script>" not in drawn
    assert any(element.text == f"Main score of {name}" for element in ElementTree.fromstring(drawn).iter())
