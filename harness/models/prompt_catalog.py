"""Known prompts of known models: `catalog.yaml`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


@functools.cache
def _entries() -> list[dict[str, Any]]:
    return yaml.safe_load(Path(__file__).with_name("catalog.yaml").read_text(encoding="utf-8"))


def prompts(model: str) -> Mapping[str, str] | None:
    """The prompts that mteb gives the hub model of this name instead of the model's own; None where it gives none."""
    for entry in _entries():
        if model in entry["models"]:
            return dict(entry["prompts"])
    return None
