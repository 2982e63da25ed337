"""Encoders without a model, and encoders asked directly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from harness.evaluators.similarity import paired
from harness.types import Batching, Encoded, Encoder, EncoderFacts, Prompt, Role

NO_PROMPT = Prompt(None, None)


def one_block(
    encoder: Encoder,
    texts: Sequence[str],
    *,
    prompt: Prompt = NO_PROMPT,
    role: Role | None = None,
    batching: Batching = "tokens",
) -> Encoded:
    """What an encoder answers to one block of texts."""
    (encoded,) = encoder.encode([texts], prompt=prompt, role=role, batching=batching)
    return encoded


def vector_of(*content: str, dimensions: int = 4) -> np.ndarray:
    """(dimensions,) float32 that another content does not have."""
    digest = hashlib.sha256("\0".join(content).encode("utf-8", "surrogatepass")).digest()
    return np.frombuffer(digest[: 2 * dimensions], dtype="<i2").astype(np.float32) + np.float32(0.5)


class Fake:
    """An encoder whose vectors depend on the text and on `made_of`, and which remembers how it was asked.

    Args:
        made_of: the identity that it gives, without prompt and role; None where vectors must not be kept.
        rows: texts -> rows, where they are not to be `vector_of`.
    """

    def __init__(
        self,
        made_of: Mapping[str, Any] | None = None,
        *,
        rows: Callable[[list[str]], Any] | None = None,
        counts: bool = True,
        **facts: Any,
    ) -> None:
        self._made_of, self._rows, self._counts = made_of, rows, counts
        self.asked: list[tuple[list[str], Prompt, Role | None, Batching]] = []
        self.facts = EncoderFacts(
            **{"backend": "fake", "device": "cpu", "device_name": "cpu", "precision": "fp32"} | facts
        )

    @property
    def texts(self) -> list[str]:
        """Every text that it was asked for, block after block."""
        return [text for block, *_ in self.asked for text in block]

    def vectors(self, texts: Sequence[str], *, prompt: Prompt = NO_PROMPT, role: Role | None = None) -> np.ndarray:
        """(n, 4) float32, the rows that it gives these texts."""
        made_of = json.dumps(self.identity(prompt=prompt, role=role), sort_keys=True)
        return np.array([vector_of(text, made_of) for text in texts])

    def identity(self, *, prompt: Prompt, role: Role | None) -> Mapping[str, Any] | None:
        return None if self._made_of is None else {**self._made_of, "prompt": prompt.text or "", "role": role or ""}

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "tokens"
    ) -> Iterator[Encoded]:
        for block in blocks:
            texts = list(block)
            self.asked.append((texts, prompt, role, batching))
            if self._rows is not None:
                rows = self._rows(texts)
            else:
                rows = self.vectors(texts, prompt=prompt, role=role)
            lengths = np.array([len(text) for text in texts], dtype=np.int32)
            yield Encoded(rows, lengths, lengths > 9, int(lengths.sum())) if self._counts else Encoded(rows, None, None)

    def similarity_pairwise(self, left: Any, right: Any) -> Any:
        return paired(left, right, similarity=self.facts.similarity)

    def close(self) -> None:
        return
