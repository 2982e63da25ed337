"""A copy of an open model that shares its weights, so that measuring changes nothing of the caller's model.

Its mode (training or evaluation), its tokenizer and its layers stay as they are.
"""

from __future__ import annotations

import copy
from typing import Any


def with_shared_weights(model: Any) -> Any:
    """A copy of an open model of sentence-transformers with the same weights in memory, ready to encode."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    card = getattr(model, "model_card_data", None)  # during training it leads to the trainer and its data
    return copy.deepcopy(model, {**shared, id(card): card} if card is not None else shared).eval()
