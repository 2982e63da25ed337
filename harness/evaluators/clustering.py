"""Clustering: does mini-batch k-means on the vectors find the labels?

V-measure (Rosenberg & Hirschberg, 2007) and adjusted mutual information (`ami`; Vinh, Epps & Bailey, 2010) of the
clusters with the labels. Two protocols, both as in mteb 2.26.24:

- `v2` (`AbsTaskClustering`; Enevoldsen et al., 2025): a sample of the texts is encoded; `n_clusters` times, texts are
  drawn from it with replacement and clustered into as many clusters as there are labels; once for each level of the
  labels, all from one generator.
- `legacy` (`AbsTaskClusteringLegacy`): each given set is clustered once, whole; V-measure only. A set with one label
  scores 1 and is not encoded.

Deliberate differences: the generator starts afresh for each part, where mteb's runs on from subset to subset, so
numbers equal those of mteb on a task with one subset and one split. `max_document_to_embed` overrules
`max_fraction_of_documents_to_embed` where mteb refuses to have both. Data without two labels is an error.

As in mteb, a path that ends above a level is left out of that level where labels are integers (as is a label -1), and
makes up a class of its own ("-1") where they are strings. K-means runs on one thread: scikit-learn adds up the inertia
that ends the iterations in as many parts as it has threads, so that only then is a score the same on every machine.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import DataError
from harness.evaluators import items, parallel
from harness.evaluators.agreement import agreement
from harness.evaluators.task_kind import Scored
from harness.types import Clustered, ClusteredSets, ClusteringSettings, Scores, Texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float32, Int64

    Path = tuple[str | int, ...]


def texts(gold: Clustered | ClusteredSets, settings: ClusteringSettings) -> dict[str, Texts]:
    """`texts`: the sample in the order it was drawn, or for the legacy protocol the texts of one set after the other.

    Raises:
        DataError: fewer than two texts or labels are left to cluster.
    """
    if isinstance(gold, ClusteredSets):
        return {"texts": Texts(items=[text for one in _scored_sets(gold) for text in one.texts])}
    sample = _sample(gold, settings, random.Random(settings.seed))
    _check([gold.labels[i] for i in sample], len(gold.texts), settings)
    return {"texts": Texts(items=[gold.texts[i] for i in sample])}


def score(gold: Clustered | ClusteredSets, given: Mapping[str, Float32], *, settings: ClusteringSettings) -> Scored:
    """`v_measure`, `v_measure_std`, `v_measures`; with `v2` also `ami`, `ami_std`, `ami_scores`.

    Args:
        gold: texts and labels, or sets of these for the legacy protocol.
        given: the vectors of `texts`, (n, dim) float32, in the order of `texts`.
        settings: sample, number and size of the draws, k-means batch, seed.

    Returns:
        Means and population standard deviations over all draws of all levels (legacy: over the sets). `v_measures` and
        `ami_scores` map `Level 0` ... to the values of its draws; the legacy `v_measures` is a list by set. The items
        of `v_measure` are the draws (the sets).

    Raises:
        DataError: fewer than two texts or labels are left to cluster.
    """
    if isinstance(gold, ClusteredSets):
        scores = _legacy(gold, given["texts"], settings)
        drawn = scores["v_measures"]
    else:
        scores = _bootstrapped(gold, given["texts"], settings)
        drawn = [value for level in scores["v_measures"].values() for value in level]
    return Scored(scores, {"v_measure": items.values(drawn, metric="v_measure", unit="experiment")})


def _bootstrapped(gold: Clustered, embeddings: Float32, settings: ClusteringSettings) -> Scores:
    rng = random.Random(settings.seed)
    labels = [gold.labels[i] for i in _sample(gold, settings, rng)]
    _check(labels, len(gold.texts), settings)
    deepest = max(map(len, labels))
    depth = deepest if settings.max_depth is None else min(deepest, settings.max_depth)
    v_measures, amis = {}, {}
    for level in range(depth):
        names = f"Level {level}"
        v_measures[names], amis[names] = _level(embeddings, labels, level, settings, rng)
    return {
        **_summary("v_measure", "v_measures", v_measures),
        **_summary("ami", "ami_scores", amis),
    }


def _level(
    embeddings: Float32, paths: Sequence[Path], level: int, settings: ClusteringSettings, rng: random.Random
) -> tuple[list[float], list[float]]:
    """V-measure and adjusted mutual information of each draw from the texts that have a label on this level."""
    from sklearn.cluster import MiniBatchKMeans

    labels = _labels_of_level(paths, level)
    present = np.ones(len(labels), dtype=bool) if labels.dtype.kind == "U" else labels != -1
    labels, embeddings = np.unique(labels[present], return_inverse=True)[1], embeddings[present]
    n_clusters = len(np.unique(labels))

    def cluster(drawn: Int64) -> tuple[float, float]:
        model = MiniBatchKMeans(
            n_clusters=n_clusters,
            batch_size=settings.k_mean_batch_size,
            init="k-means++",
            n_init=1,
            random_state=_Draws(settings.seed),
        )
        return agreement(labels[drawn], model.fit_predict(embeddings[drawn]).astype(np.int64))

    scores = parallel.each(cluster, _choices(rng, len(labels), settings.max_documents_per_cluster, settings.n_clusters))
    return [v_measure for v_measure, _ in scores], [ami for _, ami in scores]


def _choices(rng: random.Random, n: int, k: int, times: int) -> Int64:
    """(times, k) int64: what `rng.choices(range(n), k=k)` gives that many times.

    NumPy's RandomState is the same Mersenne twister, and makes the same floats of its bits.
    """
    version, (*key, position), gauss = rng.getstate()
    same = np.random.RandomState()
    state = {"key": np.array(key, dtype=np.uint32), "pos": position}
    same.set_state({"bit_generator": "MT19937", "state": state, "has_gauss": 0, "gauss": 0.0})
    chosen = np.floor(same.random_sample((times, k)) * n).astype(np.int64)
    after = same.get_state(legacy=False)["state"]
    rng.setstate((version, (*after["key"].tolist(), after["pos"]), gauss))
    return chosen


def _labels_of_level(paths: Sequence[Path], level: int) -> NDArray[Any]:
    """One label per path; -1 stands for a path that ends above, and turns into "-1" beside strings."""
    return np.array([path[level] if len(path) > level else -1 for path in paths])


def _sample(gold: Clustered, settings: ClusteringSettings, rng: random.Random) -> Sequence[int]:
    """Positions of the texts to encode, in the order drawn; all, and nothing drawn, when no limit is set."""
    n, limit = len(gold.texts), settings.max_document_to_embed
    if limit is None and settings.max_fraction_of_documents_to_embed is not None:
        limit = int(settings.max_fraction_of_documents_to_embed * n)
    return range(n) if limit is None else rng.sample(range(n), k=min(n, limit))


def _check(labels: Sequence[Path], available: int, settings: ClusteringSettings) -> None:
    if len(labels) < 2:
        raise DataError(
            f"{len(labels)} of {available} texts are left to cluster, but at least 2 are needed; set "
            f"max_document_to_embed (now {settings.max_document_to_embed}) or max_fraction_of_documents_to_embed "
            f"(now {settings.max_fraction_of_documents_to_embed}) of the task"
        )
    if len(set(labels)) < 2:
        raise DataError(
            f"all {len(labels)} texts to cluster have the label {labels[0]!r}, but at least 2 labels are needed; "
            "check the label column of the task"
        )


def _legacy(gold: ClusteredSets, embeddings: Float32, settings: ClusteringSettings) -> Scores:
    scored = _scored_sets(gold)
    ends = np.cumsum([len(one.texts) for one in scored])
    blocks = list(zip(scored, np.split(embeddings, ends[:-1]), strict=True))
    found = iter(parallel.each(lambda block: _one_set(*block, settings), blocks))
    v_measures = [next(found) if _has_two_labels(one) else 1.0 for one in gold.sets]
    return {
        "v_measure": float(np.mean(v_measures)),
        "v_measure_std": float(np.std(v_measures)),
        "v_measures": v_measures,
    }


def _one_set(gold: Clustered, embeddings: Float32, settings: ClusteringSettings) -> float:
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.metrics.cluster import v_measure_score

    labels = [path[0] for path in gold.labels]
    model = MiniBatchKMeans(
        n_clusters=len(set(labels)),
        batch_size=settings.clustering_batch_size,
        n_init="auto",
        random_state=_Draws(settings.seed),
    )
    return float(v_measure_score(labels, model.fit(embeddings).labels_))


class _Draws(np.random.RandomState):
    """The same draws in a third of the time: k-means draws every mini-batch by weights that NumPy adds up each time."""

    _weights: NDArray[Any] | None = None
    _cumulated: NDArray[np.float64]

    def choice(self, a: Any, size: Any = None, replace: bool = True, p: Any = None) -> Any:
        """As of `RandomState` (NumPy 2.4), to the bit."""
        if p is None or size is None or not replace:
            return super().choice(a, size, replace, p)
        if p is not self._weights:
            self._weights = p
            self._cumulated = np.cumsum(p, dtype=np.float64)
            self._cumulated /= self._cumulated[-1]
        return self._cumulated.searchsorted(self.random_sample(size), side="right")


def _scored_sets(gold: ClusteredSets) -> list[Clustered]:
    """The sets that need vectors, in order."""
    scored = [one for one in gold.sets if _has_two_labels(one)]
    if not scored:
        raise DataError(
            f"none of the {len(gold.sets)} sets to cluster has at least 2 labels; check the label column of the task"
        )
    return scored


def _has_two_labels(gold: Clustered) -> bool:
    return len(set(gold.labels)) > 1


def _summary(name: str, list_name: str, by_level: dict[str, list[float]]) -> Scores:
    values = [value for level in by_level.values() for value in level]
    return {name: float(np.mean(values)), f"{name}_std": float(np.std(values)), list_name: by_level}
