"""Clustering: do the clusters of mini-batch k-means on the vectors agree with the labels?

V-measure (Rosenberg & Hirschberg, 2007) and adjusted mutual information (`ami`; Vinh, Epps & Bailey, 2010) of the
clusters with the labels. Two protocols, both as in mteb 2.26.24:

- `v2` (`AbsTaskClustering`; Enevoldsen et al., 2025): a sample of the texts is encoded; `n_clusters` times, texts are
  drawn from it with replacement and clustered into as many clusters as there are labels; once for each level of the
  labels, all from one generator.
- `legacy` (`AbsTaskClusteringLegacy`): each given set is clustered once, whole; V-measure only. A set with one label
  scores 1 and is not encoded.

Deliberate differences: each part has a new generator, while mteb uses one generator for all subsets; scores equal those
of mteb on a task with one subset and one split. `max_document_to_embed` takes precedence over
`max_fraction_of_documents_to_embed`, while mteb refuses both together. Data without two labels is an error.

As in mteb, a path that ends above a level is left out of that level where labels are integers (as is a label -1), and
makes up a class of its own ("-1") where they are strings. K-means runs on one thread: scikit-learn sums the inertia
that ends the iterations in one part per thread, so scores are the same on every machine only with one thread.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import DataError
from harness.evaluators import clustered, tables
from harness.evaluators.clustered import Clustered, ClusteredSets
from harness.evaluators.task_kind import (
    Fit,
    FromMteb,
    ReadPart,
    ReadTable,
    Scored,
    SettingProblem,
    TaskKind,
    seed_field,
    settings_from_mteb,
)
from harness.types import Part, Scores, TaskSpec, Texts

if TYPE_CHECKING:
    from harness.types import Float32

_ONLY_V2 = (
    "max_document_to_embed",
    "max_fraction_of_documents_to_embed",
    "max_documents_per_cluster",
    "n_clusters",
    "k_mean_batch_size",
    "max_depth",
)
_ONLY_LEGACY = ("clustering_batch_size",)
_MOST_TO_CLUSTER = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteringSettings:
    """`v2`: bootstrapped mini-batch k-means over one sample; `legacy`: one k-means for each given set."""

    method: Literal["v2", "legacy"] = field(default="v2", metadata={"called": "clustering method"})
    max_document_to_embed: int | None = None
    max_fraction_of_documents_to_embed: float | None = field(default=0.04, metadata={"above": 0, "most": 1})
    max_documents_per_cluster: int = 16_384
    n_clusters: int = 10
    k_mean_batch_size: int = 512
    max_depth: int | None = None
    clustering_batch_size: int = 500
    seed: int = seed_field()


def texts(gold: Clustered | ClusteredSets, settings: ClusteringSettings) -> dict[str, Texts]:
    """`texts`: the sample in the order it was drawn, or for the legacy protocol the texts of one set after the other.

    Raises:
        DataError: fewer than two texts or labels are left to cluster.
    """
    if isinstance(gold, ClusteredSets):
        return {"texts": Texts(items=[text for inner in sets_to_encode(gold) for text in inner.texts])}
    rows = drawn_rows(gold, settings, random.Random(settings.seed))
    return {"texts": Texts(items=[gold.texts[row] for row in rows])}


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
    from harness.evaluators import items, kmeans

    if isinstance(gold, ClusteredSets):
        draws = _by_set(gold, given["texts"], settings)
        scores = {**_summary("v_measure", draws), "v_measures": draws}
    else:
        rng = random.Random(settings.seed)
        levels = kmeans.bootstrapped(
            [gold.labels[row] for row in drawn_rows(gold, settings, rng)],
            given["texts"],
            rng,
            max_depth=settings.max_depth,
            draws=settings.n_clusters,
            draw_size=settings.max_documents_per_cluster,
            batch_size=settings.k_mean_batch_size,
            seed=settings.seed,
        )
        draws = [v_measure for level in levels for v_measure, _ in level]
        amis = [ami for level in levels for _, ami in level]
        scores = {
            **_summary("v_measure", draws),
            "v_measures": {f"Level {n}": [v_measure for v_measure, _ in level] for n, level in enumerate(levels)},
            **_summary("ami", amis),
            "ami_scores": {f"Level {n}": [ami for _, ami in level] for n, level in enumerate(levels)},
        }
    return Scored(scores, {"v_measure": items.values(draws, metric="v_measure", unit="experiment")})


def _by_set(gold: ClusteredSets, vectors: Float32, settings: ClusteringSettings) -> list[float]:
    """The V-measure of every set; 1 for a set with one label."""
    from harness.evaluators import kmeans

    labels = [[path[0] for path in inner.labels] for inner in sets_to_encode(gold)]
    clustered_once = iter(kmeans.by_set(labels, vectors, batch_size=settings.clustering_batch_size, seed=settings.seed))
    return [next(clustered_once) if inner.has_two_labels else 1.0 for inner in gold.sets]


def _summary(name: str, values: Sequence[float]) -> Scores:
    """Mean and population standard deviation."""
    import numpy as np

    return {name: float(np.mean(values)), f"{name}_std": float(np.std(values))}


def drawn_rows(gold: Clustered, settings: ClusteringSettings, rng: random.Random) -> Sequence[int]:
    """Positions of the texts to encode, in the order drawn; without a limit all, in order.

    Raises:
        DataError: fewer than two texts or labels are left to cluster.
    """
    n, limit = len(gold.texts), settings.max_document_to_embed
    if limit is None and settings.max_fraction_of_documents_to_embed is not None:
        limit = int(settings.max_fraction_of_documents_to_embed * n)
    rows = range(n) if limit is None else rng.sample(range(n), k=min(n, limit))
    if len(rows) < 2:
        raise DataError(
            f"{len(rows)} of {n} texts are left to cluster, but at least 2 are needed; set max_document_to_embed (now "
            f"{settings.max_document_to_embed}) or max_fraction_of_documents_to_embed (now "
            f"{settings.max_fraction_of_documents_to_embed}) of the task"
        )
    if len({gold.labels[row] for row in rows}) < 2:
        raise DataError(
            f"all {len(rows)} texts to cluster have the label {gold.labels[rows[0]]!r}, but at least 2 labels are "
            "needed; check the label column of the task"
        )
    return rows


def sets_to_encode(gold: ClusteredSets) -> list[Clustered]:
    """The sets that need vectors, in order.

    Raises:
        DataError: there is none.
    """
    needed = [inner for inner in gold.sets if inner.has_two_labels]
    if not needed:
        raise DataError(
            f"none of the {len(gold.sets)} sets to cluster has at least 2 labels; check the label column of the task"
        )
    return needed


def _read(task: TaskSpec, part: Part, table: ReadTable) -> ReadPart:
    rows, where = table(part.split), f"{task.name} {part}"
    read = clustered.read_sets if task.settings.method == "legacy" else clustered.read_clustered
    gold = read(rows, task.columns, where=where)
    return ReadPart(gold, {part.split: tables.length(rows)})


def _setting_problems(settings: ClusteringSettings, given: Collection[str]) -> Iterator[SettingProblem]:
    for name in _ONLY_V2 if settings.method == "legacy" else _ONLY_LEGACY:
        if name in given:
            yield SettingProblem(name, f"has no effect with method {settings.method}; remove it")
    fraction = settings.max_fraction_of_documents_to_embed
    if settings.max_document_to_embed is not None and fraction is not None:
        message = f"max_fraction_of_documents_to_embed is {fraction:g}; set it to null: only one limit is allowed"
        yield SettingProblem("max_document_to_embed", message)


def _fit(values: Mapping[str, Sequence[Any]], rows: int) -> Fit:
    limit = None if rows <= _MOST_TO_CLUSTER else _MOST_TO_CLUSTER
    drawn = min(rows, _MOST_TO_CLUSTER)
    settings = ClusteringSettings(
        max_fraction_of_documents_to_embed=None, max_document_to_embed=limit, max_documents_per_cluster=drawn
    )
    return Fit(settings, f"{limit or 'all'} texts are clustered, {drawn} drawn each time")


def _from_mteb(task: Any) -> FromMteb:
    settings = settings_from_mteb(ClusteringSettings, task)
    if not hasattr(task, "max_documents_per_cluster"):
        settings = ClusteringSettings(method="legacy", seed=task.seed)
    return FromMteb({"text": task.input_column_name, "label": task.label_column_name}, settings)


KIND = TaskKind(
    purpose="clustering",
    settings=ClusteringSettings,
    setting_problems=_setting_problems,
    main_metric="v_measure",
    metrics=lambda settings: ("v_measure",) if settings.method == "legacy" else ("v_measure", "ami"),
    columns={"text": "sentences", "label": "labels"},
    read=_read,
    texts=texts,
    takes="vectors",
    score=score,
    description="Texts to be clustered by their labels",
    instruction="Identify categories in user passages.",
    recognizes=lambda values, trainable: (
        "" if trainable else "a column of texts and one of labels, without training data"
    ),
    fit=_fit,
    from_mteb=_from_mteb,
)
