"""Open models: the protocols that they follow, and what they give back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from harness.types.gold import Hits, Role
from harness.types.models import Batching, EncoderFacts
from harness.types.prompts import Prompt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.types.arrays import Float32, Int64


class SidePrompts(NamedTuple):
    """The prompts of a search."""

    query: Prompt
    document: Prompt


class Encoded(NamedTuple):
    """What came out of an encoder for n texts.

    Attributes:
        vectors: (n, dim) float32, row i for text i.
        tokens: (n,) int32, tokens of each text, the prompt included; None where the backend does not count them.
        truncated: (n,) bool, whether a text was cut at the maximum length; None where the backend does not say.
        tokens_padded: tokens that went through the model, padding included; None where the backend does not count them.
        tokens_encoded: tokens of all n texts together, where the backend does not count those of each.
        places: (n,) int64, which of all the texts that were asked for these are, counted through all blocks; None for
            those of the next block.
    """

    vectors: Float32
    tokens: NDArray[np.int32] | None
    truncated: NDArray[np.bool_] | None
    tokens_padded: int | None = None
    tokens_encoded: int | None = None
    places: Int64 | None = None


@runtime_checkable
class Encoder(Protocol):
    """A loaded model that turns texts into vectors.

    `encode` returns one finite float32 row per text, in order, whatever the precision of the forward pass. It takes no
    blocks at all, empty blocks, repeated texts and texts of any length, and its results do not depend on earlier calls.
    """

    facts: EncoderFacts

    def identity(self, *, prompt: Prompt, role: Role | None) -> Mapping[str, Any] | None:
        """Everything besides a text that decides its vector, as JSON values; None where vectors must not be cached."""
        ...

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "tokens"
    ) -> Iterator[Encoded]:
        """The vectors of each block of texts, block by block, or in pieces that tell their places.

        `prompt` goes before each text, and `role` chooses the tower of two-tower models. With `batching="mteb"` the
        texts of a block are in the order of mteb's batches, and each 32 of them make a batch.
        """
        ...

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """The model's own similarity of row i of `left` with row i of `right`: (n, dim), (n, dim) -> (n,)."""
        ...

    def close(self) -> None:
        """Free the memory."""
        ...


class RankedDocuments(NamedTuple):
    """What a model that ranks documents by itself gives; a count is None where the model does not know it.

    Attributes:
        hits: the best documents of every query.
        texts_truncated: texts cut at the maximum length; None too where pairs are read instead.
        tokens: tokens of all texts; None too where pairs are read instead.
        tokens_encoded: tokens that went through the model.
        tokens_padded: the same, with padding.
        pairs: pairs of a query with a document that were read as one text; None for a model that reads no pairs.
        pairs_truncated: how many of these were cut at the maximum length.
    """

    hits: Hits
    texts_truncated: int | None = None
    tokens: int | None = None
    tokens_encoded: int | None = None
    tokens_padded: int | None = None
    pairs: int | None = None
    pairs_truncated: int | None = None


@runtime_checkable
class Searcher(Protocol):
    """A loaded model that ranks documents by itself (BM25, a cross-encoder)."""

    facts: EncoderFacts

    def search(
        self,
        queries: Sequence[str],
        documents: Sequence[str],
        *,
        document_ids: Sequence[str],
        candidates: Sequence[Int64] | None,
        k: int,
        languages: Sequence[str],
        prompts: SidePrompts,
    ) -> RankedDocuments:
        """The best `k` documents of every query: of its `candidates`, positions in `documents`, or of all."""
        ...

    def close(self) -> None:
        """Free the memory."""
        ...
