"""Names of values in the package say what the value is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "harness"
VAGUE = {"found", "known", "own", "said", "made", "mine", "theirs", "then", "ahead", "one"}
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def assigned_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name that a module gives to a value, with its line: variables, attributes, arguments and fields."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.lineno, node.name


def test_every_way_to_name_a_value_is_seen() -> None:
    """Assignments, loops, comprehensions, arguments, `with`, `except`, patterns, attributes and fields are all seen."""
    source = """
a = (b := 1)
for c, (d, *e) in []: pass
f = [g for g in []]
def h(i, *j, k=1, **l): m: int = 2
with open() as n: pass
try: pass
except OSError as o: self.p = 3
match a:
    case [q, *r]: pass
class S: t: int
u = lambda v: v
"""
    assert {name for _, name in assigned_names(ast.parse(source))} == set("abcdefgijklmnopqrtuv")


@pytest.mark.parametrize("file", FILES)
def test_values_are_named_for_what_they_are(file: str) -> None:
    """No variable, argument or field has a name that would fit any value."""
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    vague = [f"{line}: {name}" for line, name in assigned_names(tree) if name.lstrip("_") in VAGUE]
    assert vague == []


def test_no_two_classes_have_one_name() -> None:
    """A class's name, private ones included, names one class in the whole package."""
    places: dict[str, list[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(f"{file.relative_to(PACKAGE)}:{node.lineno}")
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
