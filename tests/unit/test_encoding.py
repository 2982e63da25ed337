"""What a model may return, and the prompt that it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import encoding
from harness.errors import EncodeError
from harness.similarity import paired_cosine
from harness.types import Encoded, EncoderFacts, Prompt, Role, Source, STSSettings, TaskSpec, Texts

TEXTS = ["one", "two", "three"]


def rows(*values: float, dtype: type = np.float32) -> np.ndarray[Any, Any]:
    return np.array([[value, 1.0] for value in values], dtype=dtype)


class Fake:
    """Returns what it was told to, and remembers how it was asked."""

    def __init__(self, answer: Any, **facts: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[list[str], Prompt, Role | None]] = []
        self.facts = EncoderFacts(backend="fake", device="cpu", device_name="cpu", precision="fp32", **facts)

    def encode(self, texts: Sequence[str], *, prompt: Prompt, role: Role | None) -> Encoded:
        self.asked.append((list(texts), prompt, role))
        return Encoded(self.answer, 7, 1)

    def similarity_pairwise(self, left: Any, right: Any) -> Any:
        return paired_cosine(left, right)

    def close(self) -> None:
        return


def test_a_good_answer_passes_unchanged() -> None:
    """Rows, token count and truncation are handed on; the prompt and the role reach the model."""
    fake = Fake(rows(1, 2, 3))
    encoded = encoding.encode(fake, Texts(items=TEXTS, role="query"), prompt=Prompt("query", "q: "))
    assert (encoded.tokens, encoded.truncated) == (7, 1)
    assert encoded.embeddings is fake.answer
    assert fake.asked == [(TEXTS, Prompt("query", "q: "), "query")]


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
        (rows(1, float("nan"), float("nan")), r"NaN or infinity for 2 of 3 texts, first for text 1 \('two'\)"),
        (rows(float("-inf"), 1, 1), r"NaN or infinity for 1 of 3 texts, first for text 0 \('one'\)"),
        (rows(1, 2, 3) * np.array([[1], [1], [0]]), r"a zero vector for 1 of 3 texts, first for text 2 \('three'\)"),
        (np.ones((3, 0), np.float32), "a zero vector for 3 of 3 texts"),
    ],
)
def test_a_bad_answer_is_refused(answer: Any, message: str) -> None:
    """Anything but one finite, non-zero vector per text is an error that names the first text it concerns."""
    with pytest.raises(EncodeError, match=message):
        encoding.encode(Fake(answer), Texts(items=TEXTS), prompt=Prompt(None, None))


def test_float64_beyond_float32_is_infinite() -> None:
    """A value that float32 cannot hold is refused like infinity, for infinity is what it would become."""
    with pytest.raises(EncodeError, match="NaN or infinity for 1 of 3"):
        encoding.checked(rows(1, 1e39, 1, dtype=np.float64), TEXTS)


def test_float64_below_float32_is_zero() -> None:
    """A vector that vanishes in float32 is refused like a zero vector."""
    tiny = np.full((3, 2), 1e-60)
    with pytest.raises(EncodeError, match="a zero vector for 3 of 3"):
        encoding.checked(tiny, TEXTS)


def test_a_long_text_is_cut_in_the_message() -> None:
    """Messages show the first 60 characters of a text."""
    with pytest.raises(EncodeError, match=rf"first for text 0 \('{'x' * 60}'\.\.\.\)"):
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
    fake = Fake(None, prompts={"STS": "s: ", "query": "q: ", "house": "h: "}, default_prompt="house")
    assert encoding.prompt_for(fake, task, Texts(items=[])) == Prompt("STS", "s: ")
    assert encoding.prompt_for(Fake(None), task, Texts(items=[])) == Prompt(None, None)
