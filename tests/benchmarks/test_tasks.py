"""Whole runs of real tasks against mteb's, on the data of the local hub: cold, and again with cached vectors."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.outputs import text_table
from tests.conftest import ROOT, bundled_folder

STATIC = (
    "Banking77Classification",
    "AmazonCounterfactualClassification:test:de,en",
    "SIB200Classification:test:deu_Latn,eng_Latn",
    "SIB200ClusteringS2S:test:deu_Latn",
    "SciFact",
)
TRANSFORMER = (
    "GermanSTSBenchmark",
    "Banking77Classification",
    "AmazonCounterfactualClassification:test:de,en",
    "PawsXPairClassification:test:de",
    "SciFact",
    "SIB200ClusteringS2S:test:deu_Latn",
)


def compare(localhub: ModuleType, hub_root: Path, folder: Path, model: Path, tasks: tuple[str, ...]) -> dict[str, Any]:
    """Task -> what `side_by_side.py` measured; printed as a table."""
    with localhub.LocalHub(hub_root) as hub:
        environment = {
            **os.environ,
            "HF_ENDPOINT": hub.endpoint,
            "HF_HOME": str(folder / "hf"),
            "HARNESS_CACHE": str(folder / "cache"),
        }
        done = subprocess.run(
            [sys.executable, str(ROOT / "tests/benchmarks/side_by_side.py"), str(model), *tasks],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(rows) == len(tasks), done.stderr[-2000:]
    shown = [{key: value for key, value in row.items() if key != "phases"} for row in rows]
    print("\n" + text_table.plain_records(shown))
    return {row["task"]: row for row in rows}


def total(rows: dict[str, Any], key: str) -> float:
    return sum(row[key] for row in rows.values())


def test_static_embeddings(localhub: ModuleType, hub_root: Path, tmp_path: Path) -> None:
    """With static embeddings, classification is 8 times faster than mteb's; clustering and retrieval are 1.8 times."""
    rows = compare(localhub, hub_root, tmp_path, static_model(tmp_path / "wordllama"), STATIC)
    assert all(row["difference"] < 1e-5 for row in rows.values())
    for name, row in rows.items():
        assert row["ratio"] > (8 if "Classification" in name else 1.8), name


def test_a_transformer(localhub: ModuleType, hub_root: Path, tmp_path: Path) -> None:
    """all-MiniLM-L6-v2 in fp32: classification 2 times faster, all six tasks 1.2 times; run again, 20 times."""
    rows = compare(localhub, hub_root, tmp_path, bundled_folder(), TRANSFORMER)
    whole, again = total(rows, "mteb") / total(rows, "harness"), total(rows, "mteb") / total(rows, "again")
    print(f"\nall tasks: {whole:.2f} times faster than mteb, run again {again:.0f} times")
    assert all(row["difference"] < 1e-5 for row in rows.values())
    assert all(row["identical_again"] for row in rows.values())
    assert all(row["ratio"] > 2 for name, row in rows.items() if name.startswith(("Banking77", "AmazonCounter")))
    assert whole > 1.2
    assert again > 20


def static_model(folder: Path) -> Path:
    """The vectors of the PyPI package `wordllama` as a sentence-transformers model."""
    found = importlib.util.find_spec("wordllama")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package wordllama (pip install --no-deps wordllama) is not installed")
    import numpy as np
    from safetensors.numpy import load_file
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer

    package = Path(found.submodule_search_locations[0])
    weights = load_file(package / "weights/l2_supercat_256.safetensors")["embedding.weight"].astype(np.float32)
    tokenizer = Tokenizer.from_file(str(package / "tokenizers/l2_supercat_tokenizer_config.json"))
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu").save(str(folder))
    return folder
