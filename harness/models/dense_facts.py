"""Facts of an opened `SentenceTransformer`, for the record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.models import cuda_runtime

if TYPE_CHECKING:
    import torch


def max_length(model: Any) -> int | None:
    """The model's maximum length; None where it has none (static embeddings have infinity)."""
    length = model.max_seq_length
    return None if length is None or length == math.inf else int(length)


def attention(model: Any, device: torch.device) -> str | None:
    """What computes attention in padded batches; None where transformers does not say."""
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    implementation: str | None = getattr(config, "_attn_implementation", None)
    return cuda_runtime.ATTENTION if implementation == "sdpa" and device.type == "cuda" else implementation


def architecture(model: Any) -> str | None:
    """The class of its transformer; None where it has none."""
    transformer = getattr(model[0], "auto_model", None)
    return None if transformer is None else type(transformer).__name__


def pooling(model: Any) -> str | None:
    """How the states of tokens become a vector; None where no module of sentence-transformers does it."""
    for module in model:
        if hasattr(module, "get_pooling_mode_str"):  # before sentence-transformers 6
            return str(module.get_pooling_mode_str())
        mode = getattr(module, "pooling_mode", None)
        if mode is not None:
            return mode if isinstance(mode, str) else "+".join(mode)
    return None


def is_normalized(model: Any, steps: Sequence[str]) -> bool:
    """Whether its vectors have unit length, with the steps that mteb's loader takes after it."""
    return type(model[-1]).__name__ == "Normalize" or "normalize" in steps[-1:]
