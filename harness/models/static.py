"""The kind of model "static embeddings": one vector for each token, and their mean for a text, without torch.

It computes what `StaticEmbedding` of sentence-transformers 6.2 does, and reads model2vec's files too.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.encoding import pipeline
from harness.evaluators.similarity import paired
from harness.models import model_prompts
from harness.models.saved_modules import SavedModel
from harness.models.vector_identity import identity
from harness.types import Batching, Encoded, EncoderFacts, ModelSpec, Prompt, PromptRules, Role

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float32


class StaticEncoder:
    """Mean of token vectors in float32, on the CPU even where there is a GPU: a mean is too little work to move.

    Raises:
        LookupError, OSError: the files differ from what `saved_modules.read` expects; sentence-transformers may still
            open them.
    """

    def __init__(self, spec: ModelSpec, model: SavedModel) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(model.module / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._rows = _rows(model)
        self._normalize = model.normalize
        self.facts = EncoderFacts(
            backend="harness",
            device="cpu",
            device_name="cpu",
            precision="fp32",
            pooling="mean",
            normalized=self._normalize,
            similarity=model.similarity,
            dimensions=self._rows.shape[1],
            parameters=self._rows.size,
            prompts=model_prompts.prompt_rules(spec, PromptRules(prompts=model.prompts, default=model.default_prompt)),
        )
        self._identity = identity(spec, self.facts, packages=("embedding-harness", "numpy", "tokenizers"))

    def identity(self, *, prompt: Prompt, role: Role | None) -> Mapping[str, Any]:
        """Model, settings and prompt; the role decides nothing but the prompt."""
        return {**self._identity, "prompt": prompt.text or ""}

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "tokens"
    ) -> Iterator[Encoded]:
        """The (n, dim) float32 vectors of each block; a text without tokens gets zeros."""

        def prepare(texts: Sequence[str]) -> pipeline.Prepared:
            return self._prepared([(prompt.text or "") + text for text in texts])

        return pipeline.encode(
            blocks,
            prepare=prepare,
            lanes=[lambda inputs: functools.partial(self._means, *inputs)],
            memory=pipeline.Memory(lambda _: False),
        )

    def _prepared(self, texts: list[str]) -> pipeline.Prepared:
        """A block as one batch of token ids."""
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        ids = [encoding.ids for encoding in encodings]
        counts = np.fromiter(map(len, ids), dtype=np.int32, count=len(ids))
        truncated = np.fromiter((bool(encoding.overflowing) for encoding in encodings), dtype=bool, count=len(ids))
        batch = pipeline.Batch(np.arange(len(ids)), (ids, counts), int(counts.sum()), None)
        return pipeline.Prepared([batch] if ids else [], counts, truncated)

    def _means(self, ids: Sequence[Sequence[int]], counts: NDArray[np.int32]) -> Float32:
        """(n, dim) float32, computed while the next block is tokenized."""
        rows = np.zeros((len(ids), self._rows.shape[1]), dtype=np.float32)
        # A single gather for all texts would be bound by memory, and 20 times slower.
        for row, ids_of_text in zip(rows, ids, strict=True):
            self._rows.take(ids_of_text, axis=0).sum(axis=0, out=row)
        rows /= np.maximum(counts, 1)[:, None]
        if self._normalize:
            rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-12))
        return rows

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """The model's similarity of row i with row i: (n, dim), (n, dim) -> (n,) float32."""
        return paired(left, right, similarity=self.facts.similarity)

    def close(self) -> None:
        """Do nothing: the model's memory is freed with the object."""


def _rows(model: SavedModel) -> Float32:
    """(tokens, dim) float32. Files of model2vec may hold fewer rows, a mapping from tokens to them, and weights."""
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
