"""Where a model's prompts come from: the user, mteb's loader, or the model's own files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.encoding.prompts import choose
from harness.errors import HarnessError, UnknownName
from harness.models import model_prompts
from harness.models.mteb_loaders import Opening
from harness.models.record_facts import variant
from harness.types import EncodeOptions, ModelSpec, PromptRules

OF_FILES = PromptRules(prompts={"query": "mine: "})
E5 = "intfloat/multilingual-e5-large-instruct"


def spec(name: str = "org/name", **more: object) -> ModelSpec:
    hub = ModelSpec(name=name, revision="a" * 40, location=name, origin="hub")
    return dataclasses.replace(hub, **more)  # type: ignore[arg-type]


def sts_prompt(model: ModelSpec) -> str | None:
    rules = model_prompts.prompt_rules(model, OF_FILES)
    return choose(rules, task="Mine", task_type="STS", role=None, type_prompt="Compare.").text


def test_a_model_that_mteb_does_not_know_keeps_its_own() -> None:
    """Prompts of the files, the usual way to open, and nothing more in the fingerprint."""
    assert model_prompts.prompt_rules(spec(), OF_FILES) == OF_FILES
    assert model_prompts.opening(spec()) == Opening()
    assert model_prompts.fingerprint_content(spec()) is None


def test_a_model_of_mteb_gets_its_instructions() -> None:
    """The hub model of that name does; a folder of the same name does not, unless it is said to be like it."""
    assert sts_prompt(spec(E5)) == "Instruct: Compare.\nQuery: "
    folder = spec(E5, origin="folder", location="x")
    assert sts_prompt(folder) is None
    assert sts_prompt(model_prompts.asked_of(folder, prompts=None, like=E5)) == "Instruct: Compare.\nQuery: "


def test_the_user_has_the_last_say() -> None:
    """Prompts of the user win over mteb's and the model's; their records are variants with other fingerprints."""
    asked = model_prompts.asked_of(spec(E5), prompts={"STS": "s: ", "default": "d: "}, like=None)
    assert sts_prompt(asked) == "s: "
    assert model_prompts.prompt_rules(asked, OF_FILES).source == "user"
    assert variant(spec(E5), EncodeOptions()) == ""
    assert variant(asked, EncodeOptions()).startswith("prompts=")
    contents = [model_prompts.fingerprint_content(model) for model in (spec(E5), asked, spec())]
    assert contents[0] != contents[1] != contents[2] != contents[0]


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ({"quary": "x: "}, "no task, task type or role for --prompts named 'quary'; did you mean query"),
        ({"Retrievl-query": "x: "}, "did you mean Retrieval-query"),
        ({"query-query": "x: "}, "no task, task type or role for --prompts named 'query-query'"),
        ({"query": "q {text} z"}, r"--prompts query: 'q \{text\} z' holds \{text\}; the text follows the prompt"),
    ],
)
def test_prompts_without_effect(prompts: dict[str, str], message: str) -> None:
    """A prompt for nothing that exists, and one with a place for the text, are refused; those that apply are not."""
    good = {"default": "d", "passage": "p", "STS": "s", "Retrieval-query": "q", "NFCorpus": "n", "MiniSTSEnglish": "m"}
    model_prompts.asked_of(spec(), prompts={**good, "Of a folder-document": "f"}, like=None, tasks=["Of a folder"])
    with pytest.raises(HarnessError, match=message):
        model_prompts.asked_of(spec(), prompts={**good, **prompts}, like=None)


def test_what_changes_vectors_is_in_the_fingerprint() -> None:
    """A maximum length and an end token are; plain prompts stand there as they always have."""
    content = model_prompts.fingerprint_content(spec("codefuse-ai/F2LLM-0.6B"))
    assert content["opening"]["max_length"] == 8192
    assert content["opening"]["arguments"]["tokenizer_kwargs"]["add_eos_token"] is True
    plain = model_prompts.fingerprint_content(spec("intfloat/e5-small-v2"))
    assert plain == {"query": "query: ", "document": "passage: "}


def test_what_cannot_be_asked() -> None:
    """An unknown model to be like is met with near names."""
    with pytest.raises(UnknownName, match=E5):
        model_prompts.asked_of(spec(), prompts=None, like=E5[:-1])


def test_prompts_are_planned_without_loading(tmp_path: Path) -> None:
    """The plan's prompts are those of the model's settings file, by the roles that the task's type has."""
    from harness.tasks import registry

    (tmp_path / "config_sentence_transformers.json").write_text('{"prompts": {"query": "q: ", "STS": "s: "}}')
    model = spec(origin="folder", location=str(tmp_path))
    tasks = registry.get_tasks()
    rules = model_prompts.planned_rules(model)
    of_sts = model_prompts.planned_prompts(rules, tasks.get("MiniSTSEnglish"))
    of_search = model_prompts.planned_prompts(rules, tasks.get("MiniAnswersEnglish"))
    assert {role: prompt.text for role, prompt in of_sts.items()} == {"": "s: "}
    assert {role: prompt.text for role, prompt in of_search.items()} == {"query": "q: ", "document": ""}
