"""Removing results from a card's index: those that this program wrote and that are no longer recorded."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from harness.cards import claims
from harness.cards.claims import ClaimKey
from harness.cards.edit import text_edits
from harness.cards.edit.index_writer import INDEX, IndexWriter
from harness.cards.edit.yaml_nodes import Node
from harness.cards.metric_names import read_name
from harness.cards.model_index import at_revision
from harness.cards.task_lookup import TaskLookup
from harness.cards.verify.targets import computed
from harness.errors import CardError


def prune(writer: IndexWriter, number: int, entry: Node, *, removable: Callable[[Node, ClaimKey], bool]) -> int:
    """Remove the `removable` metrics of an entry, and results that have no metric left; the number of metrics removed.

    Raises:
        CardError: an anchor shares them with another place.
    """
    removed: dict[int, list[int]] = {}
    for nodes in claims.metric_nodes(entry, number):
        metric = nodes.type.real.text if nodes.type is not None else ""
        if removable(nodes.result, claims.key_of(nodes.result, metric)):
            removed.setdefault(nodes.place[1], []).append(nodes.place[2])
    if not removed:
        return 0
    results = claims.items(entry, "results")
    whole = [i for i, metrics in removed.items() if len(metrics) == len(claims.items(results[i], "metrics"))]
    for i, metrics in removed.items():
        if i not in whole:
            _remove(writer, results[i], "metrics", metrics)
    if whole:
        _remove(writer, entry, "results", whole)

    def change(front: Any) -> None:
        listed = front[INDEX][number]["results"]
        for i, metrics in removed.items():
            listed[i]["metrics"] = [metric for j, metric in enumerate(listed[i]["metrics"]) if j not in metrics]
        front[INDEX][number]["results"] = [result for i, result in enumerate(listed) if i not in whole]

    writer.pending.data.append(change)
    return sum(map(len, removed.values()))


def written_here(result: Node, key: ClaimKey, specs: TaskLookup) -> bool:
    """Whether a result looks like one that this program wrote.

    Such a result is named `MTEB <Task>` after a task with a spec; its data set is the spec's (or its mirror) at the
    spec's commit; and its split, subset and metric are the spec's. Anything else was written by someone else.
    """
    task = specs.get(key.task)
    if task is None or not read_name(claims.text(result, "dataset", "name") or "").prefixed:
        return False
    source = at_revision(task, key.revision)
    configs = {**task.configs, **(task.mirror.subsets if task.mirror and source.path == task.mirror.path else {})}
    return (
        (key.dataset, key.revision) == (source.path, source.revision)
        and key.split in task.splits
        and key.config in {configs.get(subset, subset) for subset in task.subsets}
        and computed(key.metric, task)
    )


def _remove(writer: IndexWriter, mapping: Node, key: str, indices: Collection[int]) -> None:
    sequence = mapping.get(key)
    if sequence is None or mapping.kind != "mapping" or not mapping.holds(sequence):
        raise CardError(
            f"{writer.card.path}:{mapping.line}: its `{key}` cannot be pruned: an anchor shares them with another "
            "place; expand the alias"
        )
    node = next(key_node for key_node, value in mapping.pairs if value is sequence)
    writer.pending.text += text_edits.remove(writer.card, writer.editable_list(sequence, f"`{key}`"), indices, key=node)
