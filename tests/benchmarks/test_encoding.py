"""Encoding alone, against `SentenceTransformer.encode` at its best batch size."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tabulate import tabulate

from harness import encoding, models
from harness.types import EncodeOptions, Prompt, Texts
from tests.conftest import bundled_folder

WORDS = {"short": (4, 16, 1500), "medium": (20, 80, 400), "long": (100, 400, 90)}
"""Words a text from, to, and texts."""
PEER_BATCHES = (8, 16, 32, 64, 128)


def some_texts(kind: str, vocabulary: list[str]) -> list[str]:
    rng = random.Random(kind)
    least, most, count = WORDS[kind]
    return [" ".join(rng.choices(vocabulary, k=rng.randint(least, most))) for _ in range(count)]


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    answer = call()
    return time.perf_counter() - started, answer


@pytest.mark.parametrize("kind", WORDS)
def test_encoding(kind: str) -> None:
    """At least 1.2 times as fast as its best batch size, on short, medium and long texts, to the sixth digit."""
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(str(bundled_folder()), device="cpu")
    encoder: Any = models.open_model(models.resolve(models.BUNDLED), EncodeOptions(device="cpu"))
    texts = some_texts(kind, [word for word in peer.tokenizer.get_vocab() if word.isalpha()])
    best: dict[str, float] = {}
    rows: dict[str, Any] = {}
    for _ in range(3):  # in turn, so that a busy moment hits both
        for size in PEER_BATCHES:
            seconds, rows["peer"] = timed(lambda size=size: peer.encode(texts, batch_size=size))
            best[f"batches of {size}"] = min(seconds, best.get(f"batches of {size}", seconds))
        seconds, found = timed(lambda: encoding.encode(encoder, Texts(items=texts), prompt=Prompt(None, None)))
        best["harness"] = min(seconds, best.get("harness", seconds))
        rows["harness"] = found.embeddings
    ratio = min(seconds for name, seconds in best.items() if name != "harness") / best["harness"]
    print(f"\n{kind}: {ratio:.2f} times SentenceTransformer.encode at its best batch size")
    print(tabulate([best], headers="keys", floatfmt=".2f"))
    np.testing.assert_allclose(rows["harness"], rows["peer"], atol=1e-6)
    assert ratio > 1.2
