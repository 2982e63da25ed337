"""Outcomes: scores, and the record of one task of one model."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from harness.types.tasks import Part

Scores: TypeAlias = dict[str, Any]
"""Metric -> float in mteb's names and scale (0-1); `None` where the metric does not apply; lists per experiment."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One task of one model: what `<results>/<org>__<model>/<revision>/<Task>.json` holds.

    Attributes:
        scores: split -> one entry per subset: metrics, `main_score`, `hf_subset`, `languages`.
        evaluation_time: seconds.
        date: seconds since 1970.
        harness: what mteb's schema has no place for (fingerprint, device, precision, data digests ...), in the layout
            of `results.schema`; empty when another program wrote the file.
        variant: empty, or what sets it apart from the plain record (`precision=fp16`).
        path: the file that it was read from or written to.
        remarks: what the reader had to decide, for people who use the numbers.
    """

    task: str
    model: str
    revision: str
    dataset_revision: str
    scores: Mapping[str, Sequence[Mapping[str, Any]]]
    evaluation_time: float | None = None
    date: float | None = None
    mteb_version: str | None = None
    kg_co2_emissions: float | None = None
    harness: Mapping[str, Any] = field(default_factory=dict)
    variant: str = ""
    path: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str | None:
        """Identifies model, task and settings; None in the record of another program."""
        value = self.harness.get("fingerprint")
        return value if isinstance(value, str) else None

    @functools.cached_property
    def parts(self) -> Mapping[Part, Mapping[str, Any]]:
        """(split, subset) -> its entry."""
        return {Part(split, entry["hf_subset"]): entry for split, entries in self.scores.items() for entry in entries}


def model_label(model: str, variant: str) -> str:
    """The name of a model in tables and messages: `MODEL`, or `MODEL [VARIANT]`."""
    return f"{model} [{variant}]" if variant else model


class Refused(NamedTuple):
    """A file under a results folder that is not a record, and why."""

    path: str
    reason: str
