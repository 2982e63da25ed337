"""mteb's registry of models as a table, CSV or JSON, and one model described (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal, NamedTuple

from harness.models.catalog import CatalogEntry
from harness.models.description import Description, Running, prompting
from harness.outputs import text_table
from harness.outputs.data_text import csv_text, json_text
from harness.outputs.number_text import MISSING, short_number
from harness.types.counted import counted

Format = Literal["table", "csv", "json"]
_SHOWN_LANGUAGES = 3
_SHOWN_LICENSE = 24
_LONGEST_LINE = 2000


class ListedModel(NamedTuple):
    """A model of mteb's registry, and how it would be run."""

    entry: CatalogEntry
    running: Running


def render_list(models: Sequence[ListedModel], *, format: Format) -> str:
    """The models, a line for each, ending in a newline."""
    if format == "json":
        return json_text([_row(model) for model in models])
    if format == "csv":
        return csv_text(_COLUMNS, [map(_csv_cell, _row(model).values()) for model in models])
    headers = ["model", "run", "kind", "parameters", "dimensions", "languages", "license", "prompts"]
    return text_table.plain(headers, [_cells(model) for model in models], right=(3, 4), compact=True)


def as_json(description: Description) -> dict[str, Any]:
    """A model's description as values that JSON can hold."""
    entry, files = description.entry, description.files
    return {
        "name": description.name,
        "run": description.running.way,
        "refused_because": description.running.reason or None,
        "needs_options": list(description.running.flags),
        "files": None
        if files is None
        else {
            "name": files.spec.name,
            "kind": files.spec.kind or None,
            "origin": files.spec.origin,
            "backend_file": files.spec.backend_file and files.spec.backend_file.path,
            "revision": files.spec.revision,
            "architecture": list(files.architecture),
            "pooling": files.pooling,
            "normalized": files.normalized,
            "max_length": files.max_length,
            "max_positions": files.spec.max_positions,
            "truncate_dim": files.spec.truncate_dim,
            "precision_of_checkpoint": None if files.precision is None else files.spec.checkpoint_precision,
            "precision_here": files.precision,
            "packages": list(files.packages),
            "dependencies": dict(files.spec.dependencies),
        },
        "files_not_read_because": description.not_read or None,
        "prompts_from": description.prompts_from or None,
        "prompts": {task_type: dict(by_role) for task_type, by_role in description.prompts.items()},
        "tasks_with_prompts": list(description.tasks_with_prompts),
        "mteb": None if entry is None else {**asdict(entry), "max_tokens": _finite(entry.max_tokens)},
    }


def render(description: Description) -> str:
    """A model's description for a terminal, ending in a newline."""
    lines = [("model", description.name), *_running(description), *_of_files(description), *_of_mteb(description)]
    text = "".join(f"{label:<15} {text_table.one_line(value, most=_LONGEST_LINE)}\n" for label, value in lines if value)
    return text + _prompts(description)


_COLUMNS = (
    *("name", "run", "refused_because", "needs_options", "kind", "loader", "prompts", "parameters", "dimensions"),
    *("max_tokens", "languages", "license", "open_weights", "revision", "adapted_from", "superseded_by", "requires"),
)


def _row(model: ListedModel) -> dict[str, Any]:
    entry, running = model
    values = (
        *(entry.name, running.way, running.reason or None, list(running.flags), list(entry.kinds), entry.loader),
        *(
            prompting(entry),
            entry.parameters,
            _plain(entry.dimensions),
            _finite(entry.max_tokens),
            list(entry.languages),
        ),
        *(entry.license, entry.open_weights, entry.revision, _plain(entry.adapted_from), entry.superseded_by),
        list(entry.requires),
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _finite(number: float | None) -> float | None:
    """The number; None for infinity, which is none for JSON and which mteb writes for models that never cut a text."""
    return number if number is not None and number < float("inf") else None


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _csv_cell(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list) else value


def _cells(model: ListedModel) -> list[str]:
    entry, running = model
    return [
        entry.name,
        running.way,
        ", ".join(entry.kinds) or MISSING,
        short_number(entry.parameters),
        _joined(entry.dimensions),
        _languages(entry.languages),
        _short(entry.license),
        prompting(entry),
    ]


def _joined(value: Any) -> str:
    if value is None:
        return MISSING
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _languages(languages: Sequence[str], *, most: int = _SHOWN_LANGUAGES) -> str:
    codes = list(dict.fromkeys(language.partition("-")[0] for language in languages))
    if not codes:
        return MISSING
    return ", ".join(codes) if len(codes) <= most else f"{', '.join(codes[:most])}, ... ({len(codes)})"


def _short(name: str | None) -> str:
    """A licence; the address of one is longer than a column."""
    if name is None:
        return MISSING
    return name if len(name) <= _SHOWN_LICENSE else f"{name[: _SHOWN_LICENSE - 3]}..."


def _running(description: Description) -> list[tuple[str, str]]:
    running, entry = description.running, description.entry
    if running.way == "refused":
        text = f"refused: {running.reason}"
    elif running.way == "mteb":
        text = f"through mteb's own loader ({entry.loader if entry else ''}), and the record says so"
    else:
        text = f"here, as mteb's {entry.loader} does" if entry is not None else "here"
        if running.opened:
            text += "; all weights are in its files"
        elif description.files is not None:
            text += "; weights are checked at opening"
    return [("run", text), ("needs", ", ".join(running.flags))]


def _of_files(description: Description) -> list[tuple[str, str]]:
    files = description.files
    if files is None:
        return [("its own files", f"not read: {description.not_read}")]
    spec = files.spec
    length = f"{files.max_length} tokens" if files.max_length else ""
    room = f", with positions for {spec.max_positions}" if length and spec.max_positions else ""
    precision = ""
    if files.precision is not None:
        precision = f"{spec.checkpoint_precision} in the checkpoint; {files.precision} on this machine by default"
    return [
        ("kind", spec.kind),
        ("file", spec.backend_file.path if spec.backend_file else ""),
        ("revision", f"{spec.revision} ({spec.origin})"),
        ("architecture", ", ".join(files.architecture)),
        ("pooling", f"{files.pooling}{', normalised' if files.normalized else ''}" if files.pooling else ""),
        ("precision", precision),
        ("max length", f"{length}{room}"),
        ("dimensions", f"the first {spec.truncate_dim}" if spec.truncate_dim else ""),
        ("install", " ".join(files.packages)),
        ("loads too", ", ".join(f"{name}@{commit}" for name, commit in spec.dependencies)),
        ("note", spec.note),
    ]


def _of_mteb(description: Description) -> list[tuple[str, str]]:
    entry, files = description.entry, description.files
    if entry is None:
        return []
    revision = str(entry.revision or MISSING)
    if files is not None and entry.revision not in (None, files.spec.revision):
        revision += "; another one than above"
    arguments = ", ".join(f"{key}={json.dumps(value)}" for key, value in entry.arguments.items())
    sizes = [
        f"{short_number(entry.parameters)} parameters" if entry.parameters else "",
        f"{_joined(entry.dimensions)} dimensions" if entry.dimensions else "",
        f"{length:,.0f} tokens" if (length := _finite(entry.max_tokens)) else "",
    ]
    return [
        ("mteb's kind", ", ".join(entry.kinds)),
        ("mteb's loader", f"{entry.loader or MISSING}{f' with {arguments}' if arguments else ''}"),
        ("mteb's revision", revision),
        ("mteb's sizes", ", ".join(filter(None, sizes))),
        ("mteb's extras", ", ".join(entry.requires)),
        ("license", entry.license or MISSING),
        ("weights", "open" if entry.open_weights else "closed"),
        ("languages", _languages(entry.languages, most=12)),
        ("made from", _joined(entry.adapted_from) if entry.adapted_from else ""),
        ("superseded by", entry.superseded_by or ""),
    ]


def _prompts(description: Description) -> str:
    if description.running.way == "refused":
        return ""
    if not description.prompts:
        return "prompts         decided by the model's own code or files\n" if description.entry is not None else ""
    sources: Mapping[str, str] = {"catalog": "mteb's loader", "model": "the model's own files"}
    rows = [
        [task_type, role or "text", json.dumps(text, ensure_ascii=False)]
        for task_type, by_role in description.prompts.items()
        for role, text in by_role.items()
    ]
    source = sources.get(description.prompts_from, description.prompts_from)
    table = text_table.plain(["task type", "role", f"text with its prompt, from {source}"], rows, compact=True)
    tasks = description.tasks_with_prompts
    more = (
        f"\nOther prompts for {counted(len(tasks), 'task')}; `harness run --plan` shows those of a task.\n"
        if tasks
        else ""
    )
    return f"\n{table}{more}"
