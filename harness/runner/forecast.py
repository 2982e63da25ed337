"""How long a run may take and how much memory it may need, from what earlier runs on this machine took (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harness.types import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What a model has taken so far.

    Attributes:
        seconds_per_token: wall time of all phases over the tokens of all texts.
        peak_memory_mib: the most that a run of it has held.
        parts: recorded parts that this rests on.
    """

    seconds_per_token: float
    peak_memory_mib: float | None
    parts: int


def paces(records: Iterable[Record], *, machine: str) -> dict[str, Pace]:
    """Model -> its pace, over the parts recorded on `machine` that say what they took, kept vectors aside."""
    by_model: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        if record.harness.get("machine") != machine:
            continue
        parts = (record.harness.get("parts") or {}).values()
        by_model.setdefault(record.model, []).extend(
            part for part in parts if part.get("tokens") and not part.get("texts_cached")
        )
    return {model: _pace(parts) for model, parts in by_model.items() if parts}


def _pace(parts: list[dict[str, Any]]) -> Pace:
    seconds = sum(sum(part["seconds"].values()) for part in parts)
    peaks = [part["peak_memory_mib"] for part in parts if part.get("peak_memory_mib")]
    return Pace(
        seconds_per_token=seconds / sum(part["tokens"] for part in parts),
        peak_memory_mib=max(peaks, default=None),
        parts=len(parts),
    )
