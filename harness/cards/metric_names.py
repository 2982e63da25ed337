"""Names and scales on model cards: metric names of mteb 1 and 2, `MTEB <Task>`, and 0-1 against 0-100 (pure).

mteb 1 and its cards wrote `cos_sim_spearman`; since mteb 1.12 it is `cosine_spearman`. `RENAMED` lists all differences
between the two vocabularies; every other name is the same in both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal, NamedTuple

from harness.evaluators import KINDS
from harness.tasks import mteb_metadata

Names = Literal["v1", "v2"]
NAMES: tuple[Names, ...] = ("v1", "v2")
PREFIX = "MTEB "

RENAMED: Mapping[str, Mapping[str, str]] = {
    name: kind.former_metrics for name, kind in KINDS.items() if kind.former_metrics
}
"""Task type -> name in mteb 1 -> name in mteb 2, one to one in both directions."""

_OLD_PREFIX = "cos_sim_"
_WITH_SUBSET = re.compile(r"(?P<task>\S.*?) \((?P<subset>[^()]+)\)")


def to_v2(metric: str, task_type: str) -> str:
    """mteb 2's name of a metric, given either name."""
    if task_type not in RENAMED and metric.startswith(_OLD_PREFIX):
        return "cosine_" + metric.removeprefix(_OLD_PREFIX)
    return RENAMED.get(task_type, {}).get(metric, metric)


def to_v1(metric: str, task_type: str) -> str:
    """mteb 1's name of a metric, given mteb 2's name; unchanged if mteb 1 had no other."""
    for old, new in RENAMED.get(task_type, {}).items():
        if new == metric:
            return old
    return metric


def named(metric: str, task_type: str, *, names: Names) -> str:
    """The name of a metric (given as mteb 2's name) in the vocabulary `names`."""
    return to_v1(metric, task_type) if names == "v1" else metric


def era_of(metric: str, task_type: str) -> Names | None:
    """The vocabulary that a metric's name belongs to; None if it is in both (mteb 1 had `max_ap` too)."""
    table = RENAMED.get(task_type, {})
    if metric in table or metric.startswith(_OLD_PREFIX):
        return "v1"
    return "v2" if metric in table.values() and not metric.startswith("max_") else None


class NameParts(NamedTuple):
    """The parts of a result's `dataset.name`: task, subset if it names one, and whether it begins with `MTEB `."""

    task: str
    subset: str | None
    prefixed: bool


def is_bounded(metric: str) -> bool:
    """Whether a metric is at most 100: thresholds are distances times 100, and nAUC has no lower bound."""
    return not metric.endswith(("_threshold", "_thresholds")) and "nauc_" not in metric.lower()


def read_name(name: str) -> NameParts:
    """Split `MTEB STS22 (de-en)` into STS22 and de-en; former task names become today's."""
    bare = name.removeprefix(PREFIX).strip()
    match = _WITH_SUBSET.fullmatch(bare)
    task, subset = (match["task"], match["subset"]) if match else (bare, None)
    return NameParts(mteb_metadata.current_name(task), subset, name.startswith(PREFIX))


def percent_text(score: float, digits: int | None = None) -> str:
    """A score (0-1) as cards show it: times 100, with `digits` decimals or in full.

    The decimal point is moved instead of multiplying floats: 0.39146 gives 39.146, not 39.146000000000003. The text
    never has an exponent, which YAML 1.1 reads as text.
    """
    moved = Decimal(repr(float(score))).scaleb(2)
    if digits is not None:
        return format(moved.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN), "f")
    text = format(Decimal(repr(float(moved))), "f")
    return text if "." in text else f"{text}.0"


def value_of(text: str) -> float | int:
    """The value that a YAML loader reads from a text of `percent_text`."""
    return float(text) if "." in text else int(text)


def fraction(text: str) -> float:
    """The score (0-1) of a number as a card shows it (0-100); the inverse of `percent_text`.

    Raises:
        decimal.InvalidOperation: the text is not a number.
    """
    return float(Decimal(text.replace("_", "")).scaleb(-2))
