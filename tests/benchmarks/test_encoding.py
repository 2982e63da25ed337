"""Encoding alone, against `SentenceTransformer.encode` at its best batch size, each in a process of its own."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.outputs import text_table
from tests.benchmarks import clocks
from tests.conftest import ROOT, bundled_folder

WORDS = {"short": (4, 16, 1500), "medium": (20, 80, 400), "long": (100, 400, 90)}
"""Words a text from, to, and texts."""
LEAST = {"short": 1.15, "medium": 1.15, "long": 1.0}
"""How many times faster at least: long texts of one length leave little padding to save."""
PEER_BATCHES = (8, 16, 32, 64, 128)


def some_texts(kind: str, folder: Path) -> list[str]:
    rng = random.Random(kind)
    words = [word for word in (folder / "vocab.txt").read_text(encoding="utf-8").splitlines() if word.isalpha()]
    least, most, count = WORDS[kind]
    return [" ".join(rng.choices(words, k=rng.randint(least, most))) for _ in range(count)]


def peer(texts: list[str], folder: Path) -> Any:
    """What `SentenceTransformer.encode` gives, and its seconds by batch size."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    model.encode(texts[:64])
    rows, best = None, {}
    for size in PEER_BATCHES:
        started = time.perf_counter()
        rows = model.encode(texts, batch_size=size)
        best[f"batches of {size}"] = time.perf_counter() - started
    return rows, best


def ours(texts: list[str], folder: Path) -> Any:
    """What the harness gives, and its seconds."""
    from harness import encoding, models
    from harness.types import EncodeOptions, Prompt, Texts

    encoder: Any = models.open_model(models.resolve(models.BUNDLED), EncodeOptions(device="cpu"))
    encoding.encode(encoder, Texts(items=texts[:64]), prompt=Prompt(None, None))
    started = time.perf_counter()
    found = encoding.encode(encoder, Texts(items=texts), prompt=Prompt(None, None))
    return found.vectors, {"harness": time.perf_counter() - started}


@pytest.mark.parametrize(("kind", "least"), LEAST.items())
def test_encoding(kind: str, least: float, tmp_path: Path) -> None:
    """Faster than its best batch size, by how much depends on the length of the texts; equal to the sixth digit."""
    rows: dict[str, np.ndarray] = {}

    def run(side: str, policy: Mapping[str, str]) -> dict[str, float]:
        environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | policy
        file = tmp_path / f"{side}.npy"
        command = [sys.executable, "-m", "tests.benchmarks.test_encoding", side, kind, str(file)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        rows[side] = np.load(file)
        seconds: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return seconds

    measured = clocks.pairs(lambda: run("peer", {}), lambda: run("ours", {"OMP_WAIT_POLICY": "PASSIVE"}))
    ratio = clocks.median([min(theirs.values()) / ours["harness"] for theirs, ours in measured])
    print(f"\n{kind}: {ratio:.2f} times SentenceTransformer.encode at its best batch size")
    print(text_table.plain_records([{n: f"{s:.2f}" for n, s in (theirs | ours).items()} for theirs, ours in measured]))
    np.testing.assert_allclose(rows["ours"], rows["peer"], atol=1e-6)
    assert ratio > least


if __name__ == "__main__":
    side, kind, file = sys.argv[1:]
    vectors, seconds = {"peer": peer, "ours": ours}[side](some_texts(kind, bundled_folder()), bundled_folder())
    np.save(file, vectors)
    print(json.dumps(seconds))
