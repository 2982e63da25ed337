"""The k-means of clustering: bootstrapped draws, legacy sets, and draws that are mteb's to the bit."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.evaluators import parallel
from harness.evaluators.agreement import agreement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float32, Int64


def bootstrapped(
    paths: Sequence[Sequence[str | int]],
    vectors: Float32,
    rng: random.Random,
    *,
    max_depth: int | None,
    draws: int,
    draw_size: int,
    batch_size: int,
    seed: int,
) -> list[list[tuple[float, float]]]:
    """V-measure and adjusted mutual information of each draw, level by level.

    Args:
        paths: the labels of n texts through the levels of a hierarchy.
        vectors: (n, dim).
        rng: draws the texts of all levels, one level after the other.
        max_depth: how many levels at most; None for all.
        draws: how many draws per level.
        draw_size: how many texts per draw, with replacement.
        batch_size: of the mini-batches.
        seed: of k-means.
    """
    deepest = max(map(len, paths))
    levels = range(deepest if max_depth is None else min(deepest, max_depth))
    return [
        _level(_labels_of_level(paths, level), vectors, rng, draws, draw_size, batch_size=batch_size, seed=seed)
        for level in levels
    ]


def _level(
    labels: NDArray[Any],
    vectors: Float32,
    rng: random.Random,
    draws: int,
    draw_size: int,
    *,
    batch_size: int,
    seed: int,
) -> list[tuple[float, float]]:
    """V-measure and adjusted mutual information of each draw from the texts that have a label on this level."""
    from sklearn.cluster import MiniBatchKMeans

    present = np.ones(len(labels), dtype=bool) if labels.dtype.kind == "U" else labels != -1
    labels, vectors = np.unique(labels[present], return_inverse=True)[1], vectors[present]
    n_clusters = len(np.unique(labels))

    def cluster(drawn: Int64) -> tuple[float, float]:
        model = MiniBatchKMeans(
            n_clusters=n_clusters,
            batch_size=batch_size,
            init="k-means++",
            n_init=1,
            random_state=seed,
        )
        return agreement(labels[drawn], model.fit_predict(vectors[drawn]).astype(np.int64))

    return parallel.each(cluster, _choices(rng, len(labels), draw_size, draws))


def _choices(rng: random.Random, n: int, k: int, times: int) -> Int64:
    """(times, k) int64: the results of `rng.choices(range(n), k=k)`, called `times` times.

    NumPy's RandomState is the same Mersenne twister and makes the same floats from its bits.
    """
    version, (*key, position), gauss = rng.getstate()
    same = np.random.RandomState()
    state = {"key": np.array(key, dtype=np.uint32), "pos": position}
    same.set_state({"bit_generator": "MT19937", "state": state, "has_gauss": 0, "gauss": 0.0})
    chosen = np.floor(same.random_sample((times, k)) * n).astype(np.int64)
    after = same.get_state(legacy=False)["state"]
    rng.setstate((version, (*after["key"].tolist(), after["pos"]), gauss))
    return chosen


def _labels_of_level(paths: Sequence[Sequence[str | int]], level: int) -> NDArray[Any]:
    """One label per path; -1 for a path that ends above the level, which becomes "-1" where labels are strings."""
    return np.array([path[level] if len(path) > level else -1 for path in paths])


def by_set(labels: Sequence[Sequence[str | int]], vectors: Float32, *, batch_size: int, seed: int) -> list[float]:
    """The V-measure of each set, clustered once.

    Args:
        labels: of the texts of each set.
        vectors: (n, dim) of the texts of all sets, one set after the other.
        batch_size: of the mini-batches.
        seed: of k-means.
    """
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.metrics.cluster import v_measure_score

    def v_measure(number: int) -> float:
        model = MiniBatchKMeans(
            n_clusters=len(set(labels[number])), batch_size=batch_size, n_init="auto", random_state=seed
        )
        return float(v_measure_score(labels[number], model.fit(blocks[number]).labels_))

    blocks = np.split(vectors, np.cumsum([len(of_set) for of_set in labels])[:-1])
    return parallel.each(v_measure, range(len(labels)))
