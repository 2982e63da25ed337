"""Every public record is read back from a card as it was written, and lint finds nothing in what was written."""

from __future__ import annotations

import functools
from collections import defaultdict
from pathlib import Path

import pytest

from harness import results
from harness.cards import card_file, lint, published_records
from harness.cards.edit.merge import merge
from harness.cards.metric_names import fraction, percent_text
from harness.cards.model_index import Metrics, collect
from harness.tasks import registry
from harness.types import Record
from tests.conftest import SHARED

PUBLIC = SHARED / "public-results"
OLD = """---
model-index:
- name: m
  results:
  - task:
      type: STS
    dataset:
      type: mteb/sts22-crosslingual-sts
      name: MTEB STS22 (pl)
      config: pl
      split: dev
      revision: eea2b4fe26a775864c896887d910b76a8098ad3f
    metrics:
    - type: cos_sim_spearman
      value: 0.9
---
"""
CARDS = {"new": "", "v1": OLD, "v2": OLD.replace("cos_sim_", "cosine_")}

needs_public = pytest.mark.skipif(not PUBLIC.is_dir(), reason="no ../shared/public-results beside this checkout")


@functools.cache
def records_by_model() -> list[list[Record]]:
    """The plain records of each model at each revision."""
    by_model: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in results.scan(PUBLIC):
        if isinstance(record, Record) and not record.variant:
            by_model[record.model, record.revision].append(record)
    return list(by_model.values())


def check_laws(records: list[Record], folder: Path, *, card: str, metrics: Metrics) -> int:
    """Write, lint and read; the number of values compared."""
    tasks = registry.get_tasks()
    listed = [result for result in collect(records, tasks, metrics=metrics).results if result.task != "STS22"]
    text = merge(card_file.parse(card, path="README.md"), listed, name="m").text
    path = folder / "README.md"
    path.write_text(text, encoding="utf-8")
    assert lint.findings(card_file.parse(text, path=path), tasks) == []
    published = published_records.read(path, model="o/m").records
    parts = {(record.task, *part): entry for record in published for part, entry in record.parts.items()}
    for result in listed:
        entry = parts[result.task, result.split, result.config]
        for metric, score in result.metrics.items():
            assert entry[metric] == fraction(percent_text(score)), (records[0].model, result, metric)
    return sum(len(result.metrics) for result in listed)


@needs_public
@pytest.mark.parametrize("card", CARDS)
def test_a_weak_model_goes_through(card: str, tmp_path: Path) -> None:
    """Main scores of random vectors, most of them below one percent, together and each alone."""
    (records,) = [listed for listed in records_by_model() if listed[0].model == "mteb/baseline-random-encoder"]
    assert check_laws(records, tmp_path, card=CARDS[card], metrics="main") > 50
    for record in records:
        check_laws([record], tmp_path, card=CARDS[card], metrics="main")


@needs_public
@pytest.mark.slow
@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("metrics", ["main", "all"])
def test_every_model_goes_through(card: str, metrics: Metrics, tmp_path: Path) -> None:
    """Main scores, and all metrics, of every model of the public records, into a new, a v1 and a v2 card."""
    compared = sum(check_laws(records, tmp_path, card=CARDS[card], metrics=metrics) for records in records_by_model())
    assert compared > 15_000
