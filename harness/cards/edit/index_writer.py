"""Where new values go in the `model-index` of a card, as edits of its text and as the changes of data they stand for.

Positions refer to the text that was read. `merge` applies the edits and checks the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.cards import claims
from harness.cards.card_file import Card
from harness.cards.claims import ClaimKey, MetricNodes
from harness.cards.edit import text_edits
from harness.cards.edit.change_check import DataChange
from harness.cards.edit.text_edits import Edit, Item
from harness.cards.edit.yaml_layout import Result, metric_item, model_item
from harness.cards.edit.yaml_nodes import Node
from harness.cards.metric_names import Names, fraction, named, percent_text, to_v2, value_of
from harness.errors import CardError

INDEX = "model-index"


@dataclass(kw_only=True)
class PendingEdits:
    """The changes of a card that are not written yet.

    Attributes:
        text: edits of the card's text.
        data: what these edits do to the data of the front matter.
        added: number of values that are new.
        changed: number of values that differ from those on the card.
        unchanged: number of values that the card has already.
    """

    text: list[Edit] = field(default_factory=list)
    data: list[DataChange] = field(default_factory=list)
    added: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexWriter:
    """Adds to `pending` the edits that put results into a card's index.

    Attributes:
        names: the vocabulary of the metric names that are written.
        digits: decimals of values; None for all.
        rename: whether metrics on the card get their name in `names` where they have another.
    """

    card: Card
    pending: PendingEdits
    names: Names
    digits: int | None
    rename: bool

    def editable_list(self, node: Node, what: str) -> Node:
        """The node, if it is a list (or empty) that can be edited without changing another place.

        Raises:
            CardError: it is something else, or an anchor shares it with another place.
        """
        if node.kind == "alias" or node.anchor in self.card.tree.used_anchors:
            raise self._error(
                node, f"{what} is shared through the anchor {node.anchor or node.text!r}; expand the alias"
            )
        if node.kind != "sequence" and not node.is_null:
            raise self._error(node, f"{what} is a {node.kind}, expected a list")
        return node

    def add_model(self, name: str, results: Sequence[Result]) -> None:
        """Add an entry for a model to the index; create the index and the front matter where they are missing."""
        root, item = self.card.root, model_item(name, self._items(results))
        index = root.get(INDEX) if root is not None else None
        data = {"name": name, "results": self._data(results)}
        self.pending.added += sum(len(result.metrics) for result in results)
        if root is not None and index is not None:
            self._append(
                self.editable_list(index, f"`{INDEX}`"),
                [item],
                data=[data],
                locate=lambda front: (front, INDEX),
                indent=root.start - text_edits.line_start(self.card.text, root.start),
                in_flow=root.flow,
            )
            return
        self.pending.data.append(lambda front: front.update({INDEX: [data]}))
        if self.card.has_front_matter:
            self.pending.text.append(text_edits.add_key(self.card, INDEX, item))
        else:
            lines = ["---", f"{INDEX}:", *item.block(0), "---", ""]
            self.pending.text.append(Edit(0, 0, "".join(f"{line}{self.card.newline}" for line in lines)))

    def update_model(self, number: int, node: Node, results: Sequence[Result]) -> None:
        """Put results into the entry `node`, which is item `number` of the index."""
        metrics_on_card: dict[ClaimKey, list[MetricNodes]] = {}
        results_on_card: dict[ClaimKey, list[tuple[int, Node]]] = {}
        for position, block in enumerate(claims.items(node, "results")):
            key = claims.key_of(block, "")
            results_on_card.setdefault(key, []).append((position, block))
            for nodes in claims.metrics_of(block, (number, position)):
                metric = to_v2(nodes.type.real.text, claims.type_of(block)) if nodes.type is not None else ""
                metrics_on_card.setdefault(key._replace(metric=metric), []).append(nodes)
        new: list[Result] = []
        for result in results:
            missing: dict[str, float] = {}
            for metric, score in result.metrics.items():
                matches = metrics_on_card.get(result.key(metric), [])
                if matches:
                    self._update_metric(matches, metric, score, result.type)
                else:
                    missing[metric] = score
            if missing and not self._add_metrics(results_on_card.get(result.key(""), []), result, missing, number):
                new.append(replace(result, metrics=missing))
        if new:
            self._add_results(number, node, new)

    def _update_metric(self, matches: Sequence[MetricNodes], metric: str, score: float, task_type: str) -> None:
        """Give the value to every repetition of a metric, unless one of them has it already."""
        text = percent_text(score, self.digits)
        name = named(metric, task_type, names=self.names)
        changed = not any(self._has_value(nodes.value, text, score) for nodes in matches)
        renamed = self.rename and any(nodes.type is not None and nodes.type.real.text != name for nodes in matches)
        for nodes in matches:
            if changed:
                self._set(nodes, "value", nodes.value, text, value_of(text))
            if self.rename and nodes.type is not None and nodes.type.real.text != name:
                self._set(nodes, "type", nodes.type, name, name)
        self.pending.changed += changed or renamed
        self.pending.unchanged += not (changed or renamed)

    def _has_value(self, value: Node | None, text: str, score: float) -> bool:
        written = claims.number(value.real.text) if value is not None and value.real.kind == "scalar" else None
        if written is None or value is None or value.real.tag.endswith(":str"):
            return False
        return float(written) == float(text) or (self.digits is None and fraction(str(written)) == score)

    def _set(self, nodes: MetricNodes, key: str, node: Node | None, text: str, value: Any) -> None:
        model, i, j = nodes.place
        if node is None:
            raise self._error(nodes.metric, f"a metric without `{key}`; add it")
        shared = node.anchor in self.card.tree.used_anchors
        inherited = nodes.metric.kind == "alias" or nodes.result.kind == "alias" or not nodes.metric.holds(node)
        if shared or inherited or node.real.kind != "scalar":
            raise self._error(node, f"an anchor shares this `{key}` with another place; expand the alias")
        empty = node.start == node.end
        self.pending.text.append(Edit(node.start, node.end, f" {text}" if empty else text))

        def change(front: Any) -> None:
            front[INDEX][model]["results"][i]["metrics"][j][key] = value

        self.pending.data.append(change)

    def _add_metrics(
        self, blocks: Sequence[tuple[int, Node]], result: Result, missing: Mapping[str, float], number: int
    ) -> bool:
        """Add metrics to the first result on the card that is about the same and can be edited; whether one can."""
        editable = next(((at, block) for at, block in blocks if self._can_take_metrics(block)), None)
        if editable is None:
            return False
        position, block = editable
        metrics = block.get("metrics")
        assert metrics is not None
        texts = [
            (named(metric, result.type, names=self.names), percent_text(score, self.digits))
            for metric, score in missing.items()
        ]
        self.pending.added += len(texts)
        self._append(
            metrics,
            [metric_item(metric, value) for metric, value in texts],
            data=[{"type": metric, "value": value_of(value)} for metric, value in texts],
            locate=lambda front: (front[INDEX][number]["results"][position], "metrics"),
            indent=0,
            in_flow=block.flow,
        )
        return True

    def _can_take_metrics(self, block: Node) -> bool:
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
        sequence = entry.get("results")
        if entry.kind != "mapping" or sequence is None or not entry.holds(sequence):
            raise self._error(entry, "this model has no `results` list that can be edited; add `results: []`")
        key = next(key for key, value in entry.pairs if value is sequence)
        self.pending.added += sum(len(result.metrics) for result in results)
        self._append(
            self.editable_list(sequence, "`results`"),
            self._items(results),
            data=self._data(results),
            locate=lambda front: (front[INDEX][number], "results"),
            indent=key.start - text_edits.line_start(self.card.text, key.start),
            in_flow=entry.flow,
        )

    def _append(
        self,
        sequence: Node,
        items: Sequence[Item],
        *,
        data: Sequence[Any],
        locate: Callable[[Any], tuple[Any, str]],
        indent: int,
        in_flow: bool,
    ) -> None:
        """Append items to a list of the text, and `data` to the list that `locate` names as a mapping and its key."""
        self.pending.text.append(text_edits.append(self.card, sequence, items, indent=indent, in_flow=in_flow))
        at = text_edits.position(self.card, sequence)

        def change(front: Any) -> None:
            mapping, key = locate(front)
            listed = mapping[key] or []
            mapping[key] = [*listed[:at], *data, *listed[at:]]

        self.pending.data.append(change)

    def _error(self, node: Node, what: str) -> CardError:
        return CardError(f"{self.card.path}:{node.line}: {what}")

    def _items(self, results: Iterable[Result]) -> list[Item]:
        return [result.item(names=self.names, digits=self.digits) for result in results]

    def _data(self, results: Iterable[Result]) -> list[dict[str, Any]]:
        return [result.data(names=self.names, digits=self.digits) for result in results]
