"""What is particular to a kind of model, as one row of the table `models.kinds`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.models.repository import Repository
from harness.types import EncodeOptions, Encoder, ModelSpec, Searcher

SETTINGS = frozenset({"device", "precision", "batching", "batch_tokens", "max_length", "store"})
"""The options of encoding that a kind can honour: fields of `EncodeOptions`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelKind:
    """A kind of model.

    Attributes:
        name: as in records and messages.
        recognises: whether a repository holds a model of this kind, judged by its small files. The first row of the
            table that says yes counts.
        open: loads the model; None for a kind that cannot be run yet.
        advice: what to do with a model of a kind that cannot be run; empty for one that can.
        packages: what to install for a repository: the module that is imported -> the name for `pip install`.
        tasks: the task types that it can do; None for all that are scored from vectors.
        settings: the options that it honours; any other is refused where a user sets it.
    """

    name: str
    recognises: Callable[[Repository], bool]
    open: Callable[[ModelSpec, EncodeOptions], Encoder | Searcher] | None = None
    advice: str = ""
    packages: Callable[[Repository], Mapping[str, str]] = field(default=lambda repository: {})
    tasks: frozenset[str] | None = None
    settings: frozenset[str] = SETTINGS
