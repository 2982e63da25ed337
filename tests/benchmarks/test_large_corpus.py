"""A corpus of a million documents: time in proportion to its size, encoded or found in the vector cache."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from harness.encoding import vector_files
from harness.encoding.vector_cache import Namespace, Namespaces
from harness.outputs import text_table
from tests.benchmarks.clocks import peak_kib
from tests.conftest import ROOT, environment

SIZES = (100_000, 200_000, 500_000, 1_000_000)
QUERIES, DIMENSIONS, WORDS = 100, 16, 20
FILES, KEYS = 10_000, 700
"""About what MS MARCO takes: blocks of 262,144 characters."""


def test_ten_thousand_blocks(tmp_path: Path) -> None:
    """Opening 10,000 block files and looking 50,000 keys up takes less than a second, once; looking up again, little.

    Both are seconds of a processor, for the files lie in the memory of the system.
    """
    rng = np.random.default_rng(0)
    identity: dict[str, Any] = {"model": "of a benchmark"}
    folder = tmp_path / Namespace(identity, root=tmp_path).name
    folder.mkdir()
    rows, tokens, cut = np.zeros((KEYS, 4), np.float32), np.zeros(KEYS, np.int32), np.zeros(KEYS, np.int8)
    for _ in range(FILES):
        keys = rng.integers(0, 256, (KEYS, 16), dtype=np.uint8)
        tensors = {"keys": keys, "rows": rows, "tokens": tokens, "truncated": cut}
        (folder / f"{rng.bytes(16).hex()}{vector_files.SUFFIX}").write_bytes(save(tensors))
    asked = [rng.bytes(16) for _ in range(50_000)]
    with Namespaces(tmp_path) as namespaces:
        times = []
        for _ in range(4):
            started = time.process_time()
            assert not namespaces.open(identity, dtype="float32").get(asked).present.any()
            times.append(time.process_time() - started)
    again = sorted(times[1:])[1]
    print(f"\n{FILES:,} blocks: opened and looked up in {times[0]:.2f} s, looked up again in {again:.3f} s")
    assert times[0] < 1
    assert again < 0.1


def test_time_is_linear_in_the_size_of_a_corpus(tmp_path: Path) -> None:
    """From 100,000 to 1,000,000 documents, the time of a document grows by less than a third, cold and cached.

    It is time of the processors, of which nothing else takes any. The wall time is printed beside it.
    """
    rows = []
    for size in SIZES:
        command = [sys.executable, "-m", "tests.benchmarks.test_large_corpus", str(size)]
        folder = tmp_path / str(size)
        folder.mkdir()
        done = subprocess.run(command, cwd=ROOT, env=environment(folder), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    print("\n" + text_table.plain_records(rows))
    for phase in ("cold us", "cached us"):
        assert rows[-1][phase] < 4 / 3 * rows[0][phase], phase


def some_texts(count: int, *, seed: int) -> list[str]:
    """Texts of a few words, which are numbers, so that the tokenizer of a tiny model knows them."""
    rng = random.Random(seed)
    return [" ".join(str(rng.randrange(100)) for _ in range(rng.randint(4, WORDS))) for _ in range(count)]


def measure(size: int) -> dict[str, Any]:
    """Encode and search a corpus twice in this process: with an empty vector cache, and with one that has it all."""
    from harness import models
    from harness.evaluators.ranked import Ranked
    from harness.runner import measurement
    from harness.tasks import registry
    from harness.types import EncodeOptions, Loaded
    from tests.tiny import save_static

    folder = save_static(Path(os.environ["HARNESS_CACHE"]).parent / "model", normalize=True)
    task = registry.get_tasks().get("MiniAnswersEnglish")
    documents = [f"{place} {text}" for place, text in enumerate(some_texts(size, seed=1))]
    gold = Ranked(
        query_ids=[f"q{row}" for row in range(QUERIES)],
        queries=some_texts(QUERIES, seed=2),
        document_ids=[f"d{place * 7919 % size:07}" for place in range(size)],
        documents=documents,
        qrels={f"q{row}": {f"d{row:07}": 1} for row in range(QUERIES)},
    )
    loaded, options = Loaded(gold=gold, rows={}, digest=""), EncodeOptions(device="cpu")
    encoder: Any = models.open_model(models.resolve(str(folder)), options)
    times, hits = [], []
    for _ in range(2):
        started = time.process_time(), time.perf_counter()
        with Namespaces() as namespaces:
            part = measurement.encode(task, task.parts[0], encoder, loaded, options=options, namespaces=namespaces)
        times.append((time.process_time() - started[0], time.perf_counter() - started[1]))
        hits.append(part.given)
    assert part.counts.texts_encoded == 0
    assert np.array_equal(hits[0].indices, hits[1].indices)
    peak = peak_kib() / 2**10
    row: dict[str, Any] = {"documents": size}
    for phase, (processor, wall) in zip(("cold", "cached"), times, strict=True):
        row[f"{phase} us"] = round(processor / size * 1e6, 1)
        row[f"{phase} s"], row[f"{phase} wall s"] = round(processor, 1), round(wall, 1)
    return row | {"peak MiB": round(peak)}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
