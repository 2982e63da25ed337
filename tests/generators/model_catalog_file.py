"""The generator of `models/mteb_models.json`: what the installed mteb's loaders do with each of its text models.

Instruction templates are functions in mteb. Each is called with a placeholder, and with no instruction, for every role,
and what it puts before and after the placeholder is written down.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from tests.generators.json_line import line

_PLACEHOLDER = "\x00"
_ROLES = ("", "query", "document")
_LISTED_LANGUAGES = 20
"""A longer list of languages stands in a table, which models share."""

_SKIPPED_ARGUMENTS = {
    "instruction_template",
    "prompts_dict",
    "model_prompts",
    "apply_instruction_to_passages",
    "prompt_priority",
}


def text() -> str:
    """The catalog as JSON text: a line for each table of prompts or languages, then a line for each model, by name."""
    import mteb
    from mteb.models.model_implementations import MODEL_REGISTRY

    tables: dict[str, int] = {}
    languages: dict[str, int] = {}
    models = []
    for name in sorted(MODEL_REGISTRY):
        meta = MODEL_REGISTRY[name]
        if list(meta.modalities or ()) == ["text"]:
            models.append(line(_entry(name, meta, tables, languages)))
    lines = [
        f'{{"mteb": {json.dumps(mteb.__version__)},',
        '"prompts": [',
        ",\n".join(tables),
        '], "languages": [',
        ",\n".join(languages),
        '], "models": [',
        ",\n".join(models),
        "]}",
    ]
    return "\n".join(lines) + "\n"


def _entry(name: str, meta: Any, tables: dict[str, int], language_tables: dict[str, int]) -> dict[str, Any]:
    arguments = dict(meta.loader_kwargs or {})
    loader = meta.loader
    languages = list(meta.languages or ())
    entry = {
        "name": name,
        "loader": getattr(loader, "__qualname__", None),
        "kind": list(meta.model_type or ()),
        "revision": meta.revision,
        "languages": languages
        if len(languages) <= _LISTED_LANGUAGES
        else language_tables.setdefault(line(languages), len(language_tables)),
        "license": _plain(meta.license),
        "open_weights": meta.open_weights,
        "parameters": meta.n_parameters,
        "dimensions": _plain(meta.embed_dim),
        "max_tokens": _plain(meta.max_tokens),
        "similarity": _plain(meta.similarity_fn_name),
        "adapted_from": _named(_plain(meta.adapted_from)),
        "superseded_by": meta.superseded_by,
        "requires": _plain(meta.extra_requirements_groups),
    }
    for argument, key in (("model_prompts", "prompts"), ("prompts_dict", "instructions")):
        if arguments.get(argument):
            table = line(_plain(arguments[argument]))
            entry[key] = tables.setdefault(table, len(tables))
    template = arguments.get("instruction_template", _template_in_the_loader(loader))
    if template is not None:
        entry["template"] = _probed(template)
    if "apply_instruction_to_passages" in arguments or getattr(loader, "__qualname__", "") == "q3e_instruct_loader":
        entry["instruct_documents"] = bool(arguments.get("apply_instruction_to_passages", False))
    if arguments.get("prompt_priority"):
        entry["priority"] = [str(_plain(source)) for source in arguments["prompt_priority"]]
    settings = {key: _plain(value) for key, value in arguments.items() if key not in _SKIPPED_ARGUMENTS}
    entry["arguments"] = {key: value for key, value in settings.items() if value is not None}
    return {key: value for key, value in entry.items() if value not in (None, [], {}, "")}


def _named(base: Any) -> Any:
    """The model that another one was made from; None for a path on its author's machine."""
    return None if isinstance(base, str) and base.startswith("/") else base


def _template_in_the_loader(loader: Any) -> Any:
    """The template of a loader that passes one of its own module instead of taking it as an argument."""
    if getattr(loader, "__qualname__", "") == "q3e_instruct_loader":
        return loader.__globals__["instruction_template"]
    return None


def _probed(template: str | Callable[..., str]) -> dict[str, Any]:
    """Role -> what stands before and after an instruction, or the constant text; and the same without one."""
    from mteb.types import PromptType

    def called(instruction: str | dict[str, str], role: str) -> str:
        if isinstance(template, str):
            return template.format(instruction=instruction)
        return template(instruction, PromptType(role) if role else None)

    filled = {role: called(_PLACEHOLDER, role).split(_PLACEHOLDER) for role in _ROLES}
    # A template that is a string is not applied to an empty instruction; a function is always called.
    empty = {role: "" if isinstance(template, str) else called("", role) for role in _ROLES}
    return {
        "filled": filled,
        "empty": {role: text for role, text in empty.items() if text},
        "by_role": _made_of_several(called, filled[""]),
    }


def _made_of_several(called: Callable[..., str], filled: list[str]) -> str | list[str]:
    """What a template makes of instructions given by role, for a text without one: `first`, `all`, or a constant."""
    try:
        text = called({"document": _PLACEHOLDER, "query": "q"}, "")
    except (KeyError, TypeError):  # mteb cannot run such a task with this model
        return "first"
    if text.split(_PLACEHOLDER) == filled:
        return "first"
    return "all" if _PLACEHOLDER in text or "\\x00" in text else [text]


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        entries = [_plain(entry) for entry in value]
        return sorted(entries, key=str) if isinstance(value, (set, frozenset)) else entries
    return value if isinstance(value, (str, int, float, bool, type(None))) else f"{type(value).__name__}"
