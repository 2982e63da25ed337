"""Whether the positions of a text's tokens depend on the texts beside it in a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

_SHORT, _LONG = "a b c", "a b c d e f g h i j k l m n o p q r s t u v w x y z"
_SAME = {"fp32": 1 - 1e-4, "fp16": 1 - 2e-3, "bf16": 1 - 1e-2}
"""Precision -> the least cosine of two vectors of one text that only rounding tells apart."""


def positions_follow_the_batch(model: Any, precision: str) -> bool:
    """Whether a text gets other positions beside a longer text.

    Dynamic NTK and LongRoPE choose the frequencies of rotary positions by the longest text of a batch. With padding on
    the left, absolute positions begin with the padding, unless the model leaves that out: two texts tell.

    Args:
        model: a `SentenceTransformer`.
        precision: of its forward pass.
    """
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    settings = [getattr(config, name, None) for name in ("rope_parameters", "rope_scaling")]
    kinds = {str(each.get("rope_type") or each.get("type")) for each in settings if isinstance(each, dict)}
    if kinds & {"dynamic", "longrope", "su"}:
        return True
    is_rotary = any(settings) or getattr(config, "rope_theta", None) is not None
    pads_on_the_left = getattr(model.tokenizer, "padding_side", "right") == "left"
    return pads_on_the_left and not is_rotary and _changes_beside_a_longer_text(model, precision)


def _changes_beside_a_longer_text(model: Any, precision: str) -> bool:
    alone, beside = (
        np.asarray(model.encode(texts, batch_size=2, show_progress_bar=False, convert_to_numpy=True)[0], dtype=float)
        for texts in ([_SHORT], [_SHORT, _LONG])
    )
    lengths = float(np.linalg.norm(alone) * np.linalg.norm(beside))
    return bool(alone @ beside < _SAME[precision] * lengths)
