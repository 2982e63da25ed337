"""Gold: the data of a part once it is loaded, as far as it is the same for every task type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from harness.types.arrays import Float32, Int64


Role = Literal["query", "document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Texts to encode, and the role they play (which picks the model's prompt)."""

    items: Sequence[str]
    role: Role | None = None


class ItemText(NamedTuple):
    """An item as people are shown it: its texts, and what is right about it where that is not a text."""

    texts: tuple[str, ...]
    answer: str = ""


class Gold(Protocol):
    """The data of a part. Each task type defines its own in `evaluators`; elsewhere only this is known of it."""

    def contents(self) -> Iterator[str]:
        """Everything that can move a score, in order; field boundaries are part of it. The digest is made of this."""
        ...

    def sample(self, n: int, *, settings: Any = None) -> Gold:
        """The same in quick mode: at most `n` of what is scored, drawn with a fixed seed, in their order."""
        ...

    def item_text(self, position: int) -> ItemText:
        """The item that stands at `position` in the data."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Gold, what identifies it, and how long it took to load.

    Attributes:
        rows: rows of each of the part's tables, as loaded (`{"test": 1379}`, `{"corpus": ..., "queries": ...}`).
        digest: sha256 over the content that the scorer sees, in order.
        notes: what a reader of the scores should know about the data (dropped queries, unjudged documents).
        defects: what is wrong with the data and is scored nevertheless, as in mteb; `EncodeOptions.strict` refuses it.
        seconds: wall time of loading.
    """

    gold: Gold
    rows: Mapping[str, int]
    digest: str
    notes: tuple[str, ...] = ()
    defects: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """The best documents of each query, best first.

    Attributes:
        indices: (n_queries, k) int64, positions in the corpus; -1 where a query has fewer than k documents.
        scores: (n_queries, k) float32; undefined where `indices` is -1.
    """

    indices: Int64
    scores: Float32
