"""What a model may return, and the prompt that it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import encoding
from harness.errors import EncodeError
from harness.evaluators.sts import STSSettings
from harness.types import Prompt, PromptRules, Source, TaskSpec, Texts
from tests.encoders import NO_PROMPT, Fake

TEXTS = ["three", "two", "one"]


def rows(*values: float, dtype: type = np.float32) -> np.ndarray[Any, Any]:
    return np.array([[value, 1.0] for value in values], dtype=dtype)


def answering(answer: Any) -> Fake:
    """An encoder that returns `answer` whatever it is asked."""
    return Fake(rows=lambda texts: answer)


def test_a_good_answer_passes_unchanged() -> None:
    """Rows come in the order of the texts, counts are sums; the prompt, the role and the batching reach the model."""
    fake = Fake(rows=lambda texts: rows(*(len(text) for text in texts)))
    prompt = Prompt("query", "q: ")
    embedded = encoding.encode(fake, Texts(items=["ab", "a longer text", "abc"], role="query"), prompt=prompt)
    assert embedded.vectors.tolist() == [[2, 1], [13, 1], [3, 1]]
    assert embedded._replace(vectors=None) == (None, 3, 0, 1, 18, 18, 18, 0)
    assert fake.asked == [(["a longer text", "abc", "ab"], prompt, "query", "tokens")]


def test_a_repeated_text_is_encoded_once() -> None:
    """Batches by tokens take each text once; its tokens and its being cut count as often as it comes."""
    fake = Fake()
    embedded = encoding.encode(fake, Texts(items=["ab", "much too long", "ab", "much too long"]), prompt=NO_PROMPT)
    assert fake.texts == ["much too long", "ab"]
    assert embedded.vectors[[0, 1]].tolist() == embedded.vectors[[2, 3]].tolist()
    assert (embedded.texts_encoded, embedded.tokens, embedded.tokens_encoded, embedded.texts_truncated) == (
        2,
        30,
        15,
        2,
    )


def test_batches_of_mteb_take_every_text() -> None:
    """With mteb's batches a text that comes twice is encoded twice, longest first, and rows are in the texts' order."""
    fake, texts = Fake(), ["ab", "abcd", "ab", "abc"]
    embedded = encoding.encode(fake, Texts(items=texts), prompt=NO_PROMPT, batching="mteb")
    assert [len(text) for text in fake.texts] == [4, 3, 2, 2]
    assert {batching for *_, batching in fake.asked} == {"mteb"}
    assert np.array_equal(embedded.vectors, fake.vectors(texts))


def test_counts_that_are_not_known() -> None:
    """A model that does not tell tokens gives None, never a wrong sum."""
    embedded = encoding.encode(Fake(counts=False), Texts(items=TEXTS), prompt=NO_PROMPT)
    assert embedded[3:] == (None, None, None, None, 0)


def test_no_texts() -> None:
    """Nothing in, nothing out: the model is not asked."""
    fake = Fake({"model": "m"})
    embedded = encoding.encode(fake, Texts(items=[]), prompt=NO_PROMPT, cache="float32")
    assert embedded.vectors.shape[0] == 0
    assert embedded[1:] == (0, 0, 0, 0, 0, 0, 0)
    assert fake.asked == []


def test_vectors_of_two_widths_are_refused() -> None:
    """A model whose vectors change their width from block to block cannot be scored."""
    fake = Fake(rows=lambda texts: np.ones((len(texts), 1 + len(texts[0]) % 2), dtype=np.float32))
    texts = [character * 200_000 for character in "ab"] + ["c" * 99_999]
    with pytest.raises(EncodeError, match="vectors of 2 and of 1 dimensions"):
        encoding.encode(fake, Texts(items=texts), prompt=NO_PROMPT)


def test_vectors_that_contradict_the_facts() -> None:
    """Rows of another width than the encoder says it has are refused."""
    with pytest.raises(EncodeError, match="vectors of 4 dimensions and says that it has 3"):
        encoding.encode(Fake(dimensions=3), Texts(items=TEXTS), prompt=NO_PROMPT)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_become_float32(dtype: type) -> None:
    """Half and double precision are scored as float32."""
    checked = encoding.checked(rows(1, 2, 3, dtype=dtype), TEXTS)
    assert checked.dtype == np.float32
    assert checked.tolist() == [[1, 1], [2, 1], [3, 1]]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (rows(1, 2), "2 vectors for 3 texts; expected one per text"),
        (rows(1, 2, 3, 4), "4 vectors for 3 texts"),
        (rows(1, 2, 3)[:, 0], r"shape \(3,\)"),
        (rows(1, 2, 3)[None], r"shape \(1, 3, 2\)"),
        (rows(1, 2, 3).astype(int), "type int64; expected one row of floats"),
        (np.array(["a", "b", "c"])[:, None], "expected one row of floats"),
        (None, "expected one row of floats"),
        (rows(1, float("nan"), float("nan")), r"NaN or infinity for 2 of 3 texts, first for 'two'"),
        (rows(float("-inf"), 1, 1), r"NaN or infinity for 1 of 3 texts, first for 'three'"),
        (rows(0, 0, 0) * 0, r"a zero vector for all of 3 texts, first for 'three'"),
        (np.ones((3, 0), np.float32), r"shape \(3, 0\)"),
    ],
)
def test_a_bad_answer_is_refused(answer: Any, message: str) -> None:
    """Anything but one finite vector per text, and zeros only, is an error that names the first text it concerns."""
    with pytest.raises(EncodeError, match=message):
        encoding.encode(answering(answer), Texts(items=TEXTS), prompt=NO_PROMPT, batching="mteb")


def test_float64_beyond_float32_is_infinite() -> None:
    """A value that float32 cannot hold is refused like infinity, for infinity is what it would become."""
    with pytest.raises(EncodeError, match="NaN or infinity for 1 of 3"):
        encoding.checked(rows(1, 1e39, 1, dtype=np.float64), TEXTS)


def test_float64_below_float32_is_zero() -> None:
    """A vector that vanishes in float32 counts as a zero vector, and so does that of a text that stands twice."""
    vanishing = np.array([[1e-60, 1e-60], [1, 2], [3, 4]])
    embedded = encoding.encode(answering(vanishing), Texts(items=["a", "bb", "ccc"]), prompt=NO_PROMPT, batching="mteb")
    assert embedded.texts_zero == 1
    twice = Fake(rows=lambda texts: rows(*(len(text) - 1 for text in texts)) * np.array([[len(t) > 1] for t in texts]))
    assert encoding.encode(twice, Texts(items=["a", "bb", "a"]), prompt=NO_PROMPT).texts_zero == 2


def test_a_long_text_is_cut_in_the_message() -> None:
    """Messages show the first 60 characters of a text."""
    with pytest.raises(EncodeError, match=rf"first for '{'x' * 60}'\.\.\.;"):
        encoding.checked(rows(float("nan")), ["x" * 500])


@given(st.integers(0, 20), st.integers(0, 20))
def test_only_the_right_number_of_rows_passes(count: int, returned: int) -> None:
    """n rows for n texts pass, any other number does not."""
    texts, answer = ["t"] * count, np.ones((returned, 3), dtype=np.float32)
    if count == returned:
        assert encoding.checked(answer, texts).shape == (count, 3)
    else:
        with pytest.raises(EncodeError, match=f"{returned} vectors for {count} texts"):
            encoding.checked(answer, texts)


def test_the_prompt_of_a_task() -> None:
    """The model's prompts are asked for the task's name, its type and the text's role."""
    task = TaskSpec(
        name="Mine",
        type="STS",
        description="",
        source=Source(kind="local", path="data"),
        splits=("test",),
        subsets={"default": ("eng-Latn",)},
        columns={},
        main_metric="pearson",
        settings=STSSettings(),
    )
    fake = Fake(prompts=PromptRules(prompts={"STS": "s: ", "query": "q: ", "house": "h: "}, default="house"))
    assert encoding.prompt_for(fake.facts.prompts, task, Texts(items=[]), part=task.parts[0]) == Prompt("STS", "s: ")
    assert encoding.prompt_for(PromptRules(), task, Texts(items=[]), part=task.parts[0]) == Prompt(None, None)
