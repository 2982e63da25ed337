"""Names and scales on model cards: one table of metric names, `MTEB <Task>`, and 0-1 against 0-100 (pure).

mteb 1 and its cards wrote `cos_sim_spearman`; since mteb 1.12 it is `cosine_spearman`. `RENAMED` is the whole
difference between the two vocabularies; a name that is not in it is the same in both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal, NamedTuple

Names = Literal["v1", "v2"]
NAMES: tuple[Names, ...] = ("v1", "v2")
PREFIX = "MTEB "

_COSINE = {f"cos_sim_{kind}": f"cosine_{kind}" for kind in ("pearson", "spearman")}
RENAMED: Mapping[str, Mapping[str, str]] = {
    "STS": _COSINE,
    "Summarization": _COSINE,
    "PairClassification": {
        **{f"cos_sim_{kind}": f"cosine_{kind}" for kind in ("accuracy", "ap", "f1", "precision", "recall")},
        "ap": "max_ap",
    },
    "Reranking": {"map": "map_at_1000", "mrr": "mrr_at_1000"},
}
"""Task type -> name in mteb 1 -> name in mteb 2; one to one, so that it reads both ways.

`ap` of a pair classification is what mteb 1 called the best average precision over the distances; some of its cards
say `max_ap`, which is the same name today.
"""

RENAMED_TASKS: Mapping[str, str] = {
    "8TagsClustering": "EightTagsClustering",
    "CMedQAv1": "CMedQAv1-reranking",
    "CMedQAv2": "CMedQAv2-reranking",
    "NorwegianParliament": "NorwegianParliamentClassification",
    "PPC": "PpcPC",
    "PersianTextTone": "SynPerTextToneClassification",
}
"""Task's former name -> its name today, as in mteb 2.26."""

_OLD_PREFIX = "cos_sim_"
_WITH_SUBSET = re.compile(r"(?P<task>\S.*?) \((?P<subset>[^()]+)\)")


def to_v2(metric: str, task_type: str) -> str:
    """The name since mteb 2 of a metric under either name."""
    if task_type not in RENAMED and metric.startswith(_OLD_PREFIX):
        return "cosine_" + metric.removeprefix(_OLD_PREFIX)
    return RENAMED.get(task_type, {}).get(metric, metric)


def to_v1(metric: str, task_type: str) -> str:
    """The name in mteb 1 of a metric under its name since mteb 2; unchanged where mteb 1 had no other."""
    for old, new in RENAMED.get(task_type, {}).items():
        if new == metric:
            return old
    return metric


def named(metric: str, task_type: str, *, names: Names) -> str:
    """A metric (name since mteb 2) as `names` calls it."""
    return to_v1(metric, task_type) if names == "v1" else metric


def era_of(metric: str, task_type: str) -> Names | None:
    """Which vocabulary a metric's name belongs to; None for one that is in both (mteb 1 had `max_ap` too)."""
    table = RENAMED.get(task_type, {})
    if metric in table or metric.startswith(_OLD_PREFIX):
        return "v1"
    return "v2" if metric in table.values() and not metric.startswith("max_") else None


class Named(NamedTuple):
    """What a result's `dataset.name` says: the task, the subset where it names one, and whether `MTEB ` stood first."""

    task: str
    subset: str | None
    prefixed: bool


def is_score(metric: str) -> bool:
    """Whether a metric lies between 0 and 100; the thresholds that mteb put on cards are distances, times 100."""
    return not metric.endswith(("_threshold", "_thresholds"))


def read_name(name: str) -> Named:
    """`MTEB STS22 (de-en)` -> STS22 and de-en. Former names of tasks become today's."""
    bare = name.removeprefix(PREFIX).strip()
    found = _WITH_SUBSET.fullmatch(bare)
    task, subset = (found["task"], found["subset"]) if found else (bare, None)
    return Named(RENAMED_TASKS.get(task, task), subset, name.startswith(PREFIX))


def percent_text(score: float, digits: int | None = None) -> str:
    """A score (0-1) as cards show it: times 100, with `digits` decimals, or in full.

    The decimal point moves, instead of a product of floats: 0.39146 is 39.146 and not 39.146000000000003. Never in
    exponent form, which YAML 1.1 takes for text.
    """
    moved = Decimal(repr(float(score))).scaleb(2)
    if digits is not None:
        return format(moved.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN), "f")
    text = format(Decimal(repr(float(moved))), "f")
    return text if "." in text else f"{text}.0"


def value_of(text: str) -> float | int:
    """What a loader of YAML makes of a text of `percent_text`."""
    return float(text) if "." in text else int(text)


def fraction(text: str) -> float:
    """The score (0-1) of a number as a card shows it (0-100); the inverse of `percent_text`.

    Raises:
        decimal.InvalidOperation: not a number.
    """
    return float(Decimal(text.replace("_", "")).scaleb(-2))
