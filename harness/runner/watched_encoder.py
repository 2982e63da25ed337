"""An encoder that keeps the vector, and the prompt, of every text that passes through it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.types import Batching, Encoded, Encoder, EncoderFacts, Prompt, Role

if TYPE_CHECKING:
    from harness.types import Float32


class TextKey(NamedTuple):
    """A text in its place.

    Attributes:
        task: the task that it belongs to.
        role: its role; None for a symmetric task.
        text: without its prompt.
    """

    task: str
    role: Role | None
    text: str


class WatchedEncoder:
    """Passes everything on to an encoder.

    Attributes:
        task: the task that is encoded.
        rows: each text's vector, (dim,) float32.
        prompts: each text's prompt.
        tokens: the tokens of each text, as the encoder counts them; empty where it does not.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.task = ""
        self.rows: dict[TextKey, Float32] = {}
        self.prompts: dict[TextKey, Prompt] = {}
        self.tokens: dict[TextKey, int] = {}

    @property
    def facts(self) -> EncoderFacts:
        """Those of the encoder, which may learn them from its first texts."""
        return self._encoder.facts

    @facts.setter
    def facts(self, facts: EncoderFacts) -> None:
        self._encoder.facts = facts

    def identity(self, *, prompt: Prompt, role: Role | None) -> Mapping[str, Any] | None:
        """That of the encoder."""
        return self._encoder.identity(prompt=prompt, role=role)

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "tokens"
    ) -> Iterator[Encoded]:
        """What the encoder answers."""
        asked: list[str] = []
        start = 0

        def noted() -> Iterator[Sequence[str]]:
            for block in blocks:  # another thread may ask for blocks ahead of the answers
                asked.extend(block)
                yield block

        for encoded in self._encoder.encode(noted(), prompt=prompt, role=role, batching=batching):
            places: Sequence[int] = range(start, start + len(encoded.vectors))
            if encoded.places is None:
                start += len(places)
            else:
                places = encoded.places.tolist()
            keys = [TextKey(self.task, role, asked[place].removesuffix(prompt.suffix)) for place in places]
            self.rows.update(zip(keys, np.array(encoded.vectors), strict=True))
            self.prompts.update(dict.fromkeys(keys, prompt))
            if encoded.tokens is not None:
                self.tokens.update(zip(keys, encoded.tokens.tolist(), strict=True))
            yield encoded

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """That of the encoder."""
        return self._encoder.similarity_pairwise(left, right)

    def close(self) -> None:
        """Close the encoder."""
        self._encoder.close()
