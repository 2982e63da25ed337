"""The claims of a card: every value in its `model-index`, with its place and in uniform scale and names (pure).

Cards were written in four styles over the years. All become the same claims: tasks and metrics have today's names,
values are 0-1, and what a card does not state is None. `lint` reports what is wrong with a claim.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from harness.cards.card_file import Card
from harness.cards.edit.yaml_nodes import Node
from harness.cards.metric_names import Names, era_of, fraction, is_bounded, read_name, to_v2
from harness.cards.scales import Scale, ScaledResult, Writer, ambiguous, scales
from harness.results.json_format import NO_REVISION
from harness.tasks import mteb_metadata

_NONE_TEXTS = ("None", "none")
"""Python's None written as text, as in cards of 2023."""


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
        name: the metric's `name`, where it says more than its type.
        text: the value as written.
        scale: the scale of `text`; see `scales`.
        ambiguous: whether no value of its task tells the scale, so that the writer alone does.
        score: 0-1; None if the value is not a finite number.
        line: line of the value in the file.
        place: positions of model, result and metric in the index.
    """

    model: str
    key: ClaimKey
    type: str
    subset: str
    metric: str
    name: str | None = None
    text: str
    scale: Scale
    ambiguous: bool = False
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


def metric_name(metric: Node) -> str | None:
    """The `name` of a metric, which tells metrics of one type apart; None if it repeats the type."""
    name = text(metric, "name")
    return None if name == text(metric, "type") else name


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
        revision=None if (revision := text(dataset, "revision")) == NO_REVISION else revision,
        metric=to_v2(metric, type_of(result)) if metric else "",
    )


def claims_of(card: Card) -> list[Claim]:
    """All claims of the card's index, in order."""
    claims: list[Claim] = []
    for number, entry in enumerate(models(card)):
        model = text(entry, "name") or ""
        scaled = scaled_results(entry)
        scale_of, is_ambiguous = scales(scaled), ambiguous(scaled)
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
                    name=metric_name(nodes.metric),
                    text=value,
                    scale=scale,
                    ambiguous=is_ambiguous[nodes.place[1]],
                    score=_score(value, scale),
                    line=place.line,
                    place=nodes.place,
                )
            )
    return claims


def names_of(entries: Iterable[Node]) -> Names | None:
    """The vocabulary of most metric names in entries of an index that are only in one; None without such a name."""
    eras = Counter(
        era_of(nodes.type.real.text, type_of(nodes.result))
        for entry in entries
        if entry.real.kind == "mapping"
        for nodes in metric_nodes(entry)
        if nodes.type is not None and nodes.type.real.kind == "scalar"
    )
    if not eras["v1"] and not eras["v2"]:
        return None
    return "v1" if eras["v1"] > eras["v2"] else "v2"


def scaled_results(entry: Node) -> list[ScaledResult]:
    """What tells the scale of each result of an index entry, in order; see `scales`."""
    return [_scaled_result(result) for result in items(entry, "results")]


def _scaled_result(result: Node) -> ScaledResult:
    values = [
        number(text(metric, "value") or "")
        for metric in items(result, "metrics")
        if is_bounded(text(metric, "type") or "")
    ]
    peak = max((abs(float(value)) for value in values if value is not None), default=None)
    name = read_name(text(result, "dataset", "name") or "")
    task_type = type_of(result)
    writer: Writer = (
        "mteb 1" if name.prefixed else "mteb 2" if task_type and mteb_metadata.type_of(name.task) else "other"
    )
    return ScaledResult(writer, name.task, task_type or text(result, "task", "type") or "", peak)


def number(value: str) -> Decimal | None:
    """Parse a finite number as written; None for anything else."""
    try:
        parsed = Decimal(value.replace("_", ""))
    except InvalidOperation:
        return None
    return parsed if parsed.is_finite() else None


def _score(value: str, scale: Scale) -> float | None:
    if number(value) is None:
        return None
    return fraction(value) if scale == "percent" else float(value.replace("_", ""))
