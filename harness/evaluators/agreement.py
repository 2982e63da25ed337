"""The agreement of two labellings of the same items, from one contingency table (pure).

scikit-learn 1.8 computes the same numbers, as tests check, but makes a new table for each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from harness.types import Float64, Int64

_EPSILON = float(np.finfo(np.float64).eps)


def agreement(labels: Int64, clusters: Int64) -> tuple[float, float]:
    """V-measure (Rosenberg & Hirschberg, 2007) and adjusted mutual information (Vinh, Epps & Bailey, 2010).

    Args:
        labels: (n,) whole numbers from 0.
        clusters: (n,) whole numbers from 0.
    """
    from sklearn.metrics import mutual_info_score
    from sklearn.metrics.cluster import expected_mutual_information

    width = int(clusters.max()) + 1
    together = np.bincount(labels * width + clusters, minlength=(int(labels.max()) + 1) * width).reshape(-1, width)
    together = together[together.any(axis=1)][:, together.any(axis=0)]
    if together.shape == (1, 1):
        return 1.0, 1.0
    shared = float(mutual_info_score(None, None, contingency=together))
    of_labels, of_clusters = _entropy(together.sum(axis=1)), _entropy(together.sum(axis=0))
    homogeneity = shared / of_labels if of_labels else 1.0
    completeness = shared / of_clusters if of_clusters else 1.0
    both = homogeneity + completeness
    v_measure = 2 * homogeneity * completeness / both if both else 0.0
    if 1 in together.shape:
        return v_measure, 0.0
    expected = float(expected_mutual_information(together, len(labels)))
    return v_measure, _not_zero(shared - expected) / _not_zero((of_labels + of_clusters) / 2 - expected)


def _entropy(counts: Int64) -> float:
    """The entropy in nats."""
    if len(counts) == 1:
        return 0.0
    rows: Float64 = counts.astype(np.float64)
    total = rows.sum()
    return float(-np.sum(rows / total * (np.log(rows) - np.log(total))))


def _not_zero(value: float) -> float:
    """`value` with its sign, but at least the machine epsilon in size, so that a perfect match is 1 and not 0 / 0."""
    return min(value, -_EPSILON) if value < 0 else max(value, _EPSILON)
