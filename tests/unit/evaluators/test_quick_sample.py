"""Quick mode: what a sample keeps, for any data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import data
from harness.evaluators.bitext_mining import Mined
from harness.evaluators.classification import Labelled
from harness.evaluators.clustering import Clustered, ClusteredSets, ClusteringSettings
from harness.evaluators.retrieval import Ranked, RetrievalSettings
from harness.evaluators.sts import Pairs
from harness.types import Loaded, Source, TaskSpec

COUNTS = st.integers(1, 40)
LIMITS = st.integers(1, 50)


def names(prefix: str, count: int) -> list[str]:
    """Texts or ids that tell where they stood."""
    return [f"{prefix}{i}" for i in range(count)]


def place(name: str) -> int:
    return int(name[1:])


def ascending(items: Sequence[str]) -> bool:
    return list(map(place, items)) == sorted(set(map(place, items)))


@st.composite
def search_problems(draw: st.DrawFn) -> Ranked:
    """Up to 12 queries over up to 150 documents, judged and with candidates at random."""
    queries = names("q", draw(st.integers(1, 12)))
    documents = names("d", draw(st.integers(1, 150)))
    some = st.lists(st.sampled_from(documents), min_size=1, max_size=6, unique=True)
    judged = {query: {document: draw(st.integers(0, 2)) for document in draw(some)} for query in queries}
    candidates = {query: draw(some) for query in queries} if draw(st.booleans()) else None
    texts = [f"t{place(document)}" for document in documents]
    return Ranked(
        query_ids=queries,
        queries=[f"t{place(query)}" for query in queries],
        document_ids=documents,
        documents=texts,
        qrels=judged,
        candidates=candidates,
    )


@given(count=COUNTS, n=LIMITS)
def test_pairs_stay_together_and_in_order(count: int, n: int) -> None:
    """min(n, count) pairs, each with its own other side and score, in the order that they had."""
    gold = Pairs(left=names("l", count), right=names("r", count), gold=np.arange(count, dtype=np.float64))
    kept = gold.sample(n)
    assert isinstance(kept, Pairs)
    assert len(kept.left) == min(n, count)
    assert ascending(kept.left)
    assert [place(text) for text in kept.left] == [place(text) for text in kept.right] == kept.gold.tolist()


@given(count=COUNTS, n=LIMITS)
def test_only_test_texts_are_cut(count: int, n: int) -> None:
    """Training texts, and the names of the labels, are what they were: the classifier learns the same."""
    gold = Labelled(
        train=names("t", 30),
        train_labels=np.arange(30) % 3,
        test=names("s", count),
        test_labels=np.arange(count),
        label_names=tuple(names("n", max(3, count))),
    )
    kept = gold.sample(n)
    assert isinstance(kept, Labelled)
    assert (kept.train, kept.label_names) == (gold.train, gold.label_names)
    assert kept.train_labels.tolist() == gold.train_labels.tolist()
    assert len(kept.test) == min(n, count)
    assert ascending(kept.test)
    assert [place(text) for text in kept.test] == kept.test_labels.tolist()


@given(count=COUNTS, n=LIMITS, fraction=st.sampled_from([None, 0.04, 0.3, 1.0]))
def test_texts_to_cluster(count: int, n: int, fraction: float | None) -> None:
    """So many texts stay that the settings' fraction of them is at most n, and n if there are enough."""
    gold = Clustered(texts=names("t", count), labels=[(i % 7, i) for i in range(count)])
    settings = ClusteringSettings(max_fraction_of_documents_to_embed=fraction)
    kept = gold.sample(n, settings=settings)
    assert isinstance(kept, Clustered)
    assert ascending(kept.texts)
    assert [place(text) for text in kept.texts] == [labels[1] for labels in kept.labels]
    embedded = int((fraction or 1) * len(kept.texts))
    assert embedded <= n
    assert embedded == n or len(kept.texts) == count


def test_a_fraction_of_a_sample_is_not_a_handful() -> None:
    """With mteb's fraction of 0.04, a quick mode of 100 texts clusters 100 of 10,000, not 4."""
    gold = Clustered(texts=names("t", 10_000), labels=[(i % 5,) for i in range(10_000)])
    kept = gold.sample(100, settings=ClusteringSettings())
    assert isinstance(kept, Clustered)
    assert int(0.04 * len(kept.texts)) == 100


@given(sizes=st.lists(st.integers(1, 12), min_size=1, max_size=6), n=LIMITS)
def test_legacy_sets(sizes: list[int], n: int) -> None:
    """The first sets, whole, as far as n texts go; where not even the first one fits, a part of it."""
    gold = ClusteredSets(sets=[Clustered(texts=names("t", size), labels=[(i,) for i in range(size)]) for size in sizes])
    kept = gold.sample(n)
    assert isinstance(kept, ClusteredSets)
    found = [len(inner.texts) for inner in kept.sets]
    assert sum(found) <= n
    assert found == sizes[: len(found)] or found == [n]
    assert len(found) == len(sizes) or sum(sizes[: len(found) + 1]) > n


@given(gold=search_problems(), n=LIMITS)
def test_judged_documents_and_candidates_are_kept(gold: Ranked, n: int) -> None:
    """min(n, all) queries, with every document that is judged or a candidate for one of them."""
    kept = gold.sample(n)
    assert isinstance(kept, Ranked)
    assert len(kept.query_ids) == min(n, len(gold.query_ids))
    assert ascending(kept.query_ids)
    assert ascending(kept.document_ids)
    assert [place(query) for query in kept.query_ids] == [place(text) for text in kept.queries]
    assert [place(name) for name in kept.document_ids] == [place(text) for text in kept.documents]
    assert kept.qrels == {query: gold.qrels[query] for query in kept.query_ids}
    assert {document for docs in kept.qrels.values() for document in docs} <= {*kept.document_ids}
    if gold.candidates is None:
        assert kept.candidates is None
    else:
        assert kept.candidates == {query: gold.candidates[query] for query in kept.query_ids}
        assert {document for docs in kept.candidates.values() for document in docs} <= {*kept.document_ids}


@given(count=st.integers(1, 12), of_group=st.integers(1, 4), n=LIMITS)
def test_queries_that_are_scored_together_stay_together(count: int, of_group: int, n: int) -> None:
    """Whole groups up to the limit, and one at least, with the changes of all queries."""
    queries = [f"q{i}_{j}" for i in range(count) for j in range(of_group)]
    gold = Ranked(
        query_ids=queries,
        queries=queries,
        document_ids=["d0"],
        documents=["t"],
        qrels={query: {"d0": 1} for query in queries},
        changes={"q0": ["d0"]},
    )
    kept = gold.sample(n, settings=RetrievalSettings(further_metrics="max_over_subqueries"))
    sizes = Counter(query.partition("_")[0] for query in kept.query_ids)
    assert set(sizes.values()) == {of_group}
    assert len(sizes) == min(count, max(1, n // of_group))
    assert kept.changes == gold.changes
    assert list(kept.query_ids) == [query for query in queries if query in kept.query_ids]


@given(gold=search_problems(), n=LIMITS)
def test_the_corpus_is_filled_up(gold: Ranked, n: int) -> None:
    """Ten documents for each text of the limit, or the whole corpus, or what must stay where that is more."""
    kept = gold.sample(n)
    assert isinstance(kept, Ranked)
    wanted = {document for docs in kept.qrels.values() for document in docs}
    wanted |= {document for docs in (kept.candidates or {}).values() for document in docs}
    assert len(kept.document_ids) == max(len(wanted), min(10 * n, len(gold.document_ids)))


@given(pairs=st.lists(st.integers(0, 9), min_size=1, max_size=10), n=LIMITS)
def test_translations_stay_translations(pairs: list[int], n: int) -> None:
    """Each left text that stays finds its own translation; a right text that several share stays once."""
    gold = Mined(left=names("l", len(pairs)), right=names("r", 10), gold=np.array(pairs))
    kept = gold.sample(n)
    assert isinstance(kept, Mined)
    assert len(kept.left) == min(n, len(pairs))
    assert ascending(kept.left)
    assert len(set(kept.right)) == len(kept.right) <= len(kept.left)
    for text, position in zip(kept.left, kept.gold.tolist(), strict=True):
        assert place(kept.right[position]) == pairs[place(text)]


@pytest.mark.parametrize("n", [1, 7, 40])
def test_the_same_sample_every_time(n: int) -> None:
    """The sample depends on the number of texts and on n alone, not on what was drawn before."""
    gold = Pairs(left=names("l", 40), right=names("r", 40), gold=np.arange(40.0))
    first = gold.sample(n)
    gold.sample(11)
    again = gold.sample(n)
    assert isinstance(first, Pairs)
    assert isinstance(again, Pairs)
    assert first.left == again.left


def test_the_sample_is_not_the_first_rows() -> None:
    """Rows are drawn from all over the data, which is often sorted."""
    gold = Pairs(left=names("l", 1000), right=names("r", 1000), gold=np.arange(1000.0))
    kept = gold.sample(100)
    assert isinstance(kept, Pairs)
    assert 400 < np.mean([place(text) for text in kept.left]) < 600


def test_a_sample_is_other_data() -> None:
    """The digest of a sampled part differs from the whole one's and its notes say what it is; rows stay as loaded."""
    gold = Pairs(left=names("l", 9), right=names("r", 9), gold=np.arange(9.0))
    whole = Loaded(gold=gold, rows={"test": 9}, digest=data.digest(gold), notes=("a note",))
    quick = data.limited(_task(), whole, 4)
    assert isinstance(quick.gold, Pairs)
    assert len(quick.gold.left) == 4
    assert quick.digest == data.digest(quick.gold) != whole.digest
    assert quick.rows == {"test": 9}
    assert quick.notes[0] == "a note"
    assert "sample of at most 4 texts; not comparable with full scores" in quick.notes[1]


def _task() -> TaskSpec:
    return TaskSpec(
        name="Mine",
        type="STS",
        description="",
        source=Source(kind="local", path="x.jsonl"),
        splits=("test",),
        subsets={"default": ("eng-Latn",)},
        columns={},
        main_metric="pearson",
        settings=ClusteringSettings(),
    )
