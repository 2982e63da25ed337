"""What records say about a model besides its scores: the content of `model_meta.json`, and the name of a variant."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from harness.types import PLAIN, EncodeOptions, EncoderFacts, ModelSpec, VectorTransform

_FRAMEWORKS = {
    **{origin: ["Sentence Transformers", "PyTorch"] for origin in ("hub", "folder", "bundled")},
    "endpoint": ["API"],
}


def meta(spec: ModelSpec, facts: EncoderFacts | None) -> dict[str, Any]:
    """The content of `model_meta.json`: mteb's keys, None where a fact is not known."""
    return {
        "name": spec.name,
        "revision": spec.revision,
        "release_date": None,
        "languages": None,
        "n_parameters": facts.parameters if facts else None,
        "memory_usage_mb": round(facts.parameters * 4 / 2**20, 1) if facts and facts.parameters else None,
        "max_tokens": facts.max_length if facts else None,
        "embed_dim": facts.dimensions if facts else None,
        "license": None,
        "open_weights": None if spec.origin in ("python", "endpoint") else True,
        "public_training_code": None,
        "public_training_data": None,
        "framework": _FRAMEWORKS.get(spec.origin, []),
        "reference": f"https://huggingface.co/{spec.name}" if spec.origin == "hub" else None,
        "similarity_fn_name": _mteb_similarity(facts.similarity) if facts else None,
        "use_instructions": None,
        "training_datasets": None,
        "adapted_from": None,
        "superseded_by": None,
        "is_cross_encoder": None,
        "modalities": ["text"],
        "loader": None,
    }


def variant(
    spec: ModelSpec, options: EncodeOptions, *, max_texts: int | None = None, transform: VectorTransform = PLAIN
) -> str:
    """What sets records made with `options` apart from the model's plain records; empty for the plain ones.

    What a user asks for and changes numbers (quick mode, half precision, a shorter maximum length, vectors cached as
    float16, other prompts, fewer dimensions, quantization) gets records of its own, which never replace the plain ones.
    `auto` is plain, and its record says what was used.

    Args:
        spec: the model, without a first stage for a task that does not need one.
        options: of encoding.
        max_texts: quick mode.
        transform: of the vectors.
    """
    settings: dict[str, str] = {}
    if max_texts is not None:
        settings["max_texts"] = str(max_texts)
    settings |= {key: str(value) for key, value in transform.settings().items()}
    if spec.origin not in ("baseline", "python", "endpoint"):
        if options.max_length is not None:
            settings["max_length"] = str(options.max_length)
        if options.precision in ("fp16", "bf16"):
            settings["precision"] = options.precision
    if spec.origin not in ("baseline", "python") and options.store == "float16":
        settings["store"] = options.store
    if spec.first_stage is not None:
        first = spec.first_stage.model
        revision = "" if first.origin in ("baseline", "python") else f"@{first.revision[:8]}"
        settings["first_stage"] = _in_file_names(first.name) + revision
        settings["top"] = str(spec.first_stage.top)
    if spec.backend_file is not None:
        settings["backend"], settings["file"] = spec.backend_file.backend, _in_file_names(spec.backend_file.path)
    if spec.prompts is not None:
        settings["prompts"] = hashlib.sha256(json.dumps(spec.prompts).encode()).hexdigest()[:8]
    return ", ".join(f"{key}={value}" for key, value in sorted(settings.items()))


def _in_file_names(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name.replace("/", "__"))


def _mteb_similarity(name: str) -> str | None:
    return name if name in ("cosine", "dot", "euclidean") else None
