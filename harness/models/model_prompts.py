"""The prompts of a model: those that the user gives, else those of mteb's loader, else those of the model's files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any

from harness.encoding.prompts import choose
from harness.errors import ModelError, UnknownName
from harness.evaluators import KINDS
from harness.files.model_folders import is_path
from harness.models import catalog, mteb_loaders
from harness.models.catalog import CatalogEntry
from harness.models.endpoint_providers import input_type_rules, require_prompts_allowed
from harness.models.model_files import settings_of
from harness.models.mteb_kind import is_run_by_mteb
from harness.models.mteb_loaders import Opening
from harness.tasks import mteb_metadata, registry
from harness.types import ModelSpec, Prompt, PromptRules, Role, TaskSpec

_ROLES = ("query", "document", "passage", "corpus", "default")
"""Names of prompts besides tasks and task types."""


def prompt_rules(spec: ModelSpec, of_model: PromptRules) -> PromptRules:
    """The rules that decide what goes before the model's texts.

    Args:
        spec: the model.
        of_model: the prompts of the model's own files.
    """
    if is_run_by_mteb(spec):
        return PromptRules(by_model=True, source="catalog")
    if spec.prompts is not None:
        return PromptRules(prompts=dict(spec.prompts), default="default", source="user")
    if spec.origin == "endpoint" and spec.like is None:
        return input_type_rules(spec)
    entry = catalog_entry(spec)
    return of_model if entry is None else mteb_loaders.prompt_rules(entry, of_model)


def opening(spec: ModelSpec) -> Opening:
    """How mteb opens the model; the defaults of sentence-transformers for a model that mteb does not know."""
    entry = catalog_entry(spec)
    return Opening() if entry is None else mteb_loaders.opening(entry)


def fingerprint_content(spec: ModelSpec) -> Any:
    """The prompts and settings that a model gets from mteb's loader, as JSON values; None where it gets none."""
    rules, opened = prompt_rules(spec, PromptRules()), opening(spec)
    if opened.is_usual and rules.source != "user" and rules == PromptRules(prompts=rules.prompts, source=rules.source):
        return dict(rules.prompts) or None
    return {"rules": asdict(rules), "opening": asdict(opened)}


def catalog_entry(spec: ModelSpec) -> CatalogEntry | None:
    """The entry in mteb's registry of the model, or of the one that it is like, whose loader is mirrored here."""
    name = spec.like or (spec.name if spec.origin == "hub" else None)
    entry = None if name is None else catalog.entry(name)
    return entry if entry is not None and mteb_loaders.is_mirrored(entry) else None


def asked_of(
    spec: ModelSpec, *, prompts: Mapping[str, str] | None, like: str | None, tasks: Collection[str] = ()
) -> ModelSpec:
    """The model with the prompts that the user gives, and with those of another model.

    Args:
        spec: the model.
        prompts: name -> prompt; a name is a role, or a task or task type, alone or with `-query` or `-document`.
        like: the other model.
        tasks: names of tasks besides those of this package and of mteb.

    Raises:
        UnknownName: mteb knows no such other model, or a prompt is for nothing that exists.
        ModelError: the model takes no prompts, a prompt holds a place for the text, or the other model has no prompts
            to take.
    """
    if prompts is None and like is None:
        return spec
    if spec.origin == "endpoint":
        require_prompts_allowed(spec)
    if prompts is not None:
        _require_effect(prompts, {*KINDS, *registry.get_tasks().names(), *mteb_metadata.names(), *tasks})
    entry = None if like is None else catalog.entry(like)
    if like is not None and entry is None:
        if is_path(like):
            raise ModelError(
                f"--like {like!r}: is a folder; expected a name of mteb's catalog, or use --prompts", kind="request"
            )
        raise UnknownName.of("model to be like", like, catalog.names())
    if entry is not None and not mteb_loaders.is_mirrored(entry):
        raise ModelError(
            f"--like {like}: has no prompts to take, since code of mteb's runs this model; use --prompts",
            kind="request",
        )
    if entry is not None and spec.origin == "endpoint" and prompts is None:
        rules = mteb_loaders.prompt_rules(entry, PromptRules())
        if rules.adapters is not None or rules == PromptRules():
            holds = "no prompts" if rules.adapters is None else "adapters, which no endpoint takes"
            raise ModelError(f"model {spec.name}: --like {like}: mteb's registry holds {holds}; use --prompts")
    return replace(spec, prompts=None if prompts is None else tuple(sorted(prompts.items())), like=like)


def _require_effect(prompts: Mapping[str, str], tasks_and_types: Collection[str]) -> None:
    for name, prompt in prompts.items():
        base = name.removesuffix("-query").removesuffix("-document")
        if name not in _ROLES and base not in tasks_and_types:
            names = [f"{other}{name.removeprefix(base)}" for other in tasks_and_types]
            raise UnknownName.of("task, task type or role for --prompts", name, [*_ROLES, *names])
        if "{text}" in prompt:
            raise ModelError(f"--prompts {name}: {prompt!r} holds {{text}}; the text follows the prompt: leave it out")


def shown_prompt(prompt: Prompt) -> str:
    """What stands around a text, for readers: `query: {text}`, and in brackets the adapter or the input type."""
    adapter = f" ({prompt.adapter})" if prompt.adapter else ""
    return f"{prompt.text or ''}{{text}}{prompt.suffix}{adapter}"


def object_prompts(spec: ModelSpec) -> PromptRules:
    """The prompts that an open model brings: its `prompts` by name, and the name of its default one."""
    brought = getattr(spec.function, "prompts", None) or {}
    prompts = {name: text for name, text in brought.items() if text is not None}
    return PromptRules(prompts=prompts, default=getattr(spec.function, "default_prompt_name", None))


def planned_rules(spec: ModelSpec) -> PromptRules:
    """The rules that decide what goes before the model's texts, without loading the model.

    Raises:
        ModelError: the model's settings cannot be read.
    """
    if spec.origin == "python":
        return prompt_rules(spec, object_prompts(spec) if spec.kind else PromptRules())
    if spec.origin in ("baseline", "endpoint") or is_run_by_mteb(spec):
        return prompt_rules(spec, PromptRules())
    settings = settings_of(spec)
    prompts = {"query": "", "document": "", **settings.get("prompts", {})}
    return prompt_rules(spec, PromptRules(prompts=prompts, default=settings.get("default_prompt_name")))


def planned_prompts(rules: PromptRules, task: TaskSpec) -> dict[str, Prompt]:
    """Role (empty for none) -> the prompt that texts of `task` will get; empty where code of mteb's decides."""
    if rules.by_model:
        return {}
    kind = KINDS[task.type]
    roles: tuple[Role | None, ...] = (None,) if kind.search is None else ("query", "document")
    return {
        role or "": choose(
            rules,
            task=task.name,
            task_type=task.type,
            role=role,
            task_prompt=task.prompt,
            type_prompt=kind.instruction,
        )
        for role in roles
    }
