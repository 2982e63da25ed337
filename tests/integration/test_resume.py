"""A run that is killed in the middle of a corpus goes on where it was, with the same numbers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import harness as api
from harness.encoding import batches, cache_upkeep, vector_cache
from harness.models.bert_encoder import BertEncoder
from harness.types import Record
from tests.tiny import save_sentence_transformer

from .conftest import Tasks
from .test_interruption import start, until


class Size(NamedTuple):
    """How many documents the corpus has, how many texts a block, and the seconds that a forward pass is drawn out."""

    documents: int
    block: int
    pause: float


COUNTED = """
import os, sys, time
from harness import cli
from harness.encoding import batches
from harness.models.bert_encoder import BertEncoder

forward, log = BertEncoder._forward, os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def counted(self, inputs):
    time.sleep({size.pause})
    os.write(log, b"%d\\n" % len(inputs.ids))
    return forward(self, inputs)

BertEncoder._forward, batches._BLOCK_TEXTS = counted, {size.block}
sys.exit(cli.main(sys.argv[1:]))
"""
"""The command with blocks of a given size and a slow encoder that logs how many texts each forward pass takes."""


def text(place: int) -> str:
    """Short texts of several lengths, all different."""
    return f"document {place}" + " and more" * (place % 3)


@pytest.fixture(params=[Size(2500, 256, 0.08), pytest.param(Size(20_000, 2048, 0.01), marks=pytest.mark.slow)], ids=str)
def size(request: pytest.FixtureRequest) -> Size:
    """A small corpus in small blocks, and a larger one in those of a run."""
    size: Size = request.param
    return size


@pytest.fixture
def corpus(tasks: Tasks, size: Size) -> dict[str, Any]:
    """A private search task, as the options of a run."""
    rows = [{"_id": f"d{place}", "title": "", "text": text(place)} for place in range(size.documents)]
    tasks.write("Big", "Retrieval", {"corpus.jsonl": rows})
    return {"tasks": "Big", "tasks_dirs": [tasks.path], "device": "cpu"}


def kept(count: int) -> Iterator[tuple[str, np.ndarray]]:
    """Every namespace in the vector cache, and its vectors of those of `count` documents that it has."""
    keys = [vector_cache.key(text(place)) for place in range(count)]
    for used in cache_upkeep.usage():
        identity = {key: value for key, value in used.identity.items() if key not in ("dtype", "format")}
        cached = vector_cache.Namespace(identity).get(keys)
        yield used.namespace, cached.vectors[cached.present]


def test_kill_in_the_middle_of_a_corpus(
    corpus: dict[str, Any], size: Size, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 amid a corpus: the next run encodes at most two blocks again; vectors and scores are the same."""
    model = str(save_sentence_transformer(tmp_path / "model"))
    log, blocks = tmp_path / "log", tmp_path / "cache" / "embeddings"
    process = start(
        tmp_path,
        COUNTED.format(log=str(log), size=size),
        "run",
        model,
        "--device",
        "cpu",
        "-t",
        "Big",
        "--tasks-dir",
        *corpus["tasks_dirs"],
    )
    until(lambda: len(list(blocks.rglob("*.safetensors"))) >= 4, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not list((tmp_path / "results").rglob("Big.json"))
    first = sum(map(int, log.read_text().split()))
    assert 2 * size.block < first < size.documents

    seen: list[int] = []
    forward = BertEncoder._forward

    def counted(self: BertEncoder, inputs: Any) -> Any:
        seen.append(len(inputs.ids))
        return forward(self, inputs)

    monkeypatch.setattr(BertEncoder, "_forward", counted)
    monkeypatch.setattr(batches, "_BLOCK_TEXTS", size.block)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (resumed,) = api.run(model, results=tmp_path / "resumed", **corpus)
    distinct = size.documents + 2  # and two queries
    assert 0 <= first + sum(seen) - distinct <= 2 * size.block
    counts = part_of(resumed)
    assert counts["texts_encoded"] == sum(seen)
    assert counts["texts_encoded"] + counts["texts_cached"] == distinct
    found = dict(kept(size.documents))

    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "other"))
    seen.clear()
    (undisturbed,) = api.run(model, results=tmp_path / "undisturbed", **corpus)
    assert sum(seen) == distinct
    assert undisturbed.scores == resumed.scores
    expected = dict(kept(size.documents))
    assert found.keys() == expected.keys()
    (name,) = expected
    assert len(expected[name]) == size.documents
    assert np.array_equal(found[name], expected[name])

    seen.clear()
    (again,) = api.run(model, results=tmp_path / "undisturbed", overwrite=True, **corpus)
    assert seen == []
    assert again.scores == undisturbed.scores


def part_of(record: Record) -> Any:
    return record.harness["parts"]["test"]
