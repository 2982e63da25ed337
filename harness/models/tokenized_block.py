"""A block of texts that `preprocess` of sentence-transformers has tokenized at once, and the padded batches in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.encoding import pipeline

if TYPE_CHECKING:
    from harness.types import Int64

_OF_TOKENS = ("input_ids", "attention_mask", "token_type_ids")


class TokenizedBlock(NamedTuple):
    """The features of n texts, padded to the longest of them.

    Attributes:
        features: as `preprocess` returns them; those of `_OF_TOKENS` are (n, longest).
        lengths: (n,) int64, tokens of each text.
        is_left: whether the padding comes first.
    """

    features: Mapping[str, Any]
    lengths: Int64
    is_left: bool

    def batch(self, positions: Int64) -> dict[str, Any]:
        """The features that `preprocess` gives for these texts alone: padded to the longest of them."""
        longest = int(self.lengths[positions].max())
        columns = slice(-longest, None) if self.is_left else slice(None, longest)
        features = dict(self.features)
        for name in _OF_TOKENS:
            if name in features:
                features[name] = features[name][positions][:, columns].contiguous()
        return features


def of_features(features: Mapping[str, Any], count: int) -> TokenizedBlock | None:
    """The block of `count` texts with these features; None where its batches cannot be cut out of it.

    They can where every tensor has a column for each token, and texts are padded on one side to the longest of them.
    """
    mask, ids = features.get("attention_mask"), features.get("input_ids")
    tensors = [name for name, value in features.items() if hasattr(value, "shape")]
    if mask is None or ids is None or not count or not set(tensors) <= set(_OF_TOKENS):
        return None
    if any(features[name].ndim != 2 or features[name].shape != ids.shape for name in tensors) or len(ids) != count:
        return None
    marks = mask.numpy().astype(bool)
    lengths = marks.sum(axis=1).astype(np.int64)
    longest = marks.shape[1]
    if not lengths.all() or lengths.max() != longest:
        return None
    right = np.arange(longest) < lengths[:, None]
    is_right, is_left = bool((marks == right).all()), bool((marks == right[:, ::-1]).all())
    return TokenizedBlock(features, lengths, is_left and not is_right) if is_right or is_left else None


def batch_of(positions: Int64, make: Callable[[Int64], Mapping[str, Any]]) -> pipeline.Batch:
    """The texts at these positions, whose features `make` gives."""
    features = make(positions)

    def halves() -> tuple[pipeline.Batch, pipeline.Batch]:
        half = len(positions) // 2
        return batch_of(positions[:half], make), batch_of(positions[half:], make)

    ids = features.get("input_ids")
    padded = None if ids is None else int(ids.numel())
    return pipeline.Batch(positions, features, padded, halves if len(positions) > 1 else None)


def tokens_of(features: Mapping[str, Any], count: int) -> Any:
    """Tokens of each of the `count` texts of a batch; None where the features do not hold them."""
    mask, ids, offsets = features.get("attention_mask"), features.get("input_ids"), features.get("offsets")
    if mask is not None and mask.ndim == 2 and len(mask) == count:
        return mask.sum(dim=1).numpy()
    if mask is None and ids is not None and offsets is not None and len(offsets) == count:
        return np.diff(np.append(offsets.numpy(), ids.numel()))  # static embeddings: one flat list of ids
    return None
