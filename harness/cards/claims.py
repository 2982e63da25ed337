"""The claims of a card: every value in its `model-index`, with its place and in uniform scale and names (pure).

Cards were written in four styles over the years. All become the same claims: tasks and metrics have today's names,
values are 0-1, and what a card does not state is None. `lint` reports what is wrong with a claim.
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
from harness.tasks import mteb_metadata

Scale = Literal["percent", "fraction"]
_NONE_TEXTS = ("None", "none")
"""Python's None written as text, as in cards of 2023."""
_WEAK = 0.1
"""On a card of percentages, a result whose best value is below this is a very weak percentage, not a fraction."""


class ClaimKey(NamedTuple):
    """The identity of a claim: everything but its value. `metric` is mteb 2's name."""

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
        model: the name of its entry in the index.
        key: its identity.
        type: mteb's task type; empty if the card names none of them.
        subset: the one in parentheses after the dataset's name, else the config.
        metric: as written; `key.metric` is mteb 2's name.
        text: the value as written.
        scale: the scale of `text`; see `scales`.
        score: 0-1; None if the value is not a finite number.
        line: line of the value in the file.
        place: positions of model, result and metric in the index.
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
    """A metric of a result: its mapping, and the nodes of its type and value (None if missing)."""

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
    """The items of the list under `key`; empty if there is no such list."""
    value = mapping.real.get(key) if mapping is not None and mapping.real.kind == "mapping" else None
    return list(value.real.items) if value is not None and value.real.kind == "sequence" else []


def text(mapping: Node | None, *path: str) -> str | None:
    """The text of the scalar at the end of a path of keys; None if it is missing, null, empty or the text `None`."""
    node = mapping
    for key in path:
        node = node.real.get(key) if node is not None and node.real.kind == "mapping" else None
    if node is None or node.real.kind != "scalar" or node.real.is_null:
        return None
    scalar = node.real
    return None if scalar.text == "" or (scalar.style is None and scalar.text in _NONE_TEXTS) else scalar.text


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
    """mteb's task type of a result. mteb 2 wrote it as the task's name and the hub's kind of task as its type."""
    named = [text(result, "task", key) for key in ("type", "name")]
    return next((name for name in named if name in mteb_metadata.types()), "")


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
    """All claims of the card's index, in order."""
    claims: list[Claim] = []
    for number, entry in enumerate(models(card)):
        model = text(entry, "name") or ""
        scale_of = scales(entry)
        for nodes in metric_nodes(entry, number):
            value = nodes.value.real.text if nodes.value is not None and nodes.value.real.kind == "scalar" else ""
            metric = nodes.type.real.text if nodes.type is not None else ""
            scale = scale_of[nodes.place[1]]
            place = nodes.value or nodes.metric
            name = read_name(text(nodes.result, "dataset", "name") or "")
            claims.append(
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
    return claims


def scales(entry: Node) -> list[Scale]:
    """The scale of each result of an index entry.

    A result with a value above 1 holds percentages. Any other result holds fractions, unless results of the same style
    (named with or without `MTEB `) hold percentages and its best value is so small that it must be a weak percentage.
    """
    results = items(entry, "results")
    peaks = [_peak(items(result, "metrics")) for result in results]
    styles = [read_name(text(result, "dataset", "name") or "").prefixed for result in results]
    percent_styles = {style for style, peak in zip(styles, peaks, strict=True) if peak > 1}
    return [
        "percent" if peak > 1 or (style in percent_styles and peak < _WEAK) else "fraction"
        for style, peak in zip(styles, peaks, strict=True)
    ]


def number(value: str) -> Decimal | None:
    """Parse a finite number as written; None for anything else."""
    try:
        parsed = Decimal(value.replace("_", ""))
    except InvalidOperation:
        return None
    return parsed if parsed.is_finite() else None


def _peak(metrics: Sequence[Node]) -> float:
    values = [number(text(metric, "value") or "") for metric in metrics]
    return max((abs(float(value)) for value in values if value is not None), default=math.inf)


def _score(value: str, scale: Scale) -> float | None:
    if number(value) is None:
        return None
    return fraction(value) if scale == "percent" else float(value.replace("_", ""))
