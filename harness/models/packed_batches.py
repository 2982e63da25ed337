"""Tokenized texts to batches that `packed_forward` computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.encoding import batches, pipeline
from harness.models.packed_forward import pack

if TYPE_CHECKING:
    from harness.types import Int64


def cut(ids: Sequence[Int64], positions: Int64, *, budget: int, same_shape: bool) -> list[pipeline.Batch]:
    """Batches of the texts at `positions`.

    Args:
        ids: token ids of each text of a block.
        positions: (n,) of texts that are not empty.
        budget: tokens in a batch.
        same_shape: whether every batch has `budget` tokens, by a padded tail; a longer text is a batch without one.
    """
    lengths = np.fromiter((len(ids[position]) for position in positions), dtype=np.int64, count=len(positions))
    shape = budget if same_shape else None
    return [_batch(positions[chosen], ids, shape) for chosen in batches.packed(lengths, budget=budget)]


def _batch(positions: Int64, ids: Sequence[Int64], shape: int | None) -> pipeline.Batch:
    def halves() -> tuple[pipeline.Batch, pipeline.Batch]:
        half, smaller = len(positions) // 2, None if shape is None else -(-shape // 2)
        return _batch(positions[:half], ids, smaller), _batch(positions[half:], ids, smaller)

    packed = pack([ids[position] for position in positions], shape=shape)
    return pipeline.Batch(positions, packed, len(packed.ids), halves if len(positions) > 1 else None)
