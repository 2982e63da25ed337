"""Forecasts the time and memory of a run from earlier runs on this machine (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harness.types import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The speed and memory of a model in earlier runs.

    Attributes:
        seconds_per_token: wall time of all phases, divided by the tokens of all texts.
        peak_memory_mib: the peak memory of its runs; None where no record tells it.
        parts: how many recorded parts this is computed from.
    """

    seconds_per_token: float
    peak_memory_mib: float | None
    parts: int


def paces(records: Iterable[Record], *, machine: str) -> dict[str, Pace]:
    """Model -> its pace, from the parts recorded on `machine` with a count of tokens and without cached vectors."""
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
