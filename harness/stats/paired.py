"""Paired tests of two models on the same items.

- Sign-flip (paired permutation) test: Fisher (1935), "The design of experiments", 21; for systems on one test set Yeh
  (2000), "More accurate tests for the statistical significance of result differences". Exact where there are few items.
  The reference is `scipy.stats.permutation_test(permutation_type="samples")` (scipy 1.17).
- Paired bootstrap: Koehn (2004), "Statistical significance tests for machine translation evaluation"; the p-value as
  Davison and Hinkley (1997), 4.2: twice the smaller share of resamples on either side of zero.

Both are two-sided. The observed difference counts among those by chance, (k + 1) / (m + 1), so that no p is 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.stats.bootstrap import RESAMPLES

if TYPE_CHECKING:
    from harness.types import Float64

EXACT = 16
"""Up to this many items all 2^n sign patterns are counted instead of drawn."""
_BLOCK = 4_000_000


def sign_flip(differences: Float64, *, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """The two-sided p of a mean difference: how often random signs give one that is as large.

    Args:
        differences: (n,) float64. Items without a difference change nothing.
    """
    moving = differences[differences != 0]
    if not len(moving):
        return 1.0
    observed = abs(float(moving.sum()))
    # Sums that differ by rounding alone count as equal; the tolerance is far below any real difference of two sums.
    enough = observed * (1 - 1e-12)
    if len(moving) <= EXACT:
        patterns = (np.arange(1 << len(moving))[:, None] >> np.arange(len(moving))) & 1
        sums = (1.0 - 2.0 * patterns) @ moving
        return float(np.count_nonzero(np.abs(sums) >= enough) / len(sums))
    generator = np.random.default_rng(seed)
    beyond, size = 0, max(1, _BLOCK // len(moving))
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        signs = generator.integers(2, size=(rows, len(moving)), dtype=np.int8).astype(np.float64)
        signs *= 2
        signs -= 1
        beyond += int(np.count_nonzero(np.abs(signs @ moving) >= enough))
    return (beyond + 1) / (resamples + 1)


def share_beyond_zero(replicates: Float64) -> float:
    """The two-sided p of a bootstrapped difference."""
    one_side = min(np.count_nonzero(replicates <= 0), np.count_nonzero(replicates >= 0))
    return min(1.0, 2 * (int(one_side) + 1) / (len(replicates) + 1))
