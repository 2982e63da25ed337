"""Which prompt goes before a text: the order in which a model's prompts are asked."""

from __future__ import annotations

import pytest

from harness.encoding.prompts import choose
from harness.types import Prompt, PromptRules, Role

# In the order of precedence for a query of the retrieval task `SciFact`.
QUERY = ["SciFact-query", "SciFact", "Retrieval-query", "Retrieval", "query"]
DOCUMENT = ["SciFact-document", "SciFact", "Retrieval-document", "Retrieval", "document", "passage", "corpus"]


@pytest.mark.parametrize(("role", "keys"), [("query", QUERY), ("document", DOCUMENT)])
def test_the_most_special_prompt_wins(role: Role, keys: list[str]) -> None:
    """Task and role, task, type and role, type, role; for documents then `passage` and `corpus`."""
    for first in range(len(keys)):
        prompts = {key: f"{key}: " for key in reversed(keys[first:])}
        chosen = choose(PromptRules(prompts=prompts), task="SciFact", task_type="Retrieval", role=role)
        assert chosen == Prompt(keys[first], f"{keys[first]}: ")


def test_a_text_without_a_role() -> None:
    """Symmetric tasks ask for task, type and then the model's default; `query` and `document` are not theirs."""
    prompts = {"query": "q: ", "document": "d: ", "STS": "s: ", "house": "h: "}
    house, absent = PromptRules(prompts=prompts, default="house"), PromptRules(prompts=prompts, default="absent")
    assert choose(house, task="A", task_type="STS", role=None) == Prompt("STS", "s: ")
    assert choose(house, task="A", task_type="Clustering", role=None) == Prompt("house", "h: ")
    assert choose(PromptRules(prompts=prompts), task="A", task_type="Clustering", role=None) == Prompt(None, None)
    assert choose(absent, task="A", task_type="Clustering", role=None) == Prompt(None, None)


def test_the_other_role_is_never_taken() -> None:
    """A query takes neither `document`, `passage` nor the default; a document takes not `query`."""
    prompts = {"document": "d", "passage": "p", "corpus": "c", "Retrieval-document": "rd", "house": "h"}
    house = PromptRules(prompts=prompts, default="house")
    assert choose(house, task="A", task_type="Retrieval", role="query") == Prompt(None, None)
    query = PromptRules(prompts={"query": "q"})
    assert choose(query, task="A", task_type="Retrieval", role="document") == Prompt(None, None)


def test_an_empty_prompt_is_a_prompt() -> None:
    """A model that names an empty prompt for queries means it: the search stops there."""
    rules = PromptRules(prompts={"query": "", "Retrieval": ""})
    assert choose(rules, task="A", task_type="Retrieval", role="query") == Prompt("Retrieval", "")
