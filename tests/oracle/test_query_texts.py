"""The text of a query with an instruction, or of a conversation, is the one that mteb gives a model."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from harness.errors import DataError
from harness.evaluators.query_texts import query_texts

mteb = pytest.importorskip("mteb", reason="the oracle is mteb")
datasets = pytest.importorskip("datasets")

TURNS = [
    [{"role": "user", "content": "rain?"}],
    [{"role": "user", "content": "wind?"}, {"role": "assistant", "content": "no; snow"}],
]
QUERIES: dict[str, dict[str, list[Any]]] = {
    "texts": {"text": ["rain", "wind"]},
    "texts with instructions": {"text": ["rain", "wind"], "instruction": ["in May", ""]},
    "texts, one without an instruction": {"text": ["rain", "wind"], "instruction": ["in May", None]},
    "turns with roles": {"text": TURNS},
    "turns with roles, and instructions": {"text": TURNS, "instruction": ["answer", None]},
    "turns without roles": {"text": [["rain?", "no"], ["wind?"]]},
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_reads_as_in_mteb(name: str) -> None:
    """Instructions stand behind a text and before a conversation, whose turns are joined by semicolons."""
    from mteb._create_dataloaders import _retrieval_texts
    from mteb.types import PromptType

    table = {"id": ["q0", "q1"], **QUERIES[name]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = _retrieval_texts(datasets.Dataset.from_dict(table), PromptType.query)
    assert query_texts(table, instructions={}, where="here") == list(expected)


def test_a_table_of_instructions_is_joined_by_id() -> None:
    """The order of the table does not matter, and one that stands for no query is not used."""
    queries = {"_id": ["q0", "q1"], "text": ["rain", "wind"]}
    instructions = {"query-id": ["q2", "q1", "q0"], "instruction": ["never", "in May", "in June"]}
    assert query_texts(queries, instructions=instructions, where="here") == ["rain in June", "wind in May"]


@pytest.mark.parametrize(
    ("queries", "instructions", "message"),
    [
        ({"text": [[], ["rain"]]}, {}, "row 0: found .* expected the turns of a conversation"),
        ({"text": [["rain"], "wind"]}, {}, "row 1: found 'wind' .*expected the turns of a conversation"),
        (
            {"text": [["rain"], [{"content": "wind"}]]},
            {},
            "row 1: a turn is .*; expected a text, or an object with role",
        ),
        ({"text": ["rain", ["wind"]]}, {}, "row 1: .*expected a text"),
        ({"text": ["rain", "wind"], "instruction": ["a", 3]}, {}, "'instruction', row 1: found 3 .*a text or null"),
        (
            {"text": ["rain", "wind"]},
            {"query-id": ["q0"], "instruction": ["a"]},
            "without an instruction: .q1",
        ),
    ],
)
def test_what_is_neither_is_refused(
    queries: dict[str, list[Any]], instructions: dict[str, list[Any]], message: str
) -> None:
    """A query of another form is named with its row, and one that lacks an instruction with its id."""
    with pytest.raises(DataError, match=message):
        query_texts({"id": ["q0", "q1"], **queries}, instructions=instructions, where="here")
