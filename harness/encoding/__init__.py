"""Texts into embeddings, checked.

`encode` is the one way from texts to vectors: it calls the encoder and refuses what is not one finite, non-zero row per
text, before any scorer sees it. `batches` and `pipeline` are what encoders are built from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import EncodeError
from harness.models import prompts
from harness.types import Encoded, Encoder, Prompt, TaskSpec, Texts

if TYPE_CHECKING:
    from harness.types import Float32


def prompt_for(encoder: Encoder, task: TaskSpec, texts: Texts) -> Prompt:
    """The prompt that `encoder` puts before `texts` of `task`."""
    facts = encoder.facts
    return prompts.choose(
        facts.prompts, task=task.name, task_type=task.type, role=texts.role, default=facts.default_prompt
    )


def encode(encoder: Encoder, texts: Texts, *, prompt: Prompt) -> Encoded:
    """Encode `texts` and check the answer.

    Raises:
        EncodeError: not a float matrix, another number of rows than texts, NaN, infinity, or a zero vector.
    """
    encoded = encoder.encode(texts.items, prompt=prompt, role=texts.role)
    return encoded._replace(embeddings=checked(encoded.embeddings, texts.items))


def checked(embeddings: Float32, texts: object) -> Float32:
    """`embeddings` as float32 (n, dim), or an EncodeError that names the first text that went wrong."""
    items = list(texts)  # type: ignore[call-overload]
    rows = np.asarray(embeddings)
    if rows.ndim != 2 or rows.dtype.kind != "f":
        raise EncodeError(
            f"the model returned an array of shape {rows.shape} and type {rows.dtype}; "
            "expected one row of floats per text (n_texts, dimensions)"
        )
    if len(rows) != len(items):
        raise EncodeError(f"the model returned {len(rows)} vectors for {len(items)} texts; expected one per text")
    with np.errstate(over="ignore"):  # what overflows is refused below
        rows = rows.astype(np.float32, copy=False)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise EncodeError(
            f"the model returned NaN or infinity for {int((~finite).sum())} of {len(items)} texts, "
            f"first for {_shown(items, int(np.argmin(finite)))}; try --precision fp32"
        )
    alive = rows.any(axis=1)
    if not alive.all():
        raise EncodeError(
            f"the model returned a zero vector for {int((~alive).sum())} of {len(items)} texts, "
            f"first for {_shown(items, int(np.argmin(alive)))}; a zero vector has no direction to compare"
        )
    return rows


def _shown(items: list[str], index: int) -> str:
    text = items[index]
    return f"text {index} ({text[:60]!r}{'...' if len(text) > 60 else ''})"
