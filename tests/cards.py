"""What the tests of cards share: the seeds, records of a card's numbers, and one result to write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import results
from harness.cards.edit.yaml_layout import Result
from harness.types import Record
from tests.conftest import SHARED

GERMAN = SHARED / "seeds" / "004_9f7433b76641abc1.txt"
SPANISH = SHARED / "seeds" / "000_90bdf92f02f85c49.txt"
GERMAN_MODEL = "aari1995/German_Semantic_STS_V2"

needs_seeds = pytest.mark.skipif(not GERMAN.is_file(), reason="no ../shared/seeds beside this checkout")

RENAMED = {"cos_sim_spearman": "cosine_spearman", "ap": "max_ap"}

NEW = Result(
    task="STSBenchmark",
    type="STS",
    dataset="mteb/stsbenchmark-sts",
    config="default",
    split="test",
    revision="b0fddb56ed78048fa8b90373c8a3cfc37b684831",
    metrics={"cosine_spearman": 0.8203247283076371},
)
"""A result that no card of the tests has."""


def front_matter(text: str) -> Any:
    """The data between the first two lines of dashes."""
    return yaml.safe_load(text.split("---\n")[1])


def card_results() -> list[dict[str, Any]]:
    """The results of the German card, in order."""
    (model,) = front_matter(GERMAN.read_text(encoding="utf-8"))["model-index"]
    return list(model["results"])


def distinct(listed: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Without those that repeat task, data, part and metric of an earlier one."""
    seen = set()
    for one in listed:
        key = (*sorted(one["dataset"].items()), one["metrics"][0]["type"])
        if key not in seen:
            seen.add(key)
            yield one


def record_german_card(folder: Path, *, divide: bool) -> None:
    """Records holding the card's first 24 different numbers: value / 100, or its decimal point moved."""
    by_task: dict[str, dict[str, Any]] = {}
    for one in distinct(card_results()):
        data, metric = one["dataset"], one["metrics"][0]
        value = metric["value"] / 100 if divide else float(f"{metric['value']!r}e-2")
        entry = {
            RENAMED.get(metric["type"], metric["type"]): value,
            "main_score": value,
            "hf_subset": data["config"],
            "languages": ["deu-Latn"],
        }
        task = by_task.setdefault(data["name"].removeprefix("MTEB "), {"revision": data["revision"], "scores": {}})
        task["scores"].setdefault(data["split"], []).append(entry)
    for name, task in by_task.items():
        record = Record(
            task=name,
            model=GERMAN_MODEL,
            revision="0" * 40,
            dataset_revision=task["revision"],
            scores=task["scores"],
        )
        results.put(folder, record, model_meta={})
