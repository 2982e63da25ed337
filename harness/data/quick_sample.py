"""Quick mode: a part cut down to a sample (pure). Its scores are estimates and are recorded apart."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.types import (
    Clustered,
    ClusteredSets,
    ClusteringSettings,
    Gold,
    Labelled,
    Mined,
    Pairs,
    Ranked,
    Settings,
)

_SEED = 42


def limit(gold: Gold, n: int, *, settings: Settings | None = None) -> Gold:
    """At most `n` pairs, test texts, documents to cluster or queries, drawn with a fixed seed, in their order.

    Where `settings` have only a fraction of the documents clustered, so many stay that `n` are left of the fraction;
    legacy sets stay in their order while they fit, the first cut if it must be. Training texts stay whole. A corpus
    keeps all judged documents and candidates of the queries that stay, filled up with others to ten times `n`, so
    that a quick nDCG is higher than the full one. A class or a score is as likely to be drawn as it is frequent.
    """
    if isinstance(gold, Pairs):
        rows = _rows(len(gold.left), n)
        return Pairs(left=_of(gold.left, rows), right=_of(gold.right, rows), gold=gold.gold[rows])
    if isinstance(gold, Labelled):
        rows = _rows(len(gold.test), n)
        return replace(gold, test=_of(gold.test, rows), test_labels=gold.test_labels[rows])
    if isinstance(gold, Clustered):
        fraction = settings.max_fraction_of_documents_to_embed if isinstance(settings, ClusteringSettings) else None
        return _clustered(gold, n if fraction is None else math.ceil(n / fraction))
    if isinstance(gold, ClusteredSets):
        ends = list(itertools.accumulate(len(inner.texts) for inner in gold.sets))
        fitting = max(1, sum(end <= n for end in ends))
        return ClusteredSets(sets=[_clustered(inner, n) for inner in gold.sets[:fitting]])
    if isinstance(gold, Mined):
        rows = _rows(len(gold.left), n)
        kept, position = np.unique(gold.gold[rows], return_inverse=True)
        return Mined(left=_of(gold.left, rows), right=_of(gold.right, kept.tolist()), gold=position.astype(np.int64))
    return _ranked(gold, n)


def _clustered(gold: Clustered, n: int) -> Clustered:
    rows = _rows(len(gold.texts), n)
    return Clustered(texts=_of(gold.texts, rows), labels=[gold.labels[i] for i in rows])


def _ranked(gold: Ranked, n: int) -> Ranked:
    rows = _rows(len(gold.queries), n)
    names = [gold.query_ids[i] for i in rows]
    wanted = {document for name in names for document in gold.qrels.get(name, {})}
    if gold.candidates is not None:
        wanted |= {document for name in names for document in gold.candidates.get(name, ())}
    others = [i for i, name in enumerate(gold.document_ids) if name not in wanted]
    filling = set(random.Random(_SEED).sample(others, min(len(others), max(0, 10 * n - len(wanted)))))
    places = [i for i, name in enumerate(gold.document_ids) if name in wanted or i in filling]
    return Ranked(
        query_ids=names,
        queries=_of(gold.queries, rows),
        document_ids=_of(gold.document_ids, places),
        documents=_of(gold.documents, places),
        qrels={name: gold.qrels[name] for name in names if name in gold.qrels},
        candidates=None if gold.candidates is None else {name: gold.candidates.get(name, ()) for name in names},
    )


def _rows(count: int, n: int) -> list[int]:
    return sorted(random.Random(_SEED).sample(range(count), min(count, n)))


def _of(items: Sequence[str], rows: Sequence[int]) -> list[str]:
    return [items[i] for i in rows]
