"""New values into the `model-index` of a card's text: where each goes, as edits and as the changes of data they mean.

Positions in the changes are those of the text that was read; `merge` applies and checks them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.cards import claims
from harness.cards.card_file import Card
from harness.cards.claims import Key, MetricNodes
from harness.cards.edit import text_edits as edits
from harness.cards.edit.change_check import Change
from harness.cards.edit.text_edits import Edit, Item
from harness.cards.edit.yaml_layout import Result, metric_item, model_item
from harness.cards.edit.yaml_nodes import Node
from harness.cards.metric_names import Names, fraction, named, percent_text, to_v2, value_of
from harness.errors import CardError

INDEX = "model-index"


@dataclass(kw_only=True)
class Plan:
    """Edits of the text, what they do to its data, and how many values were added, changed and found as they were."""

    edits: list[Edit] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    added: int = 0
    changed: int = 0
    kept: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexWriter:
    """Notes in `plan` what to do to a card's index.

    Attributes:
        names: of metrics that are written.
        digits: decimals of values; None for all.
        rename: whether metrics that the card has under another name get the one of `names`.
    """

    card: Card
    plan: Plan
    names: Names
    digits: int | None
    rename: bool

    def own(self, node: Node, what: str) -> Node:
        """A list, or nothing, that is written where it stands and nowhere else.

        Raises:
            CardError: it is something else, or shared through an anchor.
        """
        if node.kind == "alias" or node.anchor in self.card.tree.used_anchors:
            raise self._wrong(node, f"{what} is shared through the anchor {node.anchor or node.text!r}; write it out")
        if node.kind != "sequence" and not node.is_null:
            raise self._wrong(node, f"{what} is a {node.kind}, expected a list")
        return node

    def _wrong(self, node: Node, what: str) -> CardError:
        return CardError(f"{self.card.path}:{node.line}: {what}")

    def new_entry(self, name: str, results: Sequence[Result]) -> None:
        """Put a model into the index, and the index and the front matter around it where there are none."""
        root, item = self.card.root, model_item(name, self._items(results))
        index = root.get(INDEX) if root is not None else None
        data = {"name": name, "results": self._data(results)}
        self.plan.added += sum(len(result.metrics) for result in results)
        if root is not None and index is not None:
            sequence = self.own(index, f"`{INDEX}`")
            indent = root.start - edits.line_start(self.card.text, root.start)
            self.plan.edits.append(edits.append(self.card, sequence, [item], indent=indent, in_flow=root.flow))
            at = edits.position(self.card, sequence)
            self.plan.changes.append(lambda front: front.update({INDEX: _inserted(front[INDEX], at, [data])}))
            return
        self.plan.changes.append(lambda front: front.update({INDEX: [data]}))
        if self.card.has_front_matter:
            self.plan.edits.append(edits.add_key(self.card, INDEX, item))
        else:
            lines = ["---", f"{INDEX}:", *item.block(0), "---", ""]
            self.plan.edits.append(Edit(0, 0, "".join(f"{line}{self.card.newline}" for line in lines)))

    def into(self, number: int, node: Node, results: Sequence[Result]) -> None:
        """Put results into the entry `node` of the index, which is its item `number`."""
        there: dict[Key, list[MetricNodes]] = {}
        blocks: dict[Key, list[tuple[int, Node]]] = {}
        for position, block in enumerate(claims.items(node, "results")):
            key = claims.key_of(block, "")
            blocks.setdefault(key, []).append((position, block))
            for found in claims.metrics_of(block, (number, position)):
                metric = to_v2(found.type.real.text, claims.type_of(block)) if found.type is not None else ""
                there.setdefault(key._replace(metric=metric), []).append(found)
        new: list[Result] = []
        for result in results:
            missing: dict[str, float] = {}
            for metric, score in result.metrics.items():
                matches = there.get(result.key(metric), [])
                if matches:
                    self._update(matches, metric, score, result.type)
                else:
                    missing[metric] = score
            if missing and not self._extend(blocks.get(result.key(""), []), result, missing, number):
                new.append(replace(result, metrics=missing))
        if new:
            self._add_results(number, node, new)

    def _update(self, matches: Sequence[MetricNodes], metric: str, score: float, task_type: str) -> None:
        """Every repetition gets the value, unless one of them has it already: then nothing changed."""
        text = percent_text(score, self.digits)
        name = named(metric, task_type, names=self.names)
        changed = not any(self._same(found.value, text, score) for found in matches)
        renamed = self.rename and any(found.type is not None and found.type.real.text != name for found in matches)
        for found in matches:
            if changed:
                self._set(found, "value", found.value, text, value_of(text))
            if self.rename and found.type is not None and found.type.real.text != name:
                self._set(found, "type", found.type, name, name)
        self.plan.changed += changed or renamed
        self.plan.kept += not (changed or renamed)

    def _same(self, value: Node | None, text: str, score: float) -> bool:
        written = claims.number(value.real.text) if value is not None and value.real.kind == "scalar" else None
        if written is None or value is None or value.real.tag.endswith(":str"):
            return False
        return float(written) == float(text) or (self.digits is None and fraction(str(written)) == score)

    def _set(self, found: MetricNodes, key: str, node: Node | None, text: str, value: Any) -> None:
        model, i, j = found.place
        if node is None:
            raise self._wrong(found.metric, f"a metric without `{key}`; add it")
        shared = node.anchor in self.card.tree.used_anchors
        inherited = found.metric.kind == "alias" or found.result.kind == "alias" or not found.metric.holds(node)
        if shared or inherited or node.real.kind != "scalar":
            raise self._wrong(node, f"this `{key}` is shared with another place through an anchor; write it out")
        empty = node.start == node.end
        self.plan.edits.append(Edit(node.start, node.end, f" {text}" if empty else text))

        def change(front: Any) -> None:
            front[INDEX][model]["results"][i]["metrics"][j][key] = value

        self.plan.changes.append(change)

    def _extend(
        self, blocks: Sequence[tuple[int, Node]], result: Result, missing: Mapping[str, float], number: int
    ) -> bool:
        """Put metrics into a result of the card that is about the same; whether there is one that can take them."""
        taking = next(((at, block) for at, block in blocks if self._takes_metrics(block)), None)
        if taking is None:
            return False
        position, block = taking
        metrics = block.get("metrics")
        assert metrics is not None
        texts = [
            (named(metric, result.type, names=self.names), percent_text(score, self.digits))
            for metric, score in missing.items()
        ]
        items = [metric_item(metric, value) for metric, value in texts]
        self.plan.edits.append(edits.append(self.card, metrics, items, indent=0, in_flow=block.flow))
        self.plan.added += len(items)
        at = edits.position(self.card, metrics)

        def change(front: Any) -> None:
            listed = front[INDEX][number]["results"][position]
            added = [{"type": metric, "value": value_of(value)} for metric, value in texts]
            listed["metrics"] = _inserted(listed["metrics"], at, added)

        self.plan.changes.append(change)
        return True

    def _takes_metrics(self, block: Node) -> bool:
        metrics = block.get("metrics") if block.kind == "mapping" else None
        shared = self.card.tree.used_anchors
        return (
            metrics is not None
            and bool(metrics.items)
            and block.holds(metrics)
            and block.anchor not in shared
            and metrics.anchor not in shared
        )

    def _add_results(self, number: int, entry: Node, results: Sequence[Result]) -> None:
        data = self._data(results)
        sequence = entry.get("results")
        if entry.kind != "mapping" or sequence is None or not entry.holds(sequence):
            raise self._wrong(entry, "this model has no `results` of its own; add `results: []`")
        key = next(key for key, value in entry.pairs if value is sequence)
        indent = key.start - edits.line_start(self.card.text, key.start)
        own = self.own(sequence, "`results`")
        new = self._items(results)
        self.plan.edits.append(edits.append(self.card, own, new, indent=indent, in_flow=entry.flow))
        self.plan.added += sum(len(result.metrics) for result in results)
        at = edits.position(self.card, own)

        def change(front: Any) -> None:
            front[INDEX][number]["results"] = _inserted(front[INDEX][number]["results"], at, data)

        self.plan.changes.append(change)

    def _items(self, results: Iterable[Result]) -> list[Item]:
        return [result.item(names=self.names, digits=self.digits) for result in results]

    def _data(self, results: Iterable[Result]) -> list[dict[str, Any]]:
        return [result.data(names=self.names, digits=self.digits) for result in results]


def _inserted(listed: list[Any] | None, at: int, new: list[Any]) -> list[Any]:
    listed = listed or []
    return [*listed[:at], *new, *listed[at:]]
