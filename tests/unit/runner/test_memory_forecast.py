"""What texts and vectors are forecast to take, and what is available for them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness import models
from harness.data.size_estimate import Size
from harness.files import available_memory
from harness.runner.memory_forecast import part_bytes
from harness.types import ModelSpec
from tests import nights


@pytest.fixture
def model() -> ModelSpec:
    """A model with vectors of 1,000 dimensions."""
    return dataclasses.replace(models.resolve("baseline/hashing"), dimensions=1000)


def test_which_vectors_are_in_memory_together(model: ModelSpec) -> None:
    """All of a part, but of a corpus one block; fewer where they are cut or a sample is asked; none of BM25's."""
    size = Size(texts=1_000_000, tokens=0)
    texts = part_bytes(nights.spec(), size, models.resolve("baseline/bm25"))
    assert texts == 1_000_000_000

    def of_vectors(type_: str, spec: ModelSpec = model, max_texts: int | None = None) -> int:
        return part_bytes(nights.spec(type_=type_), size, spec, max_texts=max_texts) - texts

    whole = of_vectors("STS")
    assert 4_000_000_000 < whole < 10_000_000_000
    assert of_vectors("Reranking") == whole
    assert of_vectors("Retrieval") == whole * 50_000 // 1_000_000
    assert of_vectors("STS", dataclasses.replace(model, truncate_dim=100)) == whole // 10
    assert of_vectors("STS", max_texts=500) == whole // 1000
    assert of_vectors("STS", dataclasses.replace(model, dimensions=None)) == 0


@pytest.mark.parametrize(
    ("system", "limit", "used", "expected"),
    [
        ("MemTotal: 9 kB\nMemAvailable:   2048 kB\n", "max", "5", 2048 * 1024),
        ("MemAvailable: 2048 kB\n", "1000", "400", 600),
        ("MemAvailable: 2048 kB\n", "1000", "1400", 0),
        ("MemAvailable: 2048 kB\n", "", "", 2048 * 1024),
    ],
)
def test_what_is_available(
    system: str, limit: str, used: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system says, or what the limit of a container leaves, if that is less."""
    (tmp_path / "meminfo").write_text(system)
    if limit:
        (tmp_path / "memory.max").write_text(limit)
        (tmp_path / "memory.current").write_text(used)
    monkeypatch.setattr(available_memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(available_memory, "_GROUP", tmp_path)
    assert available_memory.available_bytes() == expected
