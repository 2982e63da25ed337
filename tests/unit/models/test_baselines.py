"""The two baselines against values worked out by hand."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evaluators.retrieval import Ranked
from harness.models import baselines
from harness.models.baselines import BM25, Hashing
from harness.types import Encoder, Searcher, SidePrompts
from tests.encoders import NO_PROMPT, one_block


def encode(*texts: str) -> np.ndarray:
    return one_block(Hashing(), texts).vectors


# --- hashing ---------------------------------------------------------------------------------------------------------


def test_hashing_by_hand() -> None:
    """`ab ab`: the word twice and the trigrams #ab, ab# twice each; log(1 + count), signed by the hash, unit length."""
    expected = np.zeros(1024)
    for feature in ("ab", "#ab", "ab#"):
        code = zlib.crc32(feature.encode())
        expected[code % 1024] += (1 if code >= 2**31 else -1) * 2
    expected = np.sign(expected) * np.log1p(np.abs(expected))
    expected /= math.sqrt((expected**2).sum())
    np.testing.assert_allclose(encode("ab ab")[0], expected, rtol=1e-6)


def test_hashing_is_the_same_everywhere() -> None:
    """Pinned buckets: a change of the features would make recorded baselines wrong without a trace."""
    assert np.flatnonzero(encode("a")[0]).tolist() == sorted({zlib.crc32(b"a") % 1024, zlib.crc32(b"#a#") % 1024})
    assert np.flatnonzero(encode("a")[0]).tolist() == [575, 579]


def test_hashing_ignores_case_order_and_punctuation() -> None:
    """The same bag of words is the same vector."""
    rows = encode("Der Hund bellt", "bellt, der HUND!", "Der Hund belt")
    assert rows[0].tolist() == rows[1].tolist()
    assert rows[0].tolist() != rows[2].tolist()


def test_hashing_likes_shared_words() -> None:
    """More shared words and word parts, more similar."""
    near, nearer, far = encode("the red house", "the red houses", "quantum flux") @ encode("the red house")[0]
    assert near == pytest.approx(1, abs=1e-6)
    assert 1 > nearer > 0.5 > far


@given(st.lists(st.text(max_size=30), max_size=5))
def test_hashing_gives_a_unit_vector_for_any_text(texts: list[str]) -> None:
    """One float32 row of length 1 per text, empty and wordless texts included, whatever stands beside it."""
    rows = encode(*texts)
    assert (rows.shape, rows.dtype) == ((len(texts), 1024), np.float32)
    np.testing.assert_allclose(np.linalg.norm(rows.astype(np.float64), axis=1), 1, rtol=1e-6)
    for row, text in zip(rows, texts, strict=True):
        assert row.tolist() == encode(text)[0].tolist()


def test_hashing_counts_words_as_tokens() -> None:
    """Tokens are words; nothing is ever cut."""
    encoded = one_block(Hashing(), ["two words", "", "and three more"])
    assert encoded.tokens is not None
    assert encoded.truncated is not None
    assert encoded.tokens.tolist() == [2, 0, 3]
    assert encoded.truncated.tolist() == [False] * 3
    assert encoded.tokens_padded == 5


def test_what_the_baselines_are() -> None:
    """Hashing encodes and BM25 searches, and both say so by the protocols."""
    assert isinstance(Hashing(), Encoder)
    assert not isinstance(Hashing(), Searcher)
    assert isinstance(BM25(), Searcher)
    assert not isinstance(BM25(), Encoder)


# --- BM25 ------------------------------------------------------------------------------------------------------------


def search(documents: list[str], queries: list[str], *, k: int = 10, languages: tuple[str, ...] = ()) -> list[dict]:
    """Document position -> score for each query, best first."""
    gold = Ranked(
        query_ids=[f"q{i}" for i in range(len(queries))],
        queries=queries,
        document_ids=[f"d{i}" for i in range(len(documents))],
        documents=documents,
        qrels={},
    )
    hits = (
        BM25()
        .search(
            gold.queries,
            gold.documents,
            document_ids=gold.document_ids,
            candidates=None,
            k=k,
            languages=languages,
            prompts=SidePrompts(NO_PROMPT, NO_PROMPT),
        )
        .hits
    )
    return [
        {int(i): float(score) for i, score in zip(row, scores, strict=True) if i >= 0}
        for row, scores in zip(hits.indices, hits.scores, strict=True)
    ]


def lucene(tf: int, df: int, length: int, *, mean: float, count: int) -> float:
    """One term's score: idf = ln(1 + (N - df + 1/2) / (df + 1/2)), times tf / (tf + k1 (1 - b + b length / mean))."""
    return math.log(1 + (count - df + 0.5) / (df + 0.5)) * tf / (tf + 1.5 * (1 - 0.75 + 0.75 * length / mean))


DOCUMENTS = ["honey honey bees", "wax bees", "candle light evening dinner table", "stone"]
MEAN = 11 / 4


def test_bm25_by_hand() -> None:
    """Scores are the Lucene variant's with k1 1.5 and b 0.75; documents without a term of the query are no hits."""
    [found] = search(DOCUMENTS, ["honey bees"])
    assert list(found) == [0, 1]
    honey = lucene(2, 1, 3, mean=MEAN, count=4)
    bees = {0: lucene(1, 2, 3, mean=MEAN, count=4), 1: lucene(1, 2, 2, mean=MEAN, count=4)}
    assert found[0] == pytest.approx(honey + bees[0], rel=1e-6)
    assert found[1] == pytest.approx(bees[1], rel=1e-6)


def test_bm25_of_unknown_words() -> None:
    """A query none of whose words is in the corpus finds nothing; it disturbs no other query."""
    nothing, empty, stone = search(DOCUMENTS, ["violin", "", "STONE!"])
    assert (nothing, empty) == ({}, {})
    assert list(stone) == [3]


def test_bm25_leaves_out_stop_words_of_the_language() -> None:
    """`the` counts unless the subset is in English alone."""
    documents = ["the the wall", "garden gate"]
    assert search(documents, ["the garden"], languages=("eng-Latn",)) == [
        {1: pytest.approx(lucene(1, 1, 2, mean=3 / 2, count=2), rel=1e-6)}
    ]
    for languages in ((), ("eng-Latn", "deu-Latn"), ("isl-Latn",)):
        [found] = search(documents, ["the garden"], languages=languages)
        assert set(found) == {0, 1}


def test_bm25_stops_at_k_and_breaks_ties_by_id() -> None:
    """At most k documents; equal scores by document id, the greater first."""
    [found] = search(["bee"] * 5, ["bee"], k=3)
    assert list(found) == [4, 3, 2]


def test_a_long_word_costs_its_length() -> None:
    """The trigrams of a word are cut from one padded copy of it: a copy for each of 200,000 takes minutes."""
    copies = 0

    class Word(str):
        def __format__(self, spec: str) -> str:
            nonlocal copies
            copies += 1
            return str.__format__(self, spec)

    assert len(baselines._buckets.__wrapped__(Word("abcd" * 10))) == 41
    assert copies == 1
