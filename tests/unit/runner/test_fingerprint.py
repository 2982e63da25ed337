"""Fingerprints of cells whose vectors come in mteb's batches."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from harness import get_task, models
from harness.evaluators import KINDS
from harness.models import open_model
from harness.runner.fingerprint import fingerprint
from harness.runner.text_fields import batching_for
from harness.types import EncodeOptions, Encoder, ModelSpec
from tests.tiny import save_sentence_transformer, save_static, save_transformer

TASKS = [get_task(name) for name in ("MiniIntentsGerman", "MiniSTSGerman", "MiniAnswersGerman", "MiniPairsGerman")]


def changed(spec: ModelSpec, *, precision: str = "fp32") -> list[str]:
    """The types of tasks whose fingerprint differs from that of a model of which nothing is known of its lengths."""
    settings: dict[str, Any] = {"precision": precision, "max_length": None}
    unknown = dataclasses.replace(spec, normalized=None)
    return [
        task.type for task in TASKS if fingerprint(spec, task, **settings) != fingerprint(unknown, task, **settings)
    ]


@pytest.mark.parametrize("normalize", [True, False])
def test_only_cells_in_mtebs_batches_have_another_fingerprint(normalize: bool, tmp_path: Path) -> None:
    """Classification by a model that does not normalise is out of date where it was recorded in batches by tokens:
    it is the cell that gets mteb's batches for that reason, in fp32. Every other fingerprint stays.
    """
    spec = models.resolve(str(save_sentence_transformer(tmp_path / "m", normalize=normalize)))
    assert changed(spec) == ([] if normalize else ["Classification"])
    assert changed(spec, precision="bf16") == []
    options = EncodeOptions(device="cpu")
    encoder = open_model(spec, options)
    assert isinstance(encoder, Encoder)
    in_batches = [
        task.type
        for task in TASKS
        if batching_for(task, encoder, options) == "mteb" and not KINDS[task.type].exact_batches
    ]
    encoder.close()
    assert in_batches == changed(spec)


def test_kinds_of_model(tmp_path: Path) -> None:
    """A transformer without modules does not normalise; static vectors depend on no batch, and baselines neither."""
    assert changed(models.resolve(str(save_transformer(tmp_path / "plain")))) == ["Classification"]
    assert changed(models.resolve(str(save_static(tmp_path / "static")))) == []
    assert changed(models.resolve("baseline/hashing")) == []
