"""A plain Python callable as a model: `encode(list[str]) -> (n, dim) array`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.similarity import paired_cosine
from harness.types import Encoded, EncoderFacts, Prompt, Role

if TYPE_CHECKING:
    from harness.types import Float32


class FunctionEncoder:
    """Calls the function once per list of texts. Prompts and roles do not reach it."""

    def __init__(self, function: Callable[[list[str]], Any]) -> None:
        self._function = function
        self.facts = EncoderFacts(
            backend="python", device="unknown", device_name="unknown", precision="unknown", similarity="cosine"
        )

    def encode(self, texts: Sequence[str], *, prompt: Prompt, role: Role | None) -> Encoded:
        """The function's rows for `texts`, as numpy."""
        rows = self._function(list(texts))
        if hasattr(rows, "detach"):  # a torch tensor, wherever it lies
            rows = rows.detach().float().cpu().numpy()
        return Encoded(np.asarray(rows), None, None)

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """Cosine similarity of the rows."""
        return paired_cosine(left, right)

    def close(self) -> None:
        """Nothing to give back."""
