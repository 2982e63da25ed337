"""The catalog of prompts says what the installed mteb does."""

from __future__ import annotations

from pathlib import Path

import yaml

from harness.models import prompt_catalog

CATALOG = Path(prompt_catalog.__file__).with_name("catalog.yaml")


def test_the_catalog_equals_mteb() -> None:
    """Every text model that mteb opens through sentence-transformers with prompts of its own is here, with those."""
    from mteb.models.model_implementations import MODEL_REGISTRY

    theirs = {
        name: {str(getattr(key, "value", key)): text for key, text in meta.loader_kwargs["model_prompts"].items()}
        for name, meta in MODEL_REGISTRY.items()
        if getattr(meta.loader, "__name__", "") == "SentenceTransformerEncoderWrapper"
        and (meta.loader_kwargs or {}).get("model_prompts")
        and list(meta.modalities or ["text"]) == ["text"]
    }
    ours = {
        name: entry["prompts"]
        for entry in yaml.safe_load(CATALOG.read_text(encoding="utf-8"))
        for name in entry["models"]
    }
    assert ours == theirs


def test_lookup() -> None:
    """A known model gives its prompts by role, an unknown one None."""
    assert prompt_catalog.prompts("intfloat/e5-small-v2") == {"query": "query: ", "document": "passage: "}
    assert prompt_catalog.prompts("nobody/nothing") is None
