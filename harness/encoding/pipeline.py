"""Batches through a forward pass, rows back in order.

Knows nothing of torch: `forward` turns one batch of texts into rows, and `is_out_of_memory` tells which of its errors
mean that a smaller batch may work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from harness.types import Float32, Int64


def encode(
    texts: Sequence[str],
    *,
    batches: Sequence[Int64],
    forward: Callable[[list[str]], Float32],
    is_out_of_memory: Callable[[BaseException], bool],
    on_batch: Callable[[int], None] = lambda count: None,
) -> Float32:
    """Rows for `texts`, in their order: (n, dim) float32.

    A batch that does not fit in memory is cut in half and both halves are tried again; only a single text that does not
    fit is an error. No text is ever left out.

    Args:
        texts: what to encode.
        batches: positions in `texts`; together they hold every position once.
        forward: texts -> (len(texts), dim) float32.
        is_out_of_memory: whether an error of `forward` is about memory.
        on_batch: called with the number of texts done, after each batch.
    """
    result: Float32 | None = None
    todo = list(reversed(batches))
    while todo:
        batch = todo.pop()
        try:
            rows = forward([texts[i] for i in batch])
        except Exception as err:
            if len(batch) == 1 or not is_out_of_memory(err):
                raise
            half = len(batch) // 2
            todo += [batch[half:], batch[:half]]
            continue
        if result is None:
            result = np.empty((len(texts), rows.shape[1]), dtype=np.float32)
        result[batch] = rows
        on_batch(len(batch))
    return np.empty((0, 0), dtype=np.float32) if result is None else result
