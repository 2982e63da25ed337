"""Results merged into a card's text, with everything else in the text kept byte for byte (pure).

A value is replaced in place when the card has a result of the same task, data set, config, split, revision and metric.
A metric that such a result lacks is added to it. Anything else becomes a new result at the end. The edited text is
parsed again and refused unless its data differ from the old data in exactly the intended changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from harness.cards import claims, new_card
from harness.cards.card_file import Card
from harness.cards.claims import ClaimKey
from harness.cards.edit import pruning, text_edits
from harness.cards.edit.change_check import check
from harness.cards.edit.index_writer import INDEX, IndexWriter, PendingEdits
from harness.cards.edit.yaml_layout import Result
from harness.cards.edit.yaml_nodes import Node
from harness.cards.metric_names import Names
from harness.cards.unrecognised import unrecognised
from harness.errors import CardError

IsOurs: TypeAlias = Callable[[Node, ClaimKey], bool]
"""Whether this program wrote a metric of a card, given the metric's result and key."""


class ValueCounts(NamedTuple):
    """How many values of a card were added, changed, left unchanged, and removed."""

    added: int
    changed: int
    unchanged: int
    pruned: int


class Merged(NamedTuple):
    """A card's new text, and what changed in it.

    Attributes:
        text: the whole card.
        counts: of the values in the model's entry.
        other_models: names of the other entries of the index, which were not touched.
    """

    text: str
    counts: ValueCounts
    other_models: tuple[str, ...] = ()


def merge(
    card: Card,
    results: Sequence[Result],
    *,
    name: str,
    names: Names | None = None,
    digits: int | None = None,
    prune: IsOurs | None = None,
) -> Merged:
    """Merge the results of one model into a card.

    Args:
        card: the card as read; one that is missing or empty becomes a whole new card.
        results: of one model.
        name: the model's name in the index. An entry whose name differs only in case, `-` and `_` counts as its entry.
        names: the vocabulary of metric names. None writes the one of the model's entry, else of the card, else mteb
            2's, and keeps the names that the card already has.
        digits: decimals of the values; None for all.
        prune: selects metrics of this model's entry to remove if they are not among `results`; None removes nothing.

    Raises:
        CardError: the hub ignores the card's front matter, or the card's index is malformed, or cannot be changed
            without changing something else.
    """
    ignored = unrecognised(card)
    if ignored is not None:
        raise CardError(f"{ignored}, and write again; a second front matter would hide it")
    if not card.text:
        added = sum(len(result.metrics) for result in results)
        text = new_card.new_card(name, results, names=names or "v2", digits=digits)
        return Merged(text, ValueCounts(added, 0, 0, 0))
    pending = PendingEdits()
    entry = _entry(card, name)
    on_card = claims.names_of([entry[1]] if entry else []) or claims.names_of(claims.models(card))
    written_names = names or on_card or "v2"
    writer = IndexWriter(card=card, pending=pending, names=written_names, digits=digits, rename=names is not None)
    if entry is not None:
        writer.update_model(*entry, results)
    elif results:
        writer.add_model(name, results)
    text = _applied(card, pending)
    pruned = 0
    if prune is not None and entry is not None:
        written = {result.key(metric) for result in results for metric in result.metrics}
        text, pruned = _pruned(
            card.with_text(text), name, lambda result, key: key not in written and prune(result, key)
        )
    other_models = [
        claims.text(node, "name") or "?"
        for number, node in enumerate(_entries(card))
        if not entry or number != entry[0]
    ]
    return Merged(text, ValueCounts(pending.added, pending.changed, pending.unchanged, pruned), tuple(other_models))


def model_name(model: str) -> str:
    """A model's name in an index: without its organisation."""
    return model.rstrip("/").rpartition("/")[2] or model


def _applied(card: Card, pending: PendingEdits) -> str:
    text = text_edits.apply(card, pending.text)
    check(card, text, pending.data)
    return text


def _pruned(card: Card, name: str, removable: IsOurs) -> tuple[str, int]:
    entry = _entry(card, name)
    assert entry is not None
    pending = PendingEdits()
    writer = IndexWriter(card=card, pending=pending, names="v2", digits=None, rename=False)
    count = pruning.prune(writer, *entry, removable=removable)
    return _applied(card, pending), count


def _entry(card: Card, name: str) -> tuple[int, Node] | None:
    """The position of the model's entry in the index, and the entry."""
    candidates = [
        (number, node)
        for number, node in enumerate(_entries(card))
        if node.real.kind == "mapping" and _same_name(claims.text(node, "name") or "", name)
    ]
    exact = [pair for pair in candidates if claims.text(pair[1], "name") == name]
    return next(iter([*exact, *candidates]), None)


def _entries(card: Card) -> list[Node]:
    root = card.root
    index = root.get(INDEX) if root is not None else None
    if root is None or index is None or index.is_null:
        return []
    keys = [key for key, _ in root.pairs if key.text == INDEX]
    if len(keys) > 1:
        raise CardError(f"{card.path}:{keys[1].line}: a second `{INDEX}`; merge it into the first")
    if index.real.kind != "sequence":
        raise CardError(f"{card.path}:{index.line}: `{INDEX}` is a {index.real.kind}, expected a list of models")
    return list(index.real.items)


def _same_name(left: str, right: str) -> bool:
    left, right = (model_name(name).casefold().replace("_", "-") for name in (left, right))
    return left == right
