"""Rows and a column mapping into gold, and what is refused on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataError
from harness.evaluators import ranked as ranked_tables
from harness.evaluators import tables
from harness.evaluators.classification import Labelled, read_labelled
from harness.evaluators.clustered import read_clustered, read_sets
from harness.evaluators.clustering import Clustered
from harness.evaluators.retrieval import Ranked
from harness.evaluators.sts import Pairs, read_pairs

PAIR = {"left": "a", "right": "b", "gold": "y"}
TEXT = {"text": "t", "label": "l"}


def pairs(*, binary: bool = False, **table: list[Any]) -> Pairs:
    good = {"a": ["x", "y", "z"], "b": ["u", "v", "w"], "y": [0, 1, 1]}
    return read_pairs({**good, **table}, PAIR, where="Task test", binary=binary)


# --- pairs -----------------------------------------------------------------------------------------------------------


def test_pairs() -> None:
    """Both sides and float64 scores, in row order; other columns do not matter."""
    gold = pairs(y=[0.5, 3, 5], extra=[None, None, None])
    assert (gold.left, gold.right) == (["x", "y", "z"], ["u", "v", "w"])
    assert gold.gold.dtype == np.float64
    assert gold.gold.tolist() == [0.5, 3, 5]


def test_pairs_in_one_row() -> None:
    """The old layout, a single row of lists, is the same as rows."""
    packed = {"a": [["x", "y"]], "b": [["u", "v"]], "y": [[1, 0]]}
    gold = read_pairs(packed, PAIR, where="", binary=True)
    assert (gold.left, gold.right, gold.gold.tolist()) == (["x", "y"], ["u", "v"], [1, 0])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"a": ["x", None, "z"]}, "Task test: column 'a', row 1: found null; expected a text"),
        ({"b": ["x", "y", 7]}, r"column 'b', row 2: found 7 \(int\); expected a text"),
        ({"y": [1, "2", 3]}, r"column 'y', row 1: found '2' \(str\); expected a number"),
        ({"y": [1, None, 3]}, "column 'y', row 1: found null; expected a number"),
        ({"y": [1, 2, float("inf")]}, r"column 'y', row 2: found inf \(float\); expected a number"),
        ({"y": [float("nan"), 2, 3]}, "column 'y', row 0: found nan"),
        ({"y": [2, 2, 2]}, r"column 'y' holds the same gold score everywhere \(2\); nothing can be ranked"),
        ({"a": [], "b": [], "y": []}, "Task test: holds no rows; expected at least one"),
    ],
)
def test_bad_pairs(table: dict[str, list[Any]], message: str) -> None:
    """The message names the part, the column, the row, what was found and what was expected."""
    with pytest.raises(DataError, match=message):
        pairs(**table)


def test_bad_labels_of_pairs() -> None:
    """Pair classification wants 0 and 1, and both of them."""
    with pytest.raises(DataError, match="column 'y', row 1: label 2; expected 0 or 1"):
        pairs(binary=True, y=[0, 2, 1])
    with pytest.raises(DataError, match=r"labels of one class only \(1\)"):
        pairs(binary=True, y=[1, 1, 1])
    assert pairs(binary=True, y=[True, False, 1.0]).gold.tolist() == [1, 0, 1]


def test_a_missing_column() -> None:
    """The message lists the columns that there are; a table without rows says that instead."""
    with pytest.raises(DataError, match=r"no column 'a'; found 'x', 'y'; set `columns:` in the spec"):
        read_pairs({"x": ["u"], "y": [1]}, PAIR, where="Task test", binary=False)
    with pytest.raises(DataError, match="Task test: holds no rows"):
        read_pairs({}, PAIR, where="Task test", binary=False)


def test_a_long_value_is_cut_in_the_message() -> None:
    """A whole document does not land in a message."""
    with pytest.raises(DataError) as caught:
        pairs(y=["x" * 10_000, 1, 2])
    assert len(str(caught.value)) < 200


# --- classification --------------------------------------------------------------------------------------------------


def labelled(train: list[Any], test: list[Any]) -> Labelled:
    tables = [{"t": [f"text {i}" for i in range(len(labels))], "l": labels} for labels in (train, test)]
    return read_labelled(*tables, TEXT, where="Task test", train_where="Task train")


def test_labels_index_sorted_names() -> None:
    """Names of both splits, sorted; labels are their positions, int64."""
    gold = labelled(["dog", "cat", "dog"], ["emu", "cat"])
    assert gold.label_names == ("cat", "dog", "emu")
    assert (gold.train_labels.tolist(), gold.test_labels.tolist()) == ([1, 0, 1], [2, 0])
    assert gold.train_labels.dtype == gold.test_labels.dtype == np.int64
    assert labelled([10, 9, 2], [2]).label_names == (2, 9, 10)
    assert labelled([True, False], [True]).label_names == (0, 1)


@given(st.lists(st.text(max_size=4), min_size=2, max_size=20), st.lists(st.text(max_size=4), min_size=1, max_size=20))
def test_labels_can_be_read_back(train: list[str], test: list[str]) -> None:
    """The names at the labels' positions are the labels of the data."""
    if len(set(train)) < 2:
        return
    gold = labelled(train, test)
    assert [gold.label_names[i] for i in gold.train_labels] == train
    assert [gold.label_names[i] for i in gold.test_labels] == test


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (["a", "a"], ["b"], r"Task train: labels of one class only \('a'\); a classifier needs two or more"),
        (["a", "b"], [1], "Task test: labels are integer here and text in Task train; expected the same type"),
        (["a", 1], ["a"], "Task train: column 'l' mixes integer and text; expected one type"),
        (["a", "b"], [None], "Task test: column 'l', row 0: found null; expected a label"),
        ([0.5, 1.5], [0.5], r"Task train: column 'l', row 0: found 0.5 \(float\); expected a label"),
        ([], ["a"], "Task train: holds no rows"),
        (["a", "b"], [], "Task test: holds no rows"),
    ],
)
def test_bad_labels(train: list[Any], test: list[Any], message: str) -> None:
    """One class, mixed kinds, null, floats and empty splits are refused with the split that has them."""
    with pytest.raises(DataError, match=message):
        labelled(train, test)


# --- clustering ------------------------------------------------------------------------------------------------------


def clustered(labels: list[Any]) -> Clustered:
    return read_clustered({"t": [f"text {i}" for i in range(len(labels))], "l": labels}, TEXT, where="Task test")


def test_flat_and_deep_clusters() -> None:
    """A plain label is a path of one level; lists are paths from broad to narrow."""
    assert clustered(["a", "b", 3]).labels == [("a",), ("b",), (3,)]
    assert clustered([["sport", "chess"], ("art",)]).labels == [("sport", "chess"), ("art",)]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([["a"], []], "row 1: an empty list of labels"),
        (["a", None], "row 1: found null; expected a label"),
        ([["a", 1.5], ["b"]], "row 0: found 1.5"),
        (["a", "a"], r"labels of one class only \('a'\); nothing can be clustered"),
        ([["a", "x"], ["a", "y"]], r"labels of one class only \('a'\)"),
    ],
)
def test_bad_clusters(labels: list[Any], message: str) -> None:
    """Empty paths, null labels and a single class are refused."""
    with pytest.raises(DataError, match=message):
        clustered(labels)


def test_sets_of_clusters() -> None:
    """The legacy layout: each row a set of its own; a flat table is one set."""
    table = {"t": [["a", "b"], ["c"]], "l": [["x", "y"], ["z"]]}
    gold = read_sets(table, TEXT, where="Task test")
    assert [(list(one.texts), list(one.labels)) for one in gold.sets] == [
        (["a", "b"], [("x",), ("y",)]),
        (["c"], [("z",)]),
    ]
    flat = read_sets({"t": ["a", "b"], "l": ["x", "y"]}, TEXT, where="Task test")
    assert [list(one.labels) for one in flat.sets] == [[("x",), ("y",)]]


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        ([["a", "b"], ["c"]], [["x", "y"], ["z", "z"]], "Task test, set 1: expected a list of texts and a list of as"),
        ([["a"], "c"], [["x"], ["z"]], "Task test, set 1: expected a list of texts"),
        ([["a", None]], [["x", "y"]], "Task test, set 0: column 't', row 1: found null"),
        ([["a", "b"], []], [["x", "y"], []], "Task test, set 1: holds no rows"),
    ],
)
def test_bad_sets(texts: list[Any], labels: list[Any], message: str) -> None:
    """The message says which set is wrong."""
    with pytest.raises(DataError, match=message):
        read_sets({"t": texts, "l": labels}, TEXT, where="Task test")


# --- retrieval -------------------------------------------------------------------------------------------------------

CORPUS = {"_id": ["d1", "d2"], "title": ["", "Bees"], "text": [" honey ", "wax"]}
QUERIES = {"_id": ["q1", "q2"], "text": ["sweet?", "candle?"]}
QRELS = {"query-id": ["q1", "q2", "q2"], "corpus-id": ["d1", "d2", "d1"], "score": [1, 2, 0]}


def ranked(
    corpus: dict[str, list[Any]] | None = None,
    queries: dict[str, list[Any]] | None = None,
    qrels: dict[str, list[Any]] | None = None,
    *,
    strict: bool = True,
) -> ranked_tables.Judged:
    return ranked_tables.read_ranked(
        {**CORPUS, **(corpus or {})},
        {**QUERIES, **(queries or {})},
        {**QRELS, **(qrels or {})},
        where="Task test",
        strict=strict,
    )


def test_a_search_problem() -> None:
    """Title and text are joined by a space and stripped; judgements of 0 are kept."""
    assert ranked() == ranked_tables.Judged(
        Ranked(
            query_ids=["q1", "q2"],
            queries=["sweet?", "candle?"],
            document_ids=["d1", "d2"],
            documents=["honey", "Bees wax"],
            qrels={"q1": {"d1": 1}, "q2": {"d2": 2, "d1": 0}},
        ),
        (),
    )


def test_documents_without_titles() -> None:
    """The title column is optional, and null means none."""
    corpus = {name: values for name, values in CORPUS.items() if name != "title"}
    assert ranked_tables.read_ranked(corpus, QUERIES, QRELS, where="", strict=True).gold.documents == ["honey", "wax"]
    assert ranked({"title": [None, "Bees"]}).gold.documents == ["honey", "Bees wax"]


def test_ids_of_numbers_and_under_another_name() -> None:
    """Ids may be integers, and the column may be called `id`; they are compared as text."""
    corpus = {"id": [1, 2], "text": ["honey", "wax"]}
    queries = {"id": ["7"], "text": ["sweet?"]}
    qrels = {"query-id": [7], "corpus-id": ["2"], "score": [1.0]}
    gold = ranked_tables.read_ranked(corpus, queries, qrels, where="", strict=True).gold
    assert gold.qrels == {"7": {"2": 1}}


LOOSE = {"query-id": ["q1", "q9", "q2"], "corpus-id": ["d1", "d1", "d8"], "score": [0, 1, 1]}


def test_published_data_is_kept_with_notes() -> None:
    """Not strict: unknown ids and barren queries stay as mteb keeps them, and the notes count them."""
    judged = ranked(qrels=LOOSE, strict=False)
    assert judged.gold.query_ids == ["q1", "q2"]
    assert judged.gold.qrels == {"q1": {"d1": 0}, "q2": {"d8": 1}}
    assert judged.notes == (
        "1 judged documents that the corpus lacks: 'd8'",
        "1 judged queries that do not exist: 'q9'",
        "1 queries without a relevant document: 'q1'",
    )


def test_queries_of_another_split_are_left_out() -> None:
    """A query that this split's judgements do not name is not scored, and is no note of a published data set."""
    judged = ranked(qrels={"query-id": ["q2"], "corpus-id": ["d2"], "score": [1]}, strict=False)
    assert (judged.gold.query_ids, judged.gold.queries, judged.notes) == (["q2"], ["candle?"], ())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"corpus": {"_id": ["d1", "d1"]}}, "Task test, corpus: the id 'd1' stands more than once"),
        ({"queries": {"_id": ["q1", "q1"]}}, "Task test, queries: the id 'q1' stands more than once"),
        ({"corpus": {"_id": [1, "1"]}}, "Task test, corpus: the id '1' stands more than once"),
        ({"corpus": {"_id": [None, "d2"]}}, "corpus: column '_id', row 0: found null; expected an id"),
        ({"corpus": {"_id": [1.5, "d2"]}}, r"column '_id', row 0: found 1.5 \(float\); expected an id"),
        ({"corpus": {"text": ["a", None]}}, "Task test, corpus: column 'text', row 1: found null; expected a text"),
        ({"corpus": {"title": ["a", 3]}}, r"column 'title', row 1: found 3 \(int\); expected a text or null"),
        ({"queries": {"text": [None, "a"]}}, "Task test, queries: column 'text', row 0: found null"),
        ({"qrels": {"score": [1, None, 1]}}, "Task test, qrels: column 'score', row 1: found null; expected a number"),
        ({"qrels": {"score": [1, float("nan"), 1]}}, "qrels: column 'score', row 1: found nan"),
        ({"qrels": {"query-id": ["q1", None, "q2"]}}, "qrels: column 'query-id', row 1: found null; expected an id"),
        ({"qrels": {"corpus-id": ["d1", "d2", "d3"]}}, "1 judged documents that the corpus lacks: 'd3'; correct"),
        ({"qrels": {"query-id": ["q1", "q2", "q7"]}}, "1 judged queries that do not exist: 'q7'; correct the qrels"),
        ({"qrels": {"score": [0, 1, 1]}}, "1 queries without a relevant document: 'q1'; correct the qrels"),
        ({"qrels": {"query-id": ["q1", "q1", "q1"]}}, "1 queries without a relevant document: 'q2'"),
    ],
)
def test_bad_search_problems(changes: dict[str, dict[str, list[Any]]], message: str) -> None:
    """Private data is held to be consistent: ids unique and known, every query with a relevant document."""
    with pytest.raises(DataError, match=message):
        ranked(**changes)


def test_many_bad_ids_are_counted_not_listed() -> None:
    """The message shows three ids and the number of all."""
    qrels = {"query-id": ["q1"] * 9, "corpus-id": [f"x{i}" for i in range(9)], "score": [1] * 9}
    with pytest.raises(DataError, match=r"9 judged documents that the corpus lacks: 'x0', 'x1', 'x2', \.\.\.;"):
        ranked(qrels=qrels)


@pytest.mark.parametrize("strict", [True, False])
def test_judgements_of_nobody(strict: bool) -> None:
    """When no query is judged there is nothing to score, strict or not."""
    with pytest.raises(DataError, match="queries"):
        ranked(qrels={"query-id": ["x"], "corpus-id": ["d1"], "score": [1]}, strict=strict)


def test_merged() -> None:
    """Tables one after the other, column by column."""
    assert tables.merged([{"a": [1], "b": [2]}, {"b": [4, 6], "a": [3, 5]}]) == {"a": [1, 3, 5], "b": [2, 4, 6]}


def test_document_ids_that_stand_twice() -> None:
    """In a published data set they are kept and told as a defect; a private one is refused."""
    corpus = {"_id": ["d1", "d2", "d1"], "title": ["", "", ""], "text": ["honey", "wax", "hive"]}
    judged = ranked(corpus, strict=False)
    assert judged.gold.document_ids == ["d1", "d2", "d1"]
    assert judged.defects == ("1 document ids that stand more than once, scored as in mteb: 'd1'",)
    with pytest.raises(DataError, match="the id 'd1' stands more than once"):
        ranked(corpus)
