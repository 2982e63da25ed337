"""Layouts that some data sets have instead of their task type's usual one."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import DataError
from harness.evaluators import dpr_layout, ranked
from harness.evaluators.clustered import joined

COLUMNS = {"text": "sentences", "label": "labels"}

ROWS: list[dict[str, Any]] = [
    {
        "question": "Who wrote Faust?",
        "positive_ctxs": {"title": ["Goethe"], "text": ["\n== Work ==\nGoethe wrote\nFaust."], "passage_id": ["1"]},
        "hard_negative_ctxs": {"title": ["Schiller", "Kant"], "text": ["Schiller wrote plays.", "Kant thought."]},
    },
    {
        "question": "Who thought?",
        "positive_ctxs": {"title": ["Immanuel Kant"], "text": ["Kant thought."]},
        "hard_negative_ctxs": {"title": [], "text": []},
    },
]


def _table(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_dpr_makes_one_corpus_of_all_passages() -> None:
    """Headings and line breaks go; the passage that is there twice is one document, with its last title."""
    tables = dpr_layout.dpr(_table(ROWS), where="Demo test")
    assert tables["corpus"] == {
        "_id": ["doc_0_p_0", "doc_0_n_0", "doc_0_n_1"],
        "title": ["Goethe", "Schiller", "Immanuel Kant"],
        "text": ["Goethe wrote Faust.", "Schiller wrote plays.", "Kant thought."],
    }
    assert tables["queries"] == {"_id": ["q_0", "q_1"], "text": ["Who wrote Faust?", "Who thought?"]}
    assert tables["qrels"] == {
        "query-id": ["q_0", "q_1"],
        "corpus-id": ["doc_0_p_0", "doc_0_n_1"],
        "score": [1, 1],
    }


def test_dpr_reads_passages_as_a_list_of_structs_too() -> None:
    """`datasets` gives a sequence of structs as a struct of lists, a JSON file as a list of structs: no difference."""
    turned = [
        {
            name: value
            if isinstance(value, str)
            else [{"title": title, "text": text} for title, text in zip(value["title"], value["text"], strict=True)]
            for name, value in row.items()
        }
        for row in ROWS
    ]
    assert dpr_layout.dpr(_table(turned), where="Demo test") == dpr_layout.dpr(_table(ROWS), where="Demo test")


def test_dpr_is_what_a_search_problem_reads() -> None:
    """The tables are those of `columns.ranked`: a document's text is title and text."""
    tables = dpr_layout.dpr(_table(ROWS), where="Demo test")
    gold = ranked.read_ranked(**tables, where="Demo test", strict=True).gold
    assert gold.documents == [
        "Goethe Goethe wrote Faust.",
        "Schiller Schiller wrote plays.",
        "Immanuel Kant Kant thought.",
    ]
    assert gold.qrels == {"q_0": {"doc_0_p_0": 1}, "q_1": {"doc_0_n_1": 1}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positive_ctxs": "text"}, "Demo test: column 'positive_ctxs', row 0: expected passages with title and text"),
        ({"positive_ctxs": {"text": ["a"]}}, "Demo test: column 'positive_ctxs', row 0: expected passages with title"),
        ({"hard_negative_ctxs": [{"title": None, "text": "a"}]}, "row 0: the title or text of a passage is no text"),
    ],
)
def test_dpr_says_which_passage_is_none(change: dict[str, Any], message: str) -> None:
    """Column and row are named."""
    with pytest.raises(DataError, match=message):
        dpr_layout.dpr(_table([{**ROWS[0], **change}]), where="Demo test")


def test_dpr_says_which_column_is_missing() -> None:
    """The columns found are named."""
    with pytest.raises(DataError, match="no column 'positive_ctxs'; found 'question'"):
        dpr_layout.dpr({"question": ["Why?"]}, where="Demo test")


def test_sets_of_legacy_clustering_are_joined() -> None:
    """Two sets become one flat table in order; a flat one stays the same object."""
    flat = {"sentences": ["a", "b", "c"], "labels": ["x", "y", "x"]}
    sets = {"sentences": [["a", "b"], ["c"]], "labels": [["x", "y"], ["x"]]}
    assert joined(sets, COLUMNS, where="Demo test") == flat
    assert joined(flat, COLUMNS, where="Demo test") is flat
    levels = {"sentences": ["a", "b"], "labels": [["x", "y"], ["x", "z"]]}
    assert joined(levels, COLUMNS, where="Demo test") is levels


def test_a_set_with_too_few_labels_is_named() -> None:
    """Counted from 0, as rows are."""
    sets = {"sentences": [["a", "b"], ["c"]], "labels": [["x", "y"], []]}
    with pytest.raises(DataError, match="Demo test, set 1: expected a list of texts and a list of as many labels"):
        joined(sets, COLUMNS, where="Demo test")
