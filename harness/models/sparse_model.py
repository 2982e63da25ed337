"""Sparse encoders (SPLADE) by sentence-transformers: a weight for each token of the vocabulary. Owns `torch`."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.encoding.batches import MTEB_BATCH
from harness.models import dense_loading, model_prompts
from harness.models.chunked_search import search_in_chunks
from harness.models.devices import device_name, pick_single_device
from harness.models.forward_precision import forward_precision
from harness.types import (
    Batching,
    Encoded,
    EncodeOptions,
    EncoderFacts,
    Hits,
    ModelSpec,
    Prompt,
    PromptRules,
    Role,
    SidePrompts,
)

if TYPE_CHECKING:
    from harness.types import Float32, Int64

_DOCUMENTS_AT_ONCE = 2048
"""Documents that are encoded and compared before the next ones: bounds memory."""


class SparseModel:
    """A `SparseEncoder`. It searches by itself, because the vectors of a corpus would fill the memory when dense.

    Everything but retrieval is scored from dense vectors, as in mteb's `SparseEncoderWrapper`.
    """

    def __init__(self, spec: ModelSpec, options: EncodeOptions) -> None:
        device = pick_single_device(options.device)
        precision = forward_precision(spec, options)
        opening = model_prompts.opening(spec)
        self._pairwise = opening.similarity_pairwise
        self._model = dense_loading.load(spec, opening, device, precision, class_name="SparseEncoder")
        prompts = {name: text for name, text in self._model.prompts.items() if text is not None}
        self.facts = EncoderFacts(
            backend="sentence-transformers",
            device=str(device),
            device_name=device_name(device),
            precision=precision,
            max_length=self._model.max_seq_length,
            similarity=str(self._model.similarity_fn_name),
            parameters=sum(parameter.numel() for parameter in self._model.parameters()),
            batching=f"{MTEB_BATCH} texts",
            prompts=model_prompts.prompt_rules(
                spec, PromptRules(prompts=prompts, default=self._model.default_prompt_name)
            ),
        )

    def identity(self, *, prompt: Prompt, role: Role | None) -> None:
        """None, so that vectors are not cached: they are as long as the vocabulary."""

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "tokens"
    ) -> Iterator[Encoded]:
        """The (n, vocabulary) float32 vectors of each block."""
        for texts in blocks:
            # In mteb's batches the texts are in order already, and a call that sorts them may mix those of one length.
            step = MTEB_BATCH if batching == "mteb" else max(1, len(texts))
            batches = [texts[start : start + step] for start in range(0, len(texts), step)]
            dense = [self._sparse(batch, prompt, role).to_dense().float().cpu().numpy() for batch in batches]
            rows = np.concatenate(dense) if dense else np.empty((0, 0), dtype=np.float32)
            self.facts = replace(self.facts, dimensions=rows.shape[-1])  # no setting of the model says so
            yield Encoded(rows, None, None)

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """The model's similarity of row i with row i: (n, dim), (n, dim) -> (n,) float32."""
        import torch

        return dense_loading.pairwise_similarity(self._model, self._pairwise)(
            torch.from_numpy(left), torch.from_numpy(right)
        ).numpy()

    def search(
        self,
        queries: Sequence[str],
        documents: Sequence[str],
        *,
        document_ids: Sequence[str],
        candidates: Sequence[Int64] | None,
        k: int,
        languages: Sequence[str],
        prompts: SidePrompts,
    ) -> Hits:
        """The best `k` documents of each query by the model's similarity, among all or among its candidates."""
        rows = self._sparse(queries, prompts.query, "query") if queries else None

        def scores(texts: Sequence[str]) -> Float32:
            compared = self._model.similarity(rows, self._sparse(texts, prompts.document, "document"))
            dense: Float32 = (compared.to_dense() if compared.is_sparse else compared).float().cpu().numpy()
            return dense

        return search_in_chunks(
            len(queries),
            documents,
            document_ids=document_ids,
            candidates=candidates,
            k=k,
            encode=scores,
            compare=lambda rows, chunk, at: chunk[rows] if at is None else chunk[rows, at],
            documents_at_once=_DOCUMENTS_AT_ONCE,
            queries_at_once=max(1, len(queries)),
        )

    def close(self) -> None:
        """Free the model's memory."""
        del self._model
        gc.collect()

    def _sparse(self, texts: Sequence[str], prompt: Prompt, role: Role | None) -> Any:
        """The texts' vectors as a sparse tensor (n, vocabulary)."""
        encode = {None: self._model.encode, "query": self._model.encode_query, "document": self._model.encode_document}
        return encode[role](list(texts), prompt=prompt.text, batch_size=MTEB_BATCH, show_progress_bar=False)
