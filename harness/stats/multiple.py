"""Many tests at once: Holm (1979), "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 6."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from harness.types import Float64


def holm(p: Sequence[float] | Float64) -> Float64:
    """Adjusted p-values, in the order given: those below alpha are significant with family-wise error alpha.

    The k-th smallest of m is multiplied by m - k + 1, made no smaller than any before it, and cut at 1.
    """
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")
    adjusted = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    result = np.empty_like(values)
    result[order] = np.minimum(adjusted, 1.0)
    return result
