"""The YAML of results, in the layout of mteb's first cards (pure).

One result is one part (split, config) of one task with its metrics:

    - dataset:
        config: de
        name: MTEB PawsX
        revision: 8a04d940a42cd40658986fdd8e3da561533a3646
        split: test
        type: google-research-datasets/paws-x
      metrics:
      - type: ap
        value: 57.47670853851811
      task:
        type: PairClassification
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.cards.claims import ClaimKey
from harness.cards.edit.text_edits import Item
from harness.cards.edit.yaml_nodes import tag_of
from harness.cards.metric_names import PREFIX, Names, named, percent_text, value_of
from harness.results.json_format import NO_REVISION

_PLAIN = re.compile(r"[A-Za-z0-9_(/][A-Za-z0-9_.@()/+ -]*(?<! )")
_NUMBER_ANYWHERE = re.compile(r"[-+]?(0x[0-9a-fA-F]+|0o[0-7]+|(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?)")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One part of one task as it is written on a card.

    Attributes:
        dataset: the hub's path of the data.
        revision: of the data; None where the record does not tell, which mteb's word for it says on the card.
        metrics: metric (mteb 2's name) -> score (0-1), in the order to write.
    """

    task: str
    type: str
    dataset: str
    config: str
    split: str
    revision: str | None
    metrics: Mapping[str, float]

    def key(self, metric: str) -> ClaimKey:
        """The identity of one of its metrics."""
        return ClaimKey(self.task, self.dataset, self.config, self.split, self.revision, metric)

    def data(self, *, names: Names, digits: int | None) -> dict[str, Any]:
        """The result as a YAML loader reads it from the card."""
        return {
            "dataset": self._dataset(),
            "metrics": [
                {"type": named(metric, self.type, names=names), "value": value_of(percent_text(score, digits))}
                for metric, score in self.metrics.items()
            ],
            "task": {"type": self.type},
        }

    def item(self, *, names: Names, digits: int | None) -> Item:
        """The result as YAML."""
        dataset = self._dataset()
        metrics = [
            metric_item(named(metric, self.type, names=names), percent_text(score, digits))
            for metric, score in self.metrics.items()
        ]

        def block(indent: int) -> list[str]:
            lines = ["dataset:", *(f"  {key}: {scalar(value)}" for key, value in dataset.items()), "metrics:"]
            lines += [line for metric in metrics for line in metric.block(0)]
            lines += ["task:", f"  type: {scalar(self.type)}"]
            return under_dash(lines, indent)

        inside = ", ".join(f"{key}: {scalar(value, in_flow=True)}" for key, value in dataset.items())
        flow = ", ".join(metric.flow for metric in metrics)
        kind = scalar(self.type, in_flow=True)
        return Item(block, f"{{dataset: {{{inside}}}, metrics: [{flow}], task: {{type: {kind}}}}}")

    def _dataset(self) -> dict[str, str]:
        return {
            "config": self.config,
            "name": PREFIX + self.task,
            "revision": self.revision or NO_REVISION,
            "split": self.split,
            "type": self.dataset,
        }


def metric_item(metric: str, value: str) -> Item:
    """One metric as YAML."""
    return Item(
        lambda indent: under_dash([f"type: {scalar(metric)}", f"value: {value}"], indent),
        f"{{type: {scalar(metric, in_flow=True)}, value: {value}}}",
    )


def model_item(name: str, results: Sequence[Item]) -> Item:
    """One entry of the index as YAML."""
    return Item(
        lambda indent: under_dash(
            [f"name: {scalar(name)}", "results:", *(line for result in results for line in result.block(0))], indent
        ),
        f"{{name: {scalar(name, in_flow=True)}, results: [{', '.join(result.flow for result in results)}]}}",
    )


def under_dash(lines: Sequence[str], indent: int) -> list[str]:
    """Turn the lines of a mapping into a list item with its dash in column `indent`."""
    first, *rest = lines
    space = " " * indent
    return [f"{space}- {first}", *(f"{space}  {line}" for line in rest)]


def scalar(text: str, *, in_flow: bool = False) -> str:
    """A text as a YAML scalar, quoted if a YAML 1.1 or 1.2 reader might read anything but this text."""
    plain = _PLAIN.fullmatch(text) and not (in_flow and " " in text.strip())
    if plain and text.lower() not in _WORDS and tag_of(text).endswith(":str") and not _NUMBER_ANYWHERE.fullmatch(text):
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """A text as a quoted YAML scalar."""
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    shown = (char if char.isprintable() and char not in '"\\' else f"\\U{ord(char):08x}" for char in text)
    return f'"{"".join(shown)}"'


def render(name: str, results: Sequence[Result], *, names: Names = "v2", digits: int | None = None) -> str:
    """A whole `model-index` block, ending in a line break."""
    items = [result.item(names=names, digits=digits) for result in results]
    return "\n".join(["model-index:", *model_item(name, items).block(0)]) + "\n"
