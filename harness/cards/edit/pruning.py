"""Results out of a card's index: those that were written here and are gone."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from harness.cards import claims
from harness.cards.claims import Key
from harness.cards.edit import text_edits
from harness.cards.edit.index_writer import INDEX, IndexWriter
from harness.cards.edit.yaml_nodes import Node
from harness.cards.metric_names import read_name
from harness.cards.model_index import at_revision
from harness.cards.task_lookup import Specs
from harness.cards.verify.targets import computed
from harness.errors import CardError


def prune(write: IndexWriter, number: int, entry: Node, *, gone: Callable[[Node, Key], bool]) -> int:
    """Take out the metrics of an entry that are `gone`, and results that have none left; how many metrics that were.

    Raises:
        CardError: they are shared with another place through an anchor.
    """
    taken: dict[int, list[int]] = {}
    for nodes in claims.metric_nodes(entry, number):
        metric = nodes.type.real.text if nodes.type is not None else ""
        if gone(nodes.result, claims.key_of(nodes.result, metric)):
            taken.setdefault(nodes.place[1], []).append(nodes.place[2])
    if not taken:
        return 0
    results = claims.items(entry, "results")
    whole = [i for i, metrics in taken.items() if len(metrics) == len(claims.items(results[i], "metrics"))]
    for i, metrics in taken.items():
        if i not in whole:
            _remove(write, results[i], "metrics", metrics)
    if whole:
        _remove(write, entry, "results", whole)

    def change(front: Any) -> None:
        listed = front[INDEX][number]["results"]
        for i, metrics in taken.items():
            listed[i]["metrics"] = [one for j, one in enumerate(listed[i]["metrics"]) if j not in metrics]
        front[INDEX][number]["results"] = [one for i, one in enumerate(listed) if i not in whole]

    write.plan.changes.append(change)
    return sum(map(len, taken.values()))


def written_here(result: Node, key: Key, specs: Specs) -> bool:
    """Whether a result is of the kind that is written here.

    That is: named `MTEB <Task>` after a task with a spec, of the spec's data set (or its mirror) at the spec's commit,
    of a split and subset of the spec and with a metric of its type. Results of other data or tasks are somebody else's.
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


def _remove(write: IndexWriter, mapping: Node, key: str, indices: Collection[int]) -> None:
    sequence = mapping.get(key)
    if sequence is None or mapping.kind != "mapping" or not mapping.holds(sequence):
        raise CardError(
            f"{write.card.path}:{mapping.line}: its `{key}` cannot be pruned: they are shared through an anchor; "
            "write them out"
        )
    node = next(one for one, value in mapping.pairs if value is sequence)
    write.plan.edits += text_edits.remove(write.card, write.own(sequence, f"`{key}`"), indices, key=node)
