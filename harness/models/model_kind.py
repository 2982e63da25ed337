"""What is particular to a kind of model, as one row of the table `models.kinds`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.models.repository import Repository
from harness.types import EncodeOptions, Encoder, ModelSpec, Ranking, Searcher

SETTINGS = frozenset(
    {
        *("device", "precision", "batching", "batch_tokens", "max_length", "store"),
        *("dims", "quantize", "prompts", "like"),
    }
)
"""What a user can set for a model on this machine: options of encoding, transforms of its vectors, and prompts."""
NOT_STORED: Mapping[str, frozenset[str]] = {"store": frozenset({"off"})}
"""What is true of a kind whose vectors are not kept."""


class Abilities(NamedTuple):
    """What a model can do.

    Attributes:
        vectors: whether it has a vector for a text, from which any task type can be scored.
        ranks: what it ranks by itself, in place of a search among vectors.
        limits: what is said of the tasks that it cannot do; empty for a model with vectors.
    """

    vectors: bool = True
    ranks: frozenset[Ranking] = frozenset()
    limits: str = ""


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
        abilities: what it can do.
        on_each_device: whether a process for each of several devices can share its texts.
        settings: the settings that it honours; any other is refused where a user sets it. A value that only some kinds
            honour stands with its name: `batching=packed`.
        true_anyway: of other settings, the values that say what it does in any case.
    """

    name: str
    recognises: Callable[[Repository], bool]
    open: Callable[[ModelSpec, EncodeOptions], Encoder | Searcher] | None = None
    advice: str = ""
    packages: Callable[[Repository], Mapping[str, str]] = field(default=lambda repository: {})
    abilities: Abilities = field(default=Abilities())
    on_each_device: bool = False
    settings: frozenset[str] = SETTINGS
    true_anyway: Mapping[str, frozenset[str]] = field(default_factory=lambda: NOT_STORED, hash=False)
