"""What a card says: every value in its `model-index` with its place, scale and names made uniform (pure).

Cards come in four eras. All are read alike: names of tasks and metrics become today's, values become 0-1, and whatever
a claim lacks is None. What is odd about it is for `lint` to say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal, NamedTuple

from harness.cards.card_file import Card
from harness.cards.edit.yaml_nodes import Node
from harness.cards.metric_names import fraction, read_name, to_v2
from harness.types import TASK_TYPES

Scale = Literal["percent", "fraction"]
_UNSAID = ("None", "none")
"""Python's nothing, as cards of 2023 have it."""
_WEAK = 0.1
"""A best value of a result that is below this on a card of percentages: a very weak score, not one between 0 and 1."""


class ClaimKey(NamedTuple):
    """What makes two results the same: everything but the value. `metric` is the name since mteb 2."""

    task: str
    dataset: str | None
    config: str | None
    split: str | None
    revision: str | None
    metric: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One value that a card states.

    Attributes:
        model: the name of the index entry that it stands in.
        type: mteb's task type; empty where the card names none of them.
        subset: as the dataset's name says in parentheses, else the config.
        metric: as written; `key.metric` is today's name.
        text: the value as written.
        scale: how `text` is to be read; see `scales`.
        score: 0-1; None where the value is not a finite number.
        line: of the value.
        place: position of model, result and metric in the index.
    """

    model: str
    key: ClaimKey
    type: str
    subset: str
    metric: str
    text: str
    scale: Scale
    score: float | None
    line: int
    place: tuple[int, int, int]


class MetricNodes(NamedTuple):
    """A metric of a result: its mapping, and the nodes of type and value (None where missing)."""

    place: tuple[int, int, int]
    result: Node
    metric: Node
    type: Node | None
    value: Node | None


def models(card: Card) -> list[Node]:
    """The entries of the index that are mappings, in order."""
    index = card.root.get("model-index") if card.root is not None else None
    return [item for item in (index.real.items if index is not None else []) if item.real.kind == "mapping"]


def items(mapping: Node | None, key: str) -> list[Node]:
    """The items of the list under `key`; none where there is no such list."""
    value = mapping.real.get(key) if mapping is not None and mapping.real.kind == "mapping" else None
    return list(value.real.items) if value is not None and value.real.kind == "sequence" else []


def text(mapping: Node | None, *path: str) -> str | None:
    """The text of the scalar at the end of a path of keys; None where there is none, or it is null, empty or `None`."""
    node = mapping
    for key in path:
        node = node.real.get(key) if node is not None and node.real.kind == "mapping" else None
    if node is None or node.real.kind != "scalar" or node.real.is_null:
        return None
    said = node.real
    return None if said.text == "" or (said.style is None and said.text in _UNSAID) else said.text


def metric_nodes(entry: Node, model: int = 0) -> Iterator[MetricNodes]:
    """Every metric of an entry of the index, in order."""
    for position, result in enumerate(items(entry, "results")):
        yield from metrics_of(result, (model, position))


def metrics_of(result: Node, place: tuple[int, int]) -> Iterator[MetricNodes]:
    """Every metric of a result, in order."""
    for position, metric in enumerate(items(result, "metrics")):
        if metric.real.kind == "mapping":
            yield MetricNodes((*place, position), result, metric, metric.real.get("type"), metric.real.get("value"))


def type_of(result: Node) -> str:
    """mteb's task type of a result: mteb 2 wrote it as the task's name, beside the hub's own kind of task."""
    named = [text(result, "task", key) for key in ("type", "name")]
    known = (*TASK_TYPES, "Summarization", "MultilabelClassification", "InstructionRetrieval", "InstructionReranking")
    return next((name for name in named if name in known), "")


def key_of(result: Node, metric: str) -> ClaimKey:
    """The identity of a metric of a result."""
    dataset = result.real.get("dataset") if result.real.kind == "mapping" else None
    return ClaimKey(
        task=read_name(text(dataset, "name") or "").task,
        dataset=text(dataset, "type"),
        config=text(dataset, "config"),
        split=text(dataset, "split"),
        revision=text(dataset, "revision"),
        metric=to_v2(metric, type_of(result)) if metric else "",
    )


def claims_of(card: Card) -> list[Claim]:
    """Everything that the card's index states, in order."""
    found: list[Claim] = []
    for number, entry in enumerate(models(card)):
        model = text(entry, "name") or ""
        scale_of = scales(entry)
        for nodes in metric_nodes(entry, number):
            value = nodes.value.real.text if nodes.value is not None and nodes.value.real.kind == "scalar" else ""
            metric = nodes.type.real.text if nodes.type is not None else ""
            scale = scale_of[nodes.place[1]]
            place = nodes.value or nodes.metric
            name = read_name(text(nodes.result, "dataset", "name") or "")
            found.append(
                Claim(
                    model=model,
                    key=key_of(nodes.result, metric),
                    type=type_of(nodes.result),
                    subset=name.subset or text(nodes.result, "dataset", "config") or "default",
                    metric=metric,
                    text=value,
                    scale=scale,
                    score=_score(value, scale),
                    line=place.line,
                    place=nodes.place,
                )
            )
    return found


def scales(entry: Node) -> list[Scale]:
    """How the values of each result of an index entry are to be read.

    Values above 1 are percentages. A result whose values are all within 0-1 is one of fractions, unless others of its
    era (names with or without `MTEB `) are percentages and its best value is so small that it must be a weak score.
    """
    results = items(entry, "results")
    peaks = [_peak(items(result, "metrics")) for result in results]
    eras = [read_name(text(result, "dataset", "name") or "").prefixed for result in results]
    percent_eras = {era for era, peak in zip(eras, peaks, strict=True) if peak > 1}
    return [
        "percent" if peak > 1 or (era in percent_eras and peak < _WEAK) else "fraction"
        for era, peak in zip(eras, peaks, strict=True)
    ]


def number(value: str) -> Decimal | None:
    """A finite number as written; None for anything else."""
    try:
        found = Decimal(value.replace("_", ""))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _peak(metrics: Sequence[Node]) -> float:
    values = [number(text(metric, "value") or "") for metric in metrics]
    return max((abs(float(value)) for value in values if value is not None), default=math.inf)


def _score(value: str, scale: Scale) -> float | None:
    if number(value) is None:
        return None
    return fraction(value) if scale == "percent" else float(value.replace("_", ""))
