"""Gold: the data of a part once it is loaded, and what is right about its texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from harness.types.arrays import Float32, Float64, Int64


Role = Literal["query", "document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Texts to encode, and the role they play (which picks the model's prompt)."""

    items: Sequence[str]
    role: Role | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Sentence pairs. `gold` (n,) float64: graded similarity for STS, 0/1 for pair classification."""

    left: Sequence[str]
    right: Sequence[str]
    gold: Float64

    def __post_init__(self) -> None:
        assert len(self.left) == len(self.right) == len(self.gold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Training and test texts. Labels (n,) int64 index `label_names`, which are sorted."""

    train: Sequence[str]
    train_labels: Int64
    test: Sequence[str]
    test_labels: Int64
    label_names: tuple[str | int, ...]

    def __post_init__(self) -> None:
        assert len(self.train) == len(self.train_labels)
        assert len(self.test) == len(self.test_labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustered:
    """Texts to cluster. `labels[i]` is the path of text i through the levels of the hierarchy, one label when flat."""

    texts: Sequence[str]
    labels: Sequence[tuple[str | int, ...]]

    def __post_init__(self) -> None:
        assert len(self.texts) == len(self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteredSets:
    """The legacy protocol: independent sets, each clustered on its own. All labels are flat."""

    sets: Sequence[Clustered]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A search problem. `qrels`: query id -> document id -> relevance (> 0 is relevant).

    `candidates`, for reranking: query id -> the ids of the documents to rank; None when all are.
    """

    query_ids: Sequence[str]
    queries: Sequence[str]
    document_ids: Sequence[str]
    documents: Sequence[str]
    qrels: Mapping[str, Mapping[str, int]]
    candidates: Mapping[str, Sequence[str]] | None = None

    def __post_init__(self) -> None:
        assert len(self.query_ids) == len(self.queries)
        assert len(self.document_ids) == len(self.documents)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mined:
    """Two sides of a bitext: `gold` (n_left,) int64 is the position in `right` of the translation of each left text."""

    left: Sequence[str]
    right: Sequence[str]
    gold: Int64

    def __post_init__(self) -> None:
        assert len(self.left) == len(self.gold)


Gold: TypeAlias = Pairs | Labelled | Clustered | ClusteredSets | Ranked | Mined


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Gold, what identifies it, and how long it took to load.

    Attributes:
        rows: rows of each of the part's tables, as loaded (`{"test": 1379}`, `{"corpus": ..., "queries": ...}`).
        digest: sha256 over the content that the scorer sees, in order.
        notes: what a reader of the scores should know about the data (dropped queries, unjudged documents).
        seconds: wall time of loading.
    """

    gold: Gold
    rows: Mapping[str, int]
    digest: str
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """The best documents of each query, best first.

    Attributes:
        indices: (n_queries, k) int64, positions in `Ranked.document_ids`; -1 where a query has fewer than k documents.
        scores: (n_queries, k) float32; undefined where `indices` is -1.
    """

    indices: Int64
    scores: Float32
