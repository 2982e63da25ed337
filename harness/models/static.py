"""Static embeddings: a vector for every token, and their mean for a text. No torch, so a run starts at once.

`StaticEmbedding` of sentence-transformers 6.2, model2vec's files included.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.encoding import pipeline
from harness.evaluators.similarity import paired
from harness.models import prompt_catalog
from harness.models.saved_modules import Saved
from harness.models.vector_identity import identity
from harness.types import Batching, Encoded, EncoderFacts, ModelSpec, Prompt, Role

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float32


class StaticEncoder:
    """Mean of token vectors, in float32 on the CPU whatever the machine has: there is nothing to compute.

    Raises:
        LookupError, OSError: the files are not what `saved.read` took them for; open it another way.
    """

    def __init__(self, spec: ModelSpec, model: Saved) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(model.module / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._rows = _rows(model)
        self._normalize = model.normalize
        known = prompt_catalog.prompts(spec.name) if spec.origin == "hub" else None
        self.facts = EncoderFacts(
            backend="harness",
            device="cpu",
            device_name="cpu",
            precision="fp32",
            similarity=model.similarity,
            dimensions=self._rows.shape[1],
            parameters=self._rows.size,
            prompts=known or model.prompts,
            prompts_from="catalog" if known else "model",
            default_prompt=None if known else model.default_prompt,
        )
        self._identity = identity(spec, self.facts, packages=("embedding-harness", "numpy", "tokenizers"))

    def identity(self, *, prompt: Prompt, role: Role | None) -> Mapping[str, Any]:
        """Model, way of computing and prompt; the role picks nothing here beyond its prompt."""
        return {**self._identity, "prompt": prompt.text or ""}

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "tokens"
    ) -> Iterator[Encoded]:
        """Vectors of each block (n, dim) float32; a text without tokens gets zeros."""

        def prepare(texts: Sequence[str]) -> pipeline.Prepared:
            return self._prepared([(prompt.text or "") + text for text in texts])

        return pipeline.encode(
            blocks,
            prepare=prepare,
            lanes=[lambda inputs: functools.partial(self._means, *inputs)],
            is_out_of_memory=lambda _: False,
        )

    def _prepared(self, texts: list[str]) -> pipeline.Prepared:
        """A block as token ids, a batch."""
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        ids = [encoding.ids for encoding in encodings]
        counts = np.fromiter((len(one) for one in ids), dtype=np.int32, count=len(ids))
        cut = np.fromiter((bool(one.overflowing) for one in encodings), dtype=bool, count=len(ids))
        whole = pipeline.Batch(np.arange(len(ids)), (ids, counts), int(counts.sum()), None)
        return pipeline.Prepared([whole] if ids else [], counts, cut)

    def _means(self, ids: Sequence[Sequence[int]], counts: NDArray[np.int32]) -> Float32:
        """(n, dim) float32, while the tokenizer is at the next block."""
        rows = np.zeros((len(ids), self._rows.shape[1]), dtype=np.float32)
        for row, one in zip(rows, ids, strict=True):  # one gather for all would be memory-bound: 20 times slower
            self._rows.take(one, axis=0).sum(axis=0, out=row)
        rows /= np.maximum(counts, 1)[:, None]
        if self._normalize:
            rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-12))
        return rows

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """The model's own similarity of row i with row i: (n, dim), (n, dim) -> (n,) float32."""
        return paired(left, right, similarity=self.facts.similarity)

    def close(self) -> None:
        """Nothing to give back."""


def _rows(model: Saved) -> Float32:
    """(tokens, dim) float32; model2vec's files hold fewer rows, a mapping from tokens to them, and token weights."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors: Mapping[str, Any] = load_file(model.module / "model.safetensors")
    except (SafetensorError, TypeError) as err:  # bfloat16 has no numpy type
        raise LookupError(str(err)) from err
    if "embedding.weight" in tensors:
        rows = tensors["embedding.weight"]
    else:
        rows = tensors["embeddings"]
        if "mapping" in tensors:
            rows = rows[tensors["mapping"].astype(np.int64)]
        if "weights" in tensors:
            rows = rows.astype(np.float32) * tensors["weights"].astype(np.float32)[:, None]
    return np.ascontiguousarray(rows, dtype=np.float32)
