"""What decides a vector besides its text and prompt; the vector cache keeps vectors under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from harness.files import run_environment
from harness.models.model_prompts import opening
from harness.models.mteb_loaders import Opening
from harness.types import EncoderFacts, ModelSpec

LOADING = 2
"""Raised when models are opened in another way, so that other vectors come out."""


def identity(spec: ModelSpec, facts: EncoderFacts, *, packages: Sequence[str]) -> dict[str, Any]:
    """Model, settings and device as JSON values, with the versions of `packages`, whose arithmetic may differ."""
    versions = run_environment.versions()
    dependencies = {"dependencies": dict(spec.dependencies)} if spec.dependencies else {}
    return {
        **dependencies,
        "model": spec.name,
        "revision": spec.revision,
        "loading": LOADING,
        "trust_remote_code": spec.trust_remote_code,
        "backend": facts.backend,
        "precision": facts.precision,
        "attention": facts.attention,
        "max_length": facts.max_length,
        "batch": facts.batching,
        "device": facts.device_name,
        **({"encoding": facts.encoding} if facts.encoding == "packed" else {}),
        **({"runtime": dict(facts.runtime)} if facts.runtime else {}),
        **({"weights": dict(facts.weights)} if facts.weights else {}),
        **({"opening": asdict(opened)} if (opened := opening(spec)) != Opening() else {}),
        "versions": {name: versions.get(name) for name in packages},
    }
