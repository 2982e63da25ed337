"""What is wrong with a card, offline: what the hub refuses on push, and what it takes but nobody should publish.

The hub's rules are those of its model card specification (hub-docs, `modelcard.md`) as huggingface_hub 2.4 reads it;
the others come from cards that were misread. Every finding has its line and what to do; `fix` does what is safe.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from harness.cards import card_file
from harness.cards.card_file import Card
from harness.cards.edit import text_edits
from harness.cards.lint import hub_schema, result_values
from harness.cards.lint.findings import Finding
from harness.cards.metric_names import Names
from harness.errors import CardError
from harness.tasks import registry
from harness.tasks.registry import Registry

MAX_FRONT_MATTER = 2**20
"""Characters. Every metric of every language makes front matters of tens of megabytes, which the hub refused (mteb
issue 1368); one of this size is already more than a reader of cards wants to parse."""

_PASSES = 10


def lint(
    path: str | os.PathLike[str], *, names: Names | None = None, tasks_dirs: Sequence[str | os.PathLike[str]] = ()
) -> list[Finding]:
    """Everything that is wrong with a card, by line; empty for a good one.

    Args:
        path: the card.
        names: the metric names that it should use; None asks only that it does not mix them.
        tasks_dirs: folders with more task files.

    Raises:
        CardError: there is no such file, or it cannot be opened.
    """
    known = registry.get_tasks([Path(folder) for folder in tasks_dirs])
    try:
        card = card_file.load(path)
    except CardError as err:
        return [_broken(err, str(path))]
    return findings(card, known, names=names)


def findings(card: Card, known: Registry, *, names: Names | None = None) -> list[Finding]:
    """As `lint`, for a card that was read."""
    found = [*_size(card), *hub_schema.check(card), *result_values.check(card, known, names=names)]
    return sorted(dict.fromkeys(found), key=lambda finding: (finding.line, finding.code, finding.what))


def fix(
    path: str | os.PathLike[str], *, names: Names | None = None, tasks_dirs: Sequence[str | os.PathLike[str]] = ()
) -> tuple[int, list[Finding]]:
    """Mend what can be mended without knowing more than the card says; how many findings that were, and what is left.

    Raises:
        CardError: as `card_file.load` and `save`.
    """
    known = registry.get_tasks([Path(folder) for folder in tasks_dirs])
    original = card = card_file.load(path, to_change=True)
    if card.raw is None:
        raise CardError(f"{path}: no such file; expected a model card")
    fixed = 0
    for _ in range(_PASSES):
        found = findings(card, known, names=names)
        todo = _apart([finding for finding in found if finding.edits])
        if not todo:
            break
        card = card.with_text(text_edits.apply(card, [edit for finding in todo for edit in finding.edits]))
        fixed += len(todo)
    card_file.save(original, card.text)
    return fixed, findings(card, known, names=names)


def _apart(found: Sequence[Finding]) -> list[Finding]:
    """As many of the findings, from the top, as can be mended together: none touches another's text."""
    taken: list[Finding] = []
    end = -1
    for finding in sorted(found, key=lambda finding: (finding.edits[0].start, -finding.edits[-1].end)):
        if finding.edits[0].start >= end:
            taken.append(finding)
            end = finding.edits[-1].end
    return taken


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


def _broken(err: CardError, path: str) -> Finding:
    place = re.match(r":(\d+): (.*)", str(err).removeprefix(path), flags=re.DOTALL)
    if place is None:
        raise err
    what, _, advice = place[2].rpartition("; ")
    return Finding(int(place[1]), "unreadable", what or advice, advice if what else "correct it")
