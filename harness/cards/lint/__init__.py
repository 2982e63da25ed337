"""Checking a card offline for what the hub refuses on push and for results that readers would misread.

The hub's rules follow its model card specification (hub-docs, `modelcard.md`) as huggingface_hub 2.4 applies it; the
other rules come from cards that were misread. Each finding gives a line and what to do; `fix` makes the safe changes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from harness.cards import card_file
from harness.cards.card_file import Card
from harness.cards.edit import text_edits, yaml_nodes
from harness.cards.lint import hub_schema, hub_values, result_values
from harness.cards.lint.findings import Finding
from harness.cards.metric_names import Names
from harness.cards.unrecognised import Unrecognised, unrecognised
from harness.errors import CardError
from harness.tasks import registry
from harness.tasks.registry import Registry

MAX_FRONT_MATTER = 2**20
"""Characters. With every metric of every language, front matters grew to tens of megabytes, which the hub refused (mteb
issue 1368)."""

_PASSES = 10
_PLAIN_DATA = "write a text, a number, true or false, a date, a list or a mapping"


class Fixed(NamedTuple):
    """The number of findings that were fixed, and the findings that are left."""

    fixed: int
    left: list[Finding]


def lint(
    path: str | os.PathLike[str], *, names: Names | None = None, tasks_dirs: Sequence[str | os.PathLike[str]] = ()
) -> list[Finding]:
    """All findings about a card, by line; empty for a good card.

    Args:
        path: the card.
        names: the vocabulary of metric names that the card should use; None accepts either, but not both.
        tasks_dirs: folders with more task files.

    Raises:
        CardError: the file does not exist or cannot be opened.
    """
    tasks = registry.get_tasks([Path(folder) for folder in tasks_dirs])
    try:
        card = card_file.load(path)
    except CardError as err:
        return [_unreadable(err, str(path))]
    return findings(card, tasks, names=names)


def findings(card: Card, tasks: Registry, *, names: Names | None = None) -> list[Finding]:
    """All findings about a card that was read; see `lint`."""
    ignored = unrecognised(card)
    unsorted = [_ignored(ignored)] if ignored is not None else []
    card = card if ignored is None else ignored.card
    unsorted += [*_size(card), *_unloadable(card), *hub_schema.check(card), *hub_values.check(card)]
    unsorted += result_values.check(card, tasks, names=names)
    return sorted(dict.fromkeys(unsorted), key=lambda finding: (finding.line, finding.code, finding.what))


def fix(
    path: str | os.PathLike[str], *, names: Names | None = None, tasks_dirs: Sequence[str | os.PathLike[str]] = ()
) -> Fixed:
    """Fix the findings of a card that need no knowledge beyond the card itself.

    Raises:
        CardError: as in `card_file.load` and `save`.
    """
    tasks = registry.get_tasks([Path(folder) for folder in tasks_dirs])
    original = card = card_file.load(path, to_change=True)
    if card.raw is None:
        raise CardError(f"{path}: no such file; expected a model card")
    fixed = 0
    for _ in range(_PASSES):
        todo = _not_overlapping([finding for finding in findings(card, tasks, names=names) if finding.edits])
        if not todo:
            break
        card = card.with_text(text_edits.apply(card, [edit for finding in todo for edit in finding.edits]))
        fixed += len(todo)
    card_file.save(original, card.text)
    return Fixed(fixed, findings(card, tasks, names=names))


def _not_overlapping(fixable: Sequence[Finding]) -> list[Finding]:
    """The findings, from the top, that can be fixed together because their edits do not overlap."""
    chosen: list[Finding] = []
    end = -1
    for finding in sorted(fixable, key=lambda finding: (finding.edits[0].start, -finding.edits[-1].end)):
        if finding.edits[0].start >= end:
            chosen.append(finding)
            end = finding.edits[-1].end
    return chosen


def _size(card: Card) -> list[Finding]:
    length = len(card.front_matter)
    if length <= MAX_FRONT_MATTER:
        return []
    return [
        Finding(
            1,
            "too-long",
            f"the front matter has {length:,} characters, more than {MAX_FRONT_MATTER:,}",
            "write fewer metrics (`harness card write --metrics main`)",
        )
    ]


def _ignored(ignored: Unrecognised) -> Finding:
    what = f"the hub ignores this front matter: {ignored.why}"
    return Finding(ignored.line, "ignored-front-matter", what, ignored.advice, ignored.edits)


def _unloadable(card: Card) -> list[Finding]:
    """Find what keeps huggingface_hub from loading the front matter, which it does with PyYAML's loader in Python.

    That loader refuses tabs that the one in C accepts; of everything else the faster one thinks the same.
    """
    loader = yaml.SafeLoader if "\t" in card.front_matter else getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        yaml.load(card.front_matter, Loader=loader)
    except yaml.MarkedYAMLError as err:
        line = card.line_of(card.start) + (err.problem_mark.line if err.problem_mark is not None else 0)
        is_tab = "\\t" in str(err.problem)
        code, advice = ("tab", "write spaces in place of the tabs") if is_tab else ("not-plain-data", _PLAIN_DATA)
        return [Finding(line, code, f"huggingface_hub cannot load this front matter: {err.problem}", advice)]
    except (ValueError, OverflowError, TypeError) as err:
        what = f"huggingface_hub cannot load this front matter: {err}"
        return [Finding(_line_of_bad_scalar(card), "not-plain-data", what, _PLAIN_DATA)]
    return []


def _line_of_bad_scalar(card: Card) -> int:
    """The line of the first scalar that is not plain data; the first line if none is by itself."""
    todo = [card.root] if card.root is not None else []
    lines = []
    while todo:
        node = todo.pop()
        todo += [*node.items, *(part for pair in node.pairs for part in pair)]
        if node.kind == "scalar":
            try:
                yaml_nodes.data(node, path=str(card.path))
            except CardError:
                lines.append(node.line)
    return min(lines, default=1)


def _unreadable(err: CardError, path: str) -> Finding:
    place = re.match(r":(\d+): (.*)", str(err).removeprefix(path), flags=re.DOTALL)
    if place is None:
        raise err
    what, _, advice = place[2].rpartition("; ")
    return Finding(int(place[1]), "unreadable", what or advice, advice if what else "correct it")
