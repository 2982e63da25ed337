"""The catalog says what the installed mteb does with its models, and texts get the prompts of mteb's loaders."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import pytest

from harness.encoding.prompts import choose
from harness.evaluators import KINDS
from harness.models import catalog, mteb_kind, mteb_loaders
from harness.types import Prompt, PromptRules
from tests.generators import model_catalog_file


def test_the_catalog_equals_mteb() -> None:
    """The committed file is what the generator makes of the installed mteb, to the byte."""
    assert catalog.CATALOG_FILE.read_text(encoding="utf-8") == model_catalog_file.text()


def test_lookup() -> None:
    """A known model gives its prompts, a model that mteb does not know gives None."""
    entry = catalog.entry("intfloat/e5-small-v2")
    assert entry is not None
    assert entry.prompts == {"query": "query: ", "document": "passage: "}
    assert catalog.entry("nobody/nothing") is None


def test_instructions_equal_mteb() -> None:
    """For every instruction-tuned model and text task of mteb, and each role that occurs, the instruction is mteb's."""
    from mteb.abstasks.abstask import get_abstask_prompt
    from mteb.get_tasks import get_tasks
    from mteb.models.abs_encoder import AbsEncoder, PromptSource
    from mteb.models.get_model_meta import MODEL_REGISTRY
    from mteb.types import PromptType

    class Instructed(AbsEncoder):
        def encode(self, *_: Any, **__: Any) -> Any:
            raise AssertionError("nothing is encoded")

    tasks = [
        task.metadata
        for task in get_tasks(exclude_superseded=False, exclude_aggregate=False)
        if list(task.metadata.modalities) == ["text"]
    ]
    prompts = {task.name: (_by_role(task.prompt), get_abstask_prompt(task.name)) for task in tasks}
    compared = 0
    for name in catalog.names():
        entry = catalog.entry(name)
        assert entry is not None
        if entry.template is None or not mteb_loaders.is_mirrored(entry):
            continue
        meta = MODEL_REGISTRY[name]
        arguments = meta.loader_kwargs or {}
        loader = Instructed()
        loader.instruction_template = arguments.get("instruction_template") or getattr(
            meta.loader, "__globals__", {}
        ).get("instruction_template")
        loader.prompts_dict = arguments.get("prompts_dict")
        if arguments.get("prompt_priority"):
            loader.prompt_priority = [PromptSource.from_str(source) for source in arguments["prompt_priority"]]
        rules = mteb_loaders.prompt_rules(entry, PromptRules())
        for task in tasks:
            searched = "Retrieval" in task.type or "Reranking" in task.type
            for role in ("query", "document") if searched else (None,):
                chosen = choose(
                    rules,
                    task=task.name,
                    task_type=task.type,
                    role=role,  # type: ignore[arg-type]
                    task_prompt=prompts[task.name][0],
                    type_prompt=prompts[task.name][1],
                )
                if chosen.text is None:  # the loader passes no instruction
                    continue
                try:
                    expected = loader.get_task_instruction(task, PromptType(role) if role else None)
                except (KeyError, TypeError):  # mteb cannot run this task with this model
                    continue
                assert chosen.text == expected, (name, task.name, role)
                compared += 1
    assert compared > 80_000


def test_loaders_that_run_code() -> None:
    """The loaders that need trust whatever their arguments say are those whose own source switches it on, or unpickles.

    Those that are mirrored here open no repository by themselves.
    """
    from mteb.models.model_implementations import MODEL_REGISTRY

    running = set()
    for name in catalog.names():
        entry, loader = catalog.entry(name), MODEL_REGISTRY[name].loader
        assert entry is not None
        if loader is None or mteb_loaders.is_mirrored(entry):
            continue
        classes = inspect.getmro(loader) if inspect.isclass(loader) else (loader,)
        source = "".join(inspect.getsource(each) for each in classes if ".model_implementations." in each.__module__)
        if re.search(r"""trust_remote_code["']?\s*[=:,]\s*True|\bpickle\.load|weights_only\s*=\s*False""", source):
            running.add(entry.loader)
    assert running == mteb_kind.CODE_LOADERS


def _by_role(prompt: Any) -> Any:
    if isinstance(prompt, Mapping):
        return {str(getattr(role, "value", role)): text for role, text in prompt.items()}
    return prompt


@pytest.mark.parametrize(
    ("model", "task", "task_type", "role", "expected"),
    [
        (
            "intfloat/multilingual-e5-large-instruct",
            "STSBenchmark",
            "STS",
            None,
            Prompt(None, "Instruct: Retrieve semantically similar text.\nQuery: "),
        ),
        ("intfloat/multilingual-e5-large-instruct", "SciFact", "Retrieval", "document", Prompt(None, None)),
        ("nomic-ai/nomic-embed-text-v1.5", "Mine", "STS", None, Prompt("STS", "classification: ")),
        ("nomic-ai/nomic-embed-text-v1.5", "Mine", "BitextMining", None, Prompt("document", "search_document: ")),
        (
            "WhereIsAI/UAE-Large-V1",
            "Mine",
            "Summarization",
            None,
            Prompt("Summarization", 'Summarize sentence "', '" in one word:"'),
        ),
        (
            "jinaai/jina-embeddings-v3",
            "Mine",
            "Retrieval",
            "query",
            Prompt(
                "Retrieval-query",
                "Represent the query for retrieving evidence documents: ",
                adapter="retrieval.query",
            ),
        ),
        (
            "jinaai/jina-embeddings-v5-text-nano",
            "Mine",
            "STS",
            None,
            Prompt("STS", "Document: ", adapter="text-matching"),
        ),
    ],
)
def test_what_well_known_models_are_sent(model: str, task: str, task_type: str, role: Any, expected: Prompt) -> None:
    """Instructions, names, templates around the text, and adapters, as the loaders of the models' authors give them."""
    entry = catalog.entry(model)
    assert entry is not None
    rules = mteb_loaders.prompt_rules(entry, PromptRules())
    type_prompt = {"STS": "Retrieve semantically similar text."}.get(task_type, "")
    assert choose(rules, task=task, task_type=task_type, role=role, type_prompt=type_prompt) == expected


def test_types_have_mtebs_instructions() -> None:
    """Tasks that define no instruction get the one of mteb's class for their type."""
    from mteb.abstasks.abstask import get_abstask_prompt

    tasks = {
        "STS": "STSBenchmark",
        "PairClassification": "SprintDuplicateQuestions",
        "Classification": "Banking77Classification",
        "Clustering": "TwentyNewsgroupsClustering",
        "Retrieval": "SciFact",
        "Reranking": "AskUbuntuDupQuestions",
        "BitextMining": "Tatoeba",
    }
    assert {kind: KINDS[kind].instruction for kind in tasks} == {
        kind: get_abstask_prompt(task) for kind, task in tasks.items()
    }
