"""The prompts of a model: those that the user gives, else those of mteb's loader, else those of the model's files."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from harness.models import catalog, mteb_loaders
from harness.models.catalog import CatalogEntry
from harness.models.mteb_loaders import Opening
from harness.types import ModelSpec, PromptRules


def prompt_rules(spec: ModelSpec, of_model: PromptRules) -> PromptRules:
    """The rules that decide what goes before the model's texts.

    Args:
        spec: the model.
        of_model: the prompts of the model's own files.
    """
    entry = catalog_entry(spec)
    return of_model if entry is None else mteb_loaders.prompt_rules(entry, of_model)


def opening(spec: ModelSpec) -> Opening:
    """How mteb opens the model; the defaults of sentence-transformers for a model that mteb does not know."""
    entry = catalog_entry(spec)
    return Opening() if entry is None else mteb_loaders.opening(entry)


def fingerprint_content(spec: ModelSpec) -> Any:
    """The prompts and settings that a model gets from mteb's loader, as JSON values; None where it gets none."""
    rules, opened = prompt_rules(spec, PromptRules()), opening(spec)
    # The similarity decides no main metric but that of `similarity_*`, and the catalog names it for every model.
    opened = replace(opened, similarity=None, similarity_pairwise=None)
    if opened == Opening() and rules == PromptRules(prompts=rules.prompts, source=rules.source):
        return dict(rules.prompts) or None
    return {"rules": asdict(rules), "opening": asdict(opened)}


def catalog_entry(spec: ModelSpec) -> CatalogEntry | None:
    """The entry of a hub model in mteb's registry whose loader is mirrored here."""
    entry = catalog.entry(spec.name) if spec.origin == "hub" else None
    return entry if entry is not None and mteb_loaders.is_mirrored(entry) else None
