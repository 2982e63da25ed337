"""The encoder that keeps what passes through it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.runner.watched_encoder import TextKey, WatchedEncoder
from harness.types import Encoded, Prompt
from tests.encoders import Fake

TEXTS = [["a", "bb"], ["ccc"]]


class OutOfOrder(Fake):
    """Answers all texts in one piece, the last first, as an endpoint may."""

    def encode(self, blocks: Any, **asked: Any) -> Iterator[Encoded]:
        texts = [text for block in blocks for text in block]
        places = np.arange(len(texts))[::-1]
        rows = np.array([[float(len(texts[place])), 1.0] for place in places], dtype=np.float32)
        yield Encoded(rows, None, None, places=places)


def test_rows_belong_to_their_texts() -> None:
    """Each text keeps its own row, prompt and tokens, without its suffix, in order or in pieces that tell places."""
    prompt = Prompt(None, "q: ", "!")
    for encoder, counts in ((Fake({}), True), (OutOfOrder(), False)):
        watched = WatchedEncoder(encoder)
        watched.task = "T"
        answers = list(watched.encode([[text + "!" for text in block] for block in TEXTS], prompt=prompt, role="query"))
        assert sum(len(answer.vectors) for answer in answers) == 3
        keys = [TextKey("T", "query", text) for block in TEXTS for text in block]
        assert set(watched.rows) == set(keys)
        assert set(watched.prompts.values()) == {prompt}
        if counts:
            expected = encoder.vectors([f"{key.text}!" for key in keys], prompt=prompt, role="query")
            assert [watched.tokens[key] for key in keys] == [2, 3, 4]
        else:
            expected = np.array([[len(key.text) + 1, 1] for key in keys])
            assert watched.tokens == {}
        np.testing.assert_array_equal(np.array([watched.rows[key] for key in keys]), expected)
