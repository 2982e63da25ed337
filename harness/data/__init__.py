"""`load(task, part)`: the gold of one part of a task, with what identifies it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath

from harness.data import layouts, revision_check, rows_to_gold
from harness.data.quick_sample import limit
from harness.data.rows_to_gold import Table
from harness.data.tables import Filed
from harness.errors import DataError
from harness.types import (
    ClassificationSettings,
    Clustered,
    ClusteredSets,
    ClusteringSettings,
    Gold,
    Labelled,
    Loaded,
    Mined,
    Pairs,
    Part,
    Ranked,
    TaskSpec,
)


def load(task: TaskSpec, part: Part) -> Loaded:
    """Read, check and identify `part` of `task`.

    Raises:
        DataError: the data cannot be read, does not hold what the task needs, or is not what the same revision held
            when this machine last loaded it.
    """
    loaded = _load(task, part)
    if task.source.kind != "local":
        revision_check.check(task, part, loaded)
    return loaded


def limited(task: TaskSpec, loaded: Loaded, max_texts: int) -> Loaded:
    """The part in quick mode; its digest says that it is another one."""
    gold = limit(loaded.gold, max_texts, settings=task.settings)
    note = f"quick mode: a sample of at most {max_texts} texts; not comparable with full scores"
    return replace(loaded, gold=gold, digest=digest(gold), notes=(*loaded.notes, note))


def _load(task: TaskSpec, part: Part) -> Loaded:
    where = f"{task.name} {part}"
    notes: tuple[str, ...] = ()
    gold: Gold
    if task.type in ("Retrieval", "Reranking"):
        return _search_problem(task, part, where)
    table = _table(task, part, part.split)
    rows = {part.split: _length(table)}
    if task.type in ("STS", "PairClassification"):
        gold = rows_to_gold.pairs(table, task.columns, where=where, binary=task.type == "PairClassification")
        rows = {part.split: len(gold.left)}
    elif task.type == "BitextMining":
        gold = rows_to_gold.mined(table, task.columns, where=where)
    elif isinstance(task.settings, ClassificationSettings):
        split = task.settings.train_split
        train = table if split == part.split else _table(task, part, split)
        train_where = f"{task.name} {Part(split, part.subset)}"
        gold = rows_to_gold.labelled(train, table, task.columns, where=where, train_where=train_where)
        rows[split] = _length(train)
    elif isinstance(task.settings, ClusteringSettings) and task.settings.method == "legacy":
        gold = rows_to_gold.clustered_sets(table, task.columns, where=where)
    else:
        gold = rows_to_gold.clustered(layouts.joined(table, task.columns, where=where), task.columns, where=where)
    return Loaded(gold=gold, rows=rows, digest=digest(gold), notes=notes)


def _search_problem(task: TaskSpec, part: Part, where: str) -> Loaded:
    if task.source.layout == "dpr":
        tables = layouts.dpr(_table(task, part, part.split), where=where)
    else:
        tables = {name: _table(task, part, name) for name in ("corpus", "queries", "qrels")}
    judged = rows_to_gold.ranked(
        tables["corpus"],
        tables["queries"],
        tables["qrels"],
        where=where,
        strict=task.source.kind == "local",
        shared_queries=isinstance(tables["qrels"], Filed) and PurePath(tables["qrels"].file).parent.name == "qrels",
    )
    if task.type == "Reranking":
        tables["candidates"] = _table(task, part, "candidates")
        judged = rows_to_gold.with_candidates(judged, tables["candidates"], where=f"{where}, candidates")
    rows = {name: _length(table) for name, table in tables.items()}
    return Loaded(gold=judged.gold, rows=rows, digest=digest(judged.gold), notes=judged.notes)


def digest(gold: Gold) -> str:
    """sha256 over everything in `gold` that can move a score, in order; field boundaries are part of it."""
    sha = hashlib.sha256()
    for value in _flat(gold):
        encoded = value.encode("utf-8", "surrogatepass")
        sha.update(len(encoded).to_bytes(8, "little"))
        sha.update(encoded)
    return sha.hexdigest()


def _flat(gold: Gold) -> Iterator[str]:
    if isinstance(gold, Pairs):
        for left, right, score in zip(gold.left, gold.right, gold.gold.tolist(), strict=True):
            yield from (left, right, repr(score))
    elif isinstance(gold, Labelled):
        yield json.dumps(gold.label_names)
        for texts, labels in ((gold.train, gold.train_labels), (gold.test, gold.test_labels)):
            yield str(len(texts))
            for text, label in zip(texts, labels.tolist(), strict=True):
                yield from (text, str(label))
    elif isinstance(gold, Clustered):
        for text, levels in zip(gold.texts, gold.labels, strict=True):
            yield from (text, json.dumps(levels))
    elif isinstance(gold, ClusteredSets):
        for inner in gold.sets:
            yield str(len(inner.texts))
            yield from _flat(inner)
    elif isinstance(gold, Ranked):
        for ids, texts in ((gold.query_ids, gold.queries), (gold.document_ids, gold.documents)):
            yield str(len(ids))
            for name, text in zip(ids, texts, strict=True):
                yield from (name, text)
        for query in sorted(gold.qrels):
            yield query
            yield json.dumps(sorted(gold.qrels[query].items()))
            if gold.candidates is not None:
                yield json.dumps(list(gold.candidates.get(query, ())))
    elif isinstance(gold, Mined):
        for texts in (gold.left, gold.right):
            yield str(len(texts))
            yield from texts
        yield json.dumps(gold.gold.tolist())


def _table(task: TaskSpec, part: Part, table: str) -> Table:
    if task.source.kind == "local":
        from harness.data.local_tables import read
    elif task.source.kind == "mteb":
        from harness.data.mteb_bridge import read
    else:
        from harness.data.hub_tables import read

    if table == "qrels" and task.source.qrels:
        task = replace(task, source=task.source.qrels)
    names = task.merge_splits.get(table, (table,))
    searching = task.type in ("Retrieval", "Reranking")
    split_of = {name: part.split if searching else name for name in names}
    found = [read(task, table=name, subset=part.subset, split=split_of[name]) for name in names]
    if any(inner.keys() != found[0].keys() for inner in found[1:]):
        raise DataError(
            f"{task.name} {part}: the splits {', '.join(names)} have different columns; they cannot be merged"
        )
    return found[0] if len(found) == 1 else rows_to_gold.merged(found)


def _length(table: Table) -> int:
    return max((len(values) for values in table.values()), default=0)
