"""Task types are one file each: no other module names one, or looks into what is particular to it."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.evaluators import KINDS

PACKAGE = Path(__file__).parents[2] / "harness"
OUTSIDE = [path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).parts[0] != "evaluators"]


def gold_classes() -> set[type]:
    """The classes that a kind's `read` makes: those in `evaluators` with the methods of `types.Gold`."""
    names = [f"harness.evaluators.{path.stem}" for path in (PACKAGE / "evaluators").glob("*.py")]
    members = [member for name in names for member in vars(importlib.import_module(name)).values()]
    classes = {member for member in members if inspect.isclass(member) and dataclasses.is_dataclass(member)}
    return {member for member in classes if {"contents", "sample", "item_text"} <= vars(member).keys()}


SETTINGS = {kind.settings for kind in KINDS.values()}
PARTICULAR = {member.__name__ for member in SETTINGS | gold_classes()}
FIELDS = {field.name for member in SETTINGS | gold_classes() for field in dataclasses.fields(member)}


def names_decided_by(node: ast.AST) -> Iterator[ast.Constant]:
    """The names of types that a comparison, a `match`, the keys of a table or a look-up in one consist of."""
    parts: list[ast.AST | None] = []
    if isinstance(node, ast.Compare | ast.MatchValue):
        parts = [node]
    elif isinstance(node, ast.Dict):
        parts = [*node.keys]
    elif isinstance(node, ast.Subscript):
        parts = [node.slice]
    for part in parts:
        for inner in ast.walk(part) if part is not None else ():
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and inner.value in KINDS:
                yield inner


def breaches(tree: ast.AST) -> Iterator[str]:
    """What only a kind's file may do: decide by a type's name, use a class of the type or a field of one."""
    for node in ast.walk(tree):
        for name in names_decided_by(node):
            yield f"line {name.lineno}: the type {name.value!r}"
        if isinstance(node, ast.Name | ast.alias | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.name if isinstance(node, ast.alias) else node.attr
            if name in PARTICULAR:
                yield f"line {node.lineno}: the class {name}"
        if isinstance(node, ast.Attribute) and node.attr in FIELDS:
            owner = ast.unparse(node.value).rpartition(".")[2]
            if owner in ("settings", "gold"):
                yield f"line {node.lineno}: the field {owner}.{node.attr}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "getattr", "hasattr", "type"):
            owner = ast.unparse(node.args[0]).rpartition(".")
            if owner[1] and owner[2] in ("settings", "gold"):
                yield f"line {node.lineno}: {ast.unparse(node.func)} of {owner[0]}.{owner[2]}"


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_only_a_types_own_file_knows_it(path: Path) -> None:
    """Outside `evaluators` no module decides by the name of a type, and none looks into its settings or its gold.

    So no comparison of a task's type with a literal, no `isinstance` on settings or gold: `KINDS[task.type]` answers.
    """
    assert list(breaches(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "code",
    [
        "if task.type == 'STS': pass",
        "if task.type in ('Retrieval', other): pass",
        "table = {'Clustering': 1}",
        "metric = METRICS['STS']",
        "match task.type:\n    case 'STS' | 'Reranking': pass",
        "if isinstance(task.settings, object): pass",
        "if isinstance(loaded.gold, (Pairs, Ranked)): pass",
        "from harness.evaluators.classification import ClassificationSettings",
        "n = len(loaded.gold.queries)",
        "split = getattr(task.settings, 'train_split', '')",
        "depth = max(task.settings.k_values)",
    ],
)
def test_the_walk_sees_breaches(code: str) -> None:
    """Each way to know a type from outside is seen."""
    assert list(breaches(ast.parse(code))) != []
