"""The catalog of prompts that mteb gives to models of the hub, instead of their own: `catalog.yaml`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from harness.types import ModelSpec


class PromptFacts(NamedTuple):
    """The prompts of a model and where they come from, as fields of `EncoderFacts`."""

    prompts: Mapping[str, str]
    prompts_from: str
    default_prompt: str | None


@functools.cache
def _entries() -> list[dict[str, Any]]:
    return yaml.safe_load(Path(__file__).with_name("catalog.yaml").read_text(encoding="utf-8"))


def prompts(model: str) -> Mapping[str, str] | None:
    """The prompts that mteb gives to the hub model of this name; None where it gives none."""
    for entry in _entries():
        if model in entry["models"]:
            return dict(entry["prompts"])
    return None


def prompt_facts(spec: ModelSpec, prompts_of_model: Mapping[str, str], *, default: str | None) -> PromptFacts:
    """The prompts of the catalog where it has any for this model, else those that the model brings.

    Args:
        spec: the model.
        prompts_of_model: the model's own prompts by name.
        default: the name of the prompt that the model uses for texts without a role.
    """
    of_catalog = prompts(spec.name) if spec.origin == "hub" else None
    if of_catalog:
        return PromptFacts(of_catalog, "catalog", None)
    return PromptFacts(prompts_of_model, "model", default)
