"""The structure of a front matter: keys, kinds of values and required fields, as the hub validates them (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from harness.cards import claims
from harness.cards.card_file import Card
from harness.cards.edit import yaml_layout
from harness.cards.edit.text_edits import Edit
from harness.cards.edit.yaml_nodes import Node
from harness.cards.lint.findings import Finding
from harness.errors import suggest

Kind = Literal["text", "texts", "list", "mapping", "flag", "url", "any"]


class Field(NamedTuple):
    """The kind of value that a key has, and whether the hub requires it."""

    kind: Kind
    required: bool = False


_NEEDED = True
MODEL = {"name": Field("text", _NEEDED), "results": Field("list", _NEEDED)}
RESULT = {
    "task": Field("mapping", _NEEDED),
    "dataset": Field("mapping", _NEEDED),
    "metrics": Field("list", _NEEDED),
    "source": Field("mapping"),
}
TASK = {"type": Field("text", _NEEDED), "name": Field("text")}
DATASET = {
    "type": Field("text", _NEEDED),
    "name": Field("text", _NEEDED),
    "config": Field("text"),
    "split": Field("text"),
    "revision": Field("text"),
    "args": Field("any"),
}
METRIC = {
    "type": Field("text", _NEEDED),
    "value": Field("any", _NEEDED),
    "name": Field("text"),
    "config": Field("text"),
    "args": Field("any"),
    "verified": Field("flag"),
    "verifyToken": Field("text"),
}
SOURCE = {"url": Field("url", _NEEDED), "name": Field("text")}
TOP = {
    "language": Field("texts"),
    "license": Field("texts"),
    "tags": Field("texts"),
    "datasets": Field("texts"),
    "metrics": Field("texts"),
    "base_model": Field("texts"),
    "library_name": Field("text"),
    "pipeline_tag": Field("text"),
    "model-index": Field("list"),
}


def check(card: Card) -> Iterator[Finding]:
    """All findings about structure that the hub would refuse."""
    if card.root is None:
        return
    yield from _duplicate_keys(card.root)
    yield from _fields(card.root, TOP, "", closed=False)
    entries = card.root.get("model-index")
    for entry in entries.real.items if entries is not None and entries.real.kind == "sequence" else []:
        yield from _entry(entry)
    yield from _same_names(card)


def _entry(entry: Node) -> Iterator[Finding]:
    yield from _not_a_mapping(entry, "a model of the index")
    if entry.real.kind != "mapping":
        return
    yield from _fields(entry, MODEL, "a model of the index")
    for result in claims.items(entry, "results"):
        yield from _not_a_mapping(result, "a result")
        if result.real.kind != "mapping":
            continue
        yield from _fields(result, RESULT, "a result")
        for key, fields in (("task", TASK), ("dataset", DATASET), ("source", SOURCE)):
            inner = result.real.get(key)
            if inner is not None and inner.real.kind == "mapping":
                yield from _fields(inner, fields, f"`{key}`")
        metrics = claims.items(result, "metrics")
        listed = result.real.get("metrics")
        if listed is not None and listed.real.kind == "sequence" and not metrics:
            yield Finding(listed.line, "no-metrics", "a result without any metric", "add a metric or remove the result")
        for metric in metrics:
            yield from _not_a_mapping(metric, "a metric")
            if metric.real.kind == "mapping":
                yield from _fields(metric, METRIC, "a metric")


def _not_a_mapping(node: Node, what: str) -> Iterator[Finding]:
    if node.real.kind != "mapping":
        kind = "a list" if node.real.kind == "sequence" else repr(node.real.text)
        yield Finding(node.line, "not-a-mapping", f"{what} is {kind}, expected keys with values", "correct its layout")


def _fields(node: Node, fields: Mapping[str, Field], what: str, *, closed: bool = True) -> Iterator[Finding]:
    present = dict(node.real.entries())
    misspelled: set[str] = set()
    for name, field in fields.items():
        if name in present:
            yield from _value(name, present[name], field)
        elif field.required:
            near = [key for key in suggest(name, present) if key not in fields][:1]
            misspelled.update(near)
            line = present[near[0]].line if near else node.line
            hint = f"rename `{near[0]}`" if near else f"add `{name}`"
            yield Finding(line, f"no-{name}", f"{what} without `{name}`, which the hub requires", hint)
    if closed:
        for name, value in present.items():
            if name not in fields and name not in misspelled:
                near = suggest(name, fields)
                help_ = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(fields)}"
                yield Finding(
                    value.line, "unknown-key", f"{what} has a key `{name}`, which the hub does not know", help_
                )


def _value(name: str, node: Node, field: Field) -> Iterator[Finding]:
    real = node.real
    if field.kind == "any":
        return
    if real.is_null:
        yield Finding(node.line, "empty", f"`{name}` is empty", f"give it a value or remove the line `{name}:`")
    elif field.kind == "texts" and real.kind == "sequence":
        for item in real.items:
            yield from _value(name, item, Field("text"))
    elif field.kind in ("list", "mapping"):
        if real.kind != ("sequence" if field.kind == "list" else "mapping"):
            kind = "a list" if real.kind == "sequence" else f"a {real.kind}"
            yield Finding(
                node.line, f"{name}-kind", f"`{name}` is {kind}, expected a {field.kind}", "correct its layout"
            )
    elif real.kind != "scalar":
        kind = "a list" if real.kind == "sequence" else "a mapping"
        yield Finding(node.line, f"{name}-kind", f"`{name}` is {kind}, expected one value", "write one value")
    elif field.kind == "flag":
        if not real.tag.endswith(":bool"):
            yield Finding(node.line, "not-a-flag", f"`{name}` is {real.text!r}, expected true or false", "correct it")
    else:
        yield from _text(name, node, field)


def _text(name: str, node: Node, field: Field) -> Iterator[Finding]:
    real = node.real
    if not real.tag.endswith(":str"):
        kind = real.tag.rpartition(":")[2]
        code = "numeric-revision" if name == "revision" and kind in ("int", "float") else "not-text"
        named = {"bool": "true or false", "int": "a number", "float": "a number", "timestamp": "a date"}.get(kind, kind)
        edits = () if node.kind == "alias" else (Edit(real.start, real.end, yaml_layout.quoted(real.text)),)
        if real.anchor:
            edits = ()
        yield Finding(
            node.line,
            code,
            f"`{name}: {real.text}` is read as {named} by YAML 1.1 (huggingface_hub, Python), expected text",
            f"quote it: {yaml_layout.quoted(real.text)}",
            edits,
        )
    elif field.kind == "url" and not real.text.startswith(("http://", "https://")):
        yield Finding(node.line, "bad-url", f"`{name}` is {real.text!r}, expected a link", "begin it with https://")
    elif not real.text.strip():
        yield Finding(node.line, "empty", f"`{name}` is empty", f"give it a value or remove the line `{name}:`")


def _duplicate_keys(root: Node) -> Iterator[Finding]:
    """Find keys that occur twice in one mapping; js-yaml, which the hub uses, refuses them."""
    todo = [root]
    while todo:
        node = todo.pop()
        first: dict[str, int] = {}
        for key, value in node.pairs:
            if key.kind == "scalar" and key.text in first:
                yield Finding(
                    key.line,
                    "duplicate-key",
                    f"a second key `{key.text}` in this mapping (the first is in line {first[key.text]})",
                    "keep one of them",
                )
            if key.kind == "scalar":
                first.setdefault(key.text, key.line)
            todo += [key, value]
        todo += node.items


def _same_names(card: Card) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for entry in claims.models(card):
        name = claims.text(entry, "name")
        if name is not None and name in first:
            yield Finding(
                entry.line,
                "duplicate-model",
                f"a second entry of the model {name!r} in the index (the first is in line {first[name]})",
                "merge the two entries",
            )
        if name is not None:
            first.setdefault(name, entry.line)
