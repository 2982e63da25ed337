"""Checks of the results on a card: scale, names, identity, repetitions (pure, apart from reading task files).

Only mteb's results are checked: those named `MTEB ...`, and those with one of mteb's task types and the name of a task.
Results of other tools may have any task, metric and scale.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness.cards import claims
from harness.cards.card_file import Card
from harness.cards.claims import ClaimKey, MetricNodes, number
from harness.cards.edit import text_edits
from harness.cards.edit.text_edits import Edit
from harness.cards.edit.yaml_layout import scalar
from harness.cards.edit.yaml_nodes import Node
from harness.cards.lint.findings import Finding
from harness.cards.lint.metric_vocabulary import unknown_metric
from harness.cards.metric_names import Names, era_of, is_bounded, named, read_name
from harness.cards.scales import scales
from harness.cards.task_lookup import TaskLookup
from harness.errors import UnknownName
from harness.evaluators import KINDS
from harness.tasks import mteb_metadata
from harness.tasks.registry import Registry

_NONE = ("None", "none", "nan", "NaN")


class _CardMetric(NamedTuple):
    """A metric of a result that looks like mteb's."""

    nodes: MetricNodes
    key: ClaimKey
    type: str
    metric: str


def check(card: Card, registry: Registry, *, names: Names | None) -> Iterator[Finding]:
    """All findings about results that readers would misread."""
    tasks = TaskLookup(registry)
    for number_, entry in enumerate(claims.models(card)):
        yield from _scales(entry, tasks)
        places = []
        for result in claims.items(entry, "results"):
            if result.real.kind == "mapping":
                yield from _none_texts(card, result, needed=("revision", "split") if _is_mteb(result, tasks) else ())
                yield from _result(result, tasks)
        for nodes in claims.metric_nodes(entry, number_):
            yield from _number(nodes, tasks)
            metric = nodes.type.real.text if nodes.type is not None else ""
            if metric and _is_mteb(nodes.result, tasks):
                key = claims.key_of(nodes.result, metric)
                places.append(_CardMetric(nodes, key, claims.type_of(nodes.result), metric))
        for place in places:
            yield from _metric(place)
        yield from _eras(places, names)
        yield from _repeated(card, entry, places)


def _is_mteb(result: Node, tasks: TaskLookup) -> bool:
    name = read_name(claims.text(result, "dataset", "name") or "")
    return name.prefixed or (bool(claims.type_of(result)) and name.task in tasks)


def _result(result: Node, tasks: TaskLookup) -> Iterator[Finding]:
    if not _is_mteb(result, tasks):
        return
    dataset = result.real.get("dataset")
    if dataset is None or dataset.real.kind != "mapping":
        return
    name = dataset.real.get("name")
    task = read_name(claims.text(result, "dataset", "name") or "").task
    if name is not None and task and task not in tasks:
        yield Finding(
            name.line,
            "unknown-task",
            str(UnknownName.of("task", task, sorted(tasks.names()))),
            "use the name of a task of mteb, or add your own tasks with --tasks-dir",
        )
    for key in ("revision", "split"):
        if dataset.real.get(key) is None:
            advice = "add the commit of the data set" if key == "revision" else "add the split that was scored"
            yield Finding(dataset.line, f"no-{key}", f"the data set of {task or 'a result'} has no `{key}`", advice)
    facts = tasks.facts(task)
    stated = claims.text(result, "task", "type")
    if facts is not None and stated in mteb_metadata.types() and stated not in (facts.type, _former_type(facts.type)):
        kind = result.real.get("task")
        yield Finding(
            kind.line if kind is not None else result.line,
            "wrong-type",
            f"{task} is a task of type {facts.type}, but the card says {stated}",
            f"write `type: {facts.type}`",
        )


def _none_texts(card: Card, result: Node, *, needed: Sequence[str]) -> Iterator[Finding]:
    """Find values such as `revision: None`, which YAML reads as a text of four letters.

    The line of a key in `needed` is not removed: its absence would be the next finding.
    """
    dataset = result.real.get("dataset")
    if dataset is None or dataset.real.kind != "mapping":
        return
    for key, value in dataset.real.pairs:
        if value.kind == "scalar" and value.text in _NONE and value.tag.endswith(":str"):
            removable = (
                not dataset.real.flow and key.text not in ("type", "name", *needed) and len(dataset.real.pairs) > 1
            )
            change = (_line_removed(card, key, value),) if removable and value.anchor is None else ()
            yield Finding(
                value.line,
                "none-text",
                f"`{key.text}: {value.text}` is the text {value.text!r}, not an empty value",
                "write the value or remove the line",
                change,
            )


def _line_removed(card: Card, key: Node, value: Node) -> Edit:
    """Delete the line of a pair; after a dash, the next key moves up to the dash."""
    begin = text_edits.line_start(card.text, key.start)
    if card.text[begin : key.start].strip():
        begin = key.start
        following = re.compile(r"[^\r\n]*(\r\n|\r|\n)\s*").match(card.text, value.end)
    else:
        following = re.compile(r"[^\r\n]*(\r\n|\r|\n)?").match(card.text, value.end)
    return Edit(begin, following.end() if following else value.end, "")


def _number(nodes: MetricNodes, tasks: TaskLookup) -> Iterator[Finding]:
    value = nodes.value
    if value is None:
        return
    real = value.real
    written = number(real.text) if real.kind == "scalar" else None
    if real.kind != "scalar" or real.is_null:
        kind = "empty" if real.kind == "scalar" else f"a {real.kind}"
        yield Finding(value.line, "not-a-number", f"`value` is {kind}, expected a number", "write the score")
    elif written is None:
        is_number = real.tag.endswith((":float", ":int"))
        code = "not-finite" if is_number else "not-a-number"
        yield Finding(
            value.line, code, f"`value` is {real.text!r}, expected a number", "write the score, or remove the metric"
        )
    elif real.tag.endswith(":str"):
        change = () if value.kind == "alias" or real.anchor else (Edit(real.start, real.end, f"{written:f}"),)
        yield Finding(
            value.line, "number-as-text", f"`value` is the text {real.text!r}", f"write the number {written:f}", change
        )
    if written is None or real.is_null:
        return
    if abs(written) > 100 and _is_mteb(nodes.result, tasks) and is_bounded(claims.text(nodes.metric, "type") or ""):
        yield Finding(
            value.line, "out-of-range", f"`value` is {real.text}, but scores are at most 100", "correct the value"
        )


def _scales(entry: Node, tasks: TaskLookup) -> Iterator[Finding]:
    """Find results from 0 to 1 beside percentages of the same model."""
    results = claims.items(entry, "results")
    mteb = [
        (result, scale)
        for result, scale in zip(results, scales(claims.scaled_results(entry)), strict=True)
        if result.real.kind == "mapping" and _is_mteb(result, tasks) and _has_numbers(result)
    ]
    if "percent" not in {scale for _, scale in mteb}:
        return
    for result, scale in mteb:
        metrics = claims.items(result, "metrics")
        if scale == "fraction" and metrics:
            value = metrics[0].real.get("value") if metrics[0].real.kind == "mapping" else None
            shown = value.real.text if value is not None else "?"
            task = read_name(claims.text(result, "dataset", "name") or "").task
            yield Finding(
                (value or result).line,
                "mixed-scale",
                f"{task}: {shown} is a score from 0 to 1, and other results of this card go up to 100",
                "multiply the values of this result by 100",
            )


def _has_numbers(result: Node) -> bool:
    return any(number(claims.text(metric, "value") or "") is not None for metric in claims.items(result, "metrics"))


def _metric(place: _CardMetric) -> Iterator[Finding]:
    node = place.nodes.type
    assert node is not None
    task_type = place.type or mteb_metadata.type_of(place.key.task) or ""
    unknown = unknown_metric(place.metric, task_type, main_metric=mteb_metadata.main_metric(place.key.task))
    if unknown is not None:
        yield Finding(node.line, "unknown-metric", str(unknown), "use the name that mteb gives the metric")


def _eras(places: Sequence[_CardMetric], names: Names | None) -> Iterator[Finding]:
    """Find metric names of mteb 1 beside those of mteb 2; the rarer ones are wrong, or mteb 1's if equally many."""
    eras = [era_of(place.metric, place.type) for place in places]
    count = Counter(era for era in eras if era is not None)
    if names is None and len(count) < 2:
        return
    expected = names or ("v1" if count["v1"] > count["v2"] else "v2")
    for place, era in zip(places, eras, strict=True):
        node = place.nodes.type
        if era is None or era == expected or node is None:
            continue
        name = named(place.key.metric, place.type, names=expected)
        if name == place.metric:
            continue
        change = () if node.kind == "alias" or node.anchor else (Edit(node.start, node.end, scalar(name)),)
        reason = "names were requested" if names else "most names on this card are those"
        what = f"`{place.metric}` is a name of mteb {era[1]}, but {reason} of mteb {expected[1]}"
        yield Finding(node.line, "other-era", what, f"write `{name}`", change)


def _repeated(card: Card, entry: Node, places: Sequence[_CardMetric]) -> Iterator[Finding]:
    """Find repeated results. If their values differ, only the author knows which one is right."""
    first: dict[tuple[ClaimKey, str | None], _CardMetric] = {}
    for place in places:
        before = first.setdefault((place.key, claims.metric_name(place.nodes.metric)), place)
        if before is place or not place.key.task:
            continue
        node, earlier = place.nodes.value or place.nodes.metric, before.nodes.value or before.nodes.metric
        task = f"{place.key.task} {place.key.config or ''} {place.key.split or ''} {place.metric}".replace("  ", " ")
        if _decimal(node) == _decimal(earlier):
            yield Finding(
                node.line,
                "repeated",
                f"{task} is repeated with the same value (first in line {earlier.line})",
                "remove one of them",
                _removal(card, entry, place),
            )
        else:
            yield Finding(
                node.line,
                "contradiction",
                f"{task} is {node.real.text} here and {earlier.real.text} in line {earlier.line}",
                "remove the wrong one",
            )


def _decimal(node: Node) -> float:
    written = number(node.real.text) if node.real.kind == "scalar" else None
    return float(written) if written is not None else math.nan


def _removal(card: Card, entry: Node, place: _CardMetric) -> tuple[Edit, ...]:
    """Delete the whole result, if the repeated metric is its only one."""
    results = entry.get("results") if entry.kind == "mapping" else None
    alone = len(claims.items(place.nodes.result, "metrics")) == 1
    if results is None or results.kind != "sequence" or not entry.holds(results) or not alone:
        return ()
    if place.nodes.result.kind == "alias" or any(
        name in card.tree.used_anchors for name in _anchors(place.nodes.result)
    ):
        return ()
    key = next(key for key, value in entry.pairs if value is results)
    return tuple(text_edits.remove(card, results, [place.nodes.place[1]], key=key))


def _anchors(node: Node) -> Iterator[str]:
    todo = [node]
    while todo:
        current = todo.pop()
        if current.anchor is not None:
            yield current.anchor
        todo += [*current.items, *(part for pair in current.pairs for part in pair)]


def _former_type(type_: str) -> str:
    """The type that mteb 1 gave to some tasks of this one."""
    return KINDS[type_].former_type if type_ in KINDS else ""
