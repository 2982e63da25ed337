"""Token ids of texts: those of the tokenizer, whatever is cut beforehand or found again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.models import token_ids
from harness.models.token_ids import TextTokenizer, TokenIds

tokenizers = pytest.importorskip("tokenizers")

PIECES = ["a", "b", "##a", "##b", "ab", "##ab", "é", "e", "!", "##!", "中", "1", "##1"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = st.sampled_from(
    [
        *("a", "abba", "AB", "é", "e\u0301", "É", " ", "\t", "\u00a0", "!", "a!b", "中中", "1", "[SEP]", "[MASK]a"),
        *("\u0301", "\u200b", "\x00", "ab" * 60, "ß", "\ud7ff", "𝔞"),
    ]
)
TEXTS = st.lists(st.one_of(WORDS, st.text(max_size=3)), max_size=60).flatmap(
    lambda words: st.sampled_from([" ", "", "  ", "\n"]).map(lambda space: space.join(words))
)


def bert(*, lowercase: bool = True) -> Any:
    """A tokenizer of BERT with a tiny vocabulary."""
    vocabulary = {piece: place for place, piece in enumerate([*SPECIAL, *PIECES])}
    words = tokenizers.BertWordPieceTokenizer(vocabulary, lowercase=lowercase)
    return tokenizers.Tokenizer.from_str(words.to_str())


def of_text(ids: TokenIds, place: int) -> list[int]:
    start = ids.starts[place]
    return ids.ids[start : start + ids.lengths[place]].tolist()


@settings(max_examples=300, deadline=None)
@example(["a " * 40, "b"], 5, True)
@given(st.lists(TEXTS, max_size=4), st.integers(3, 12), st.booleans())
def test_a_cut_changes_nothing(texts: list[str], max_length: int, lowercase: bool) -> None:
    """Ids, lengths and what is truncated are those of whole texts, though long ones are cut at a space before."""
    plain = bert(lowercase=lowercase)
    plain.enable_truncation(max_length)
    expected = plain.encode_batch_fast(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_ids, "_SHORT", 10)
        patch.setattr(token_ids, "_CHARACTERS_OF_TOKEN", 2)
        patch.setattr(token_ids, "_KEPT", token_ids._RecentIds())
        tokenizer = TextTokenizer(bert(lowercase=lowercase), max_length=max_length)
        assert tokenizer._may_cut
        ids = tokenizer.token_ids(texts)
    assert [of_text(ids, place) for place in range(len(texts))] == [encoding.ids for encoding in expected]
    assert ids.truncated.tolist() == [bool(encoding.overflowing) for encoding in expected]


class Counted:
    """A tokenizer that notes how many characters it is given."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer, self.characters = tokenizer, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def encode_batch_fast(self, texts: list[str]) -> Any:
        self.characters += sum(map(len, texts))
        return self._tokenizer.encode_batch_fast(texts)


def test_a_second_model_with_the_same_tokenizer_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts of one model are not tokenized again for another; with another length or tokenizer they are."""
    monkeypatch.setattr(token_ids, "_KEPT", token_ids._RecentIds())
    texts = ["a b", "ab ab ab"]
    for tokenizer, max_length, characters in (
        (bert(), 8, 11),
        (bert(), 8, 0),
        (bert(), 4, 11),
        (bert(lowercase=False), 8, 11),
    ):
        counted = Counted(tokenizer)
        ids = TextTokenizer(counted, max_length=max_length).token_ids(texts)
        assert counted.characters == characters
        assert of_text(ids, 0) == tokenizer.encode("a b").ids


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids used longest ago go when the others need their room."""
    monkeypatch.setattr(token_ids, "_KEPT", token_ids._RecentIds())
    monkeypatch.setattr(token_ids, "_KEPT_BYTES", 4 * 3 * 3)
    counted = Counted(bert())
    tokenizer = TextTokenizer(counted, max_length=8)
    for text in ("a", "b", "e", "a", "1", "a", "b"):
        tokenizer.token_ids([text])
    assert counted.characters == 5


def test_long_texts_are_not_tokenized_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a text of a million characters some thousands are tokenized; where spaces are not ends of words, all are."""
    monkeypatch.setattr(token_ids, "_KEPT", token_ids._RecentIds())
    text = "ab a " * 200_000
    counted = Counted(bert())
    assert TextTokenizer(counted, max_length=64).token_ids([text]).truncated.tolist() == [True]
    assert counted.characters < 3000
    spaced = bert()
    spaced.add_tokens(["a ab"])
    counted = Counted(spaced)
    TextTokenizer(counted, max_length=64).token_ids([text])
    assert counted.characters == len(text)
