"""Which texts of a list are encoded together, and under which keys their vectors are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.encoding import batches, vector_cache
from harness.types import Batching, EncoderFacts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Int64


class BlockPlan:
    """The blocks of a list of texts.

    Where the other texts of a batch change more of a vector than its last bits in float32, a block is encoded whole or
    not at all, and a key stands for a place in a block or list: in batches of mteb or of the model, and in half
    precision. No vector then depends on what the cache had. Elsewhere a key stands for a text.

    Args:
        texts: the list.
        batching: how texts are put into batches.
        facts: of the encoder.
    """

    def __init__(self, texts: Sequence[str], batching: Batching, facts: EncoderFacts) -> None:
        self._texts, self._batching = texts, batching
        in_half = facts.depends_on_batch is not None and facts.precision in ("fp16", "bf16")
        self._whole = batching != "tokens" or in_half
        characters = [len(text) for text in texts]
        if batching == "model":
            self._blocks = [np.arange(len(texts), dtype=np.int64)]
        elif batching == "tokens":
            self._blocks = batches.blocks(characters, batch_tokens=facts.batch_tokens)
        else:
            self._blocks = batches.blocks_of_mteb(characters)

    def keys(self) -> list[bytes]:
        """The key of each text in the vector cache."""
        if not self._whole:
            return [vector_cache.key(text) for text in self._texts]
        if self._batching != "tokens":
            return _keys_of_places(self._texts)
        keys = [b""] * len(self._texts)
        for block in self._blocks:
            places = block.tolist()
            for place, key in zip(places, _keys_of_places([self._texts[i] for i in places]), strict=True):
                keys[place] = key
        return keys

    def blocks_to_encode(self, present: NDArray[np.bool_] | None) -> list[Int64]:
        """The positions of the texts of each block, but for those that need not be encoded.

        Args:
            present: (n,) whether the cache has a text's vector; None without a cache.
        """
        if present is None:
            return self._blocks
        if self._whole:
            return [block for block in self._blocks if not present[block].all()]
        return [absent for block in self._blocks if len(absent := block[~present[block]])]


def _keys_of_places(texts: Sequence[str]) -> list[bytes]:
    """Keys that stand for the places of a list of texts."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(vector_cache.key(text))
    return [vector_cache.key(digest.hexdigest(), str(place)) for place in range(len(texts))]
