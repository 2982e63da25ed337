"""A plain Python callable as a model: `encode(list[str]) -> (n, dim) array`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.evaluators.similarity import paired
from harness.types import Batching, Encoded, EncoderFacts, Prompt, PromptRules, Role

if TYPE_CHECKING:
    from harness.types import Float32


class FunctionEncoder:
    """Calls the function once per block of texts, with the prompt before each; roles do not reach it."""

    def __init__(self, function: Callable[[list[str]], Any], *, prompts: PromptRules | None = None) -> None:
        self._function = function
        self.facts = EncoderFacts(
            backend="python",
            device="unknown",
            device_name="unknown",
            precision="unknown",
            similarity="cosine",
            prompts=prompts or PromptRules(),
        )

    def identity(self, *, prompt: Prompt, role: Role | None) -> None:
        """None, so that vectors are not cached: another function may have the same name."""

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "tokens"
    ) -> Iterator[Encoded]:
        """What the function returns for each block, as a numpy array."""
        for texts in blocks:
            rows = self._function([f"{prompt.text or ''}{text}" for text in texts])
            if hasattr(rows, "detach"):  # a torch tensor, on any device
                rows = rows.detach().float().cpu().numpy()
            yield Encoded(np.asarray(rows), None, None)

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """Cosine similarity of the rows."""
        return paired(left, right, similarity="cosine")

    def close(self) -> None:
        """Do nothing: the function belongs to the caller."""
