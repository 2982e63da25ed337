"""Results into a card's text, without losing anything that is in it (pure).

A value is replaced where it stands when the card has a result of the same task, data set, config, split, revision and
metric; a metric that such a result lacks is added to it; anything else becomes a new result at the end. Whatever the
card holds beyond that keeps its bytes. The text is parsed again: unless its data differ from the old in exactly the
changes that were meant, nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from harness.cards import claims, new_card
from harness.cards.card_file import Card
from harness.cards.claims import Key
from harness.cards.edit import pruning, text_edits
from harness.cards.edit.change_check import check
from harness.cards.edit.index_writer import INDEX, IndexWriter, Plan
from harness.cards.edit.yaml_layout import Result
from harness.cards.edit.yaml_nodes import Node
from harness.cards.metric_names import Names
from harness.errors import CardError

IsOurs: TypeAlias = Callable[[Node, Key], bool]
"""Whether a metric of a card, given its result and key, is one that was written here."""


class Changes(NamedTuple):
    """How many values were added, changed, found as they were, and taken out."""

    added: int
    changed: int
    kept: int
    pruned: int


class Merged(NamedTuple):
    """A card's new text, and what is new in it.

    `beside` names the other entries of the index, which were left alone.
    """

    text: str
    changes: Changes
    beside: tuple[str, ...] = ()


def merge(
    card: Card,
    results: Sequence[Result],
    *,
    name: str,
    names: Names | None = None,
    digits: int | None = None,
    prune: IsOurs | None = None,
) -> Merged:
    """The card's text with these results.

    Args:
        card: as read; one that does not exist or is empty gets a whole card from the template.
        results: of one model.
        name: of the model in the index. An entry of the same name but for case, `-` and `_` is taken for it.
        names: of metrics. None writes mteb 2's and leaves those of results that the card has as they are.
        digits: decimals of the values; None for all.
        prune: which metrics of this model's entry go unless they are among `results`; None for none.

    Raises:
        CardError: the card's index is not what it should be, or cannot be changed without changing something else.
    """
    if not card.text:
        added = sum(len(result.metrics) for result in results)
        return Merged(new_card.new_card(name, results, names=names or "v2", digits=digits), Changes(added, 0, 0, 0))
    plan = Plan()
    write = IndexWriter(card=card, plan=plan, names=names or "v2", digits=digits, rename=names is not None)
    entry = _entry(card, name)
    if entry is not None:
        write.into(*entry, results)
    elif results:
        write.new_entry(name, results)
    text = text_edits.apply(card, plan.edits)
    check(card, text, plan.changes)
    pruned = 0
    if prune is not None and entry is not None:
        written = {result.key(metric) for result in results for metric in result.metrics}
        text, pruned = _pruned(
            card.with_text(text), name, lambda result, key: key not in written and prune(result, key)
        )
    beside = [
        claims.text(node, "name") or "?"
        for number, node in enumerate(_entries(card))
        if not entry or number != entry[0]
    ]
    return Merged(text, Changes(plan.added, plan.changed, plan.kept, pruned), tuple(beside))


def model_name(model: str) -> str:
    """A model's name in an index: without its organisation."""
    return model.rstrip("/").rpartition("/")[2] or model


def _pruned(card: Card, name: str, gone: IsOurs) -> tuple[str, int]:
    entry = _entry(card, name)
    assert entry is not None
    plan = Plan()
    count = pruning.prune(IndexWriter(card=card, plan=plan, names="v2", digits=None, rename=False), *entry, gone=gone)
    text = text_edits.apply(card, plan.edits)
    check(card, text, plan.changes)
    return text, count


def _entry(card: Card, name: str) -> tuple[int, Node] | None:
    """The position of the model's own entry in the index, and the entry."""
    found = [
        (number, node)
        for number, node in enumerate(_entries(card))
        if node.real.kind == "mapping" and _same_name(claims.text(node, "name") or "", name)
    ]
    exact = [pair for pair in found if claims.text(pair[1], "name") == name]
    return next(iter([*exact, *found]), None)


def _entries(card: Card) -> list[Node]:
    root = card.root
    index = root.get(INDEX) if root is not None else None
    if root is None or index is None or index.is_null:
        return []
    keys = [key for key, _ in root.pairs if key.text == INDEX]
    if len(keys) > 1:
        raise CardError(f"{card.path}:{keys[1].line}: `{INDEX}` stands here a second time; make one of them")
    if index.real.kind != "sequence":
        raise CardError(f"{card.path}:{index.line}: `{INDEX}` is a {index.real.kind}, expected a list of models")
    return list(index.real.items)


def _same_name(one: str, other: str) -> bool:
    one, other = (model_name(name).casefold().replace("_", "-") for name in (one, other))
    return one == other
