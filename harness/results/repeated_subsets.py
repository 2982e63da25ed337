"""Result files in which a subset stands more than once: mteb keeps every entry, and its score is their mean (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_NO_METRICS = ("hf_subset", "languages")


class Averaged(NamedTuple):
    """Scores with one entry for each subset, and what was averaged, in words."""

    scores: dict[str, list[dict[str, Any]]]
    remarks: tuple[str, ...]


def averaged(scores: Mapping[str, Sequence[dict[str, Any]]]) -> Averaged:
    """Put the mean in place of several entries of one subset; the reference is `TaskResult.get_score` of mteb 2.26.

    A metric that is not a number in every entry has no mean and becomes None.
    """
    result: dict[str, list[dict[str, Any]]] = {}
    remarks: list[str] = []
    for split, entries in scores.items():
        by_subset: dict[Any, list[dict[str, Any]]] = {}
        for number, entry in enumerate(entries):
            subset = entry.get("hf_subset")
            by_subset.setdefault(subset if isinstance(subset, str) else number, []).append(entry)
        result[split] = [_mean(same) if len(same) > 1 else same[0] for same in by_subset.values()]
        for subset, same in by_subset.items():
            if len(same) > 1:
                values = ", ".join(str(entry.get("main_score")) for entry in same)
                remarks.append(
                    f"split {split!r}, subset {subset!r} stands {len(same)} times, with main scores {values}; "
                    "their mean counts, as in mteb"
                )
    return Averaged(result, tuple(remarks))


def _mean(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    names = dict.fromkeys(name for entry in entries for name in entry if name not in _NO_METRICS)
    facts = {name: entries[0][name] for name in _NO_METRICS if name in entries[0]}
    return {**{name: _value([entry.get(name) for entry in entries]) for name in names}, **facts}


def _value(values: Sequence[Any]) -> Any:
    if all(value == values[0] and type(value) is type(values[0]) for value in values):
        return values[0]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return math.fsum(values) / len(values)
    return None
