"""What mteb's loaders do with each of its text models: `mteb_models.json`, read on first use."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

CATALOG_FILE = Path(__file__).with_name("mteb_models.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """One model of mteb's registry.

    Attributes:
        name: as on the hub, or as mteb calls a model of an API.
        loader: name of the class or function with which mteb opens it; None where mteb cannot.
        kinds: mteb's kinds of model (`dense`, `cross-encoder`, `sparse`, `late-interaction`, ...).
        revision: the commit that mteb runs.
        languages: as `deu-Latn`; empty where mteb names none.
        similarity: the similarity that mteb declares; None where it asks the model.
        prompts: `<task>-<role>`, `<task>`, `<type>-<role>`, `<type>` or `<role>` -> what stands before a text.
        instructions: task, task type or role -> an instruction for the template, or one for each role.
        template: role (empty for none) -> what stands before and after an instruction, or a constant text.
        template_without: role -> the prompt where there is no instruction.
        template_by_role: what a text without a role gets where a task has an instruction for each role: the `first`,
            `all` as mteb prints the mapping, or a constant text.
        instruct_documents: whether documents get an instruction too.
        priority: the order in which sources of instructions are asked; empty for mteb's usual order.
        arguments: further arguments of the loader, as JSON values.
    """

    name: str
    loader: str | None = None
    kinds: tuple[str, ...] = ()
    revision: str | None = None
    languages: tuple[str, ...] = ()
    license: str | None = None
    open_weights: bool | None = None
    parameters: int | None = None
    dimensions: int | tuple[int, ...] | None = None
    max_tokens: float | None = None
    similarity: str | None = None
    adapted_from: str | tuple[str, ...] | None = None
    superseded_by: str | None = None
    requires: tuple[str, ...] = ()
    prompts: Mapping[str, str] = field(default_factory=dict)
    instructions: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)
    template: Mapping[str, tuple[str, ...]] | None = None
    template_without: Mapping[str, str] = field(default_factory=dict)
    template_by_role: str | tuple[str, ...] = "first"
    instruct_documents: bool = True
    priority: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)


class _CatalogContent(NamedTuple):
    """The file: tables of prompts and of languages, which models name by number; and name -> row."""

    prompts: list[dict[str, Any]]
    languages: list[list[str]]
    rows: dict[str, dict[str, Any]]


def entry(name: str) -> CatalogEntry | None:
    """The entry of the model that mteb calls `name`; None where mteb does not know it."""
    content = _content()
    row = content.rows.get(name)
    return None if row is None else _entry(row, content)


def entries() -> Iterator[CatalogEntry]:
    """The entries of all models, by name."""
    content = _content()
    return (_entry(row, content) for row in content.rows.values())


def names() -> tuple[str, ...]:
    """The names of all models, sorted."""
    return tuple(_content().rows)


@functools.cache
def _content() -> _CatalogContent:
    content = json.loads(CATALOG_FILE.read_text(encoding="utf-8"))
    return _CatalogContent(content["prompts"], content["languages"], {row["name"]: row for row in content["models"]})


def _entry(row: Mapping[str, Any], content: _CatalogContent) -> CatalogEntry:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    fields["kinds"] = fields.pop("kind", ())
    for key in ("prompts", "instructions"):
        if key in fields:
            fields[key] = content.prompts[fields[key]]
    if isinstance(fields.get("languages"), int):
        fields["languages"] = tuple(content.languages[fields["languages"]])
    if "template" in fields:
        template = fields.pop("template")
        fields["template"] = {role: tuple(around) for role, around in template["filled"].items()}
        fields["template_without"] = template["empty"]
        by_role = template["by_role"]
        fields["template_by_role"] = by_role if isinstance(by_role, str) else tuple(by_role)
    return CatalogEntry(**fields)
