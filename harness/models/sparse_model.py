"""Sparse encoders (SPLADE) by sentence-transformers: a weight for each token of the vocabulary. Owns `torch`."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.encoding.batches import MTEB_BATCH
from harness.models import dense_loading, library_models, model_prompts, read_texts
from harness.models.chunked_search import search_in_chunks
from harness.types import (
    Batching,
    Encoded,
    EncodeOptions,
    ModelSpec,
    Prompt,
    RankedDocuments,
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
        self._pairwise = model_prompts.opening(spec).similarity_pairwise
        self._model, self.facts, self._read = library_models.open_by_library(
            spec,
            options,
            class_name="SparseEncoder",
            similarity=lambda model: str(model.similarity_fn_name),
            unit="texts",
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
            batches_read = self._read.taken()
            of_each = read_texts.in_order(texts, batches_read)
            yield Encoded(rows, *of_each, tokens_padded=read_texts.total(batches_read).tokens_padded)

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
    ) -> RankedDocuments:
        """The best `k` documents of each query by the model's similarity, among all or among its candidates."""
        rows = self._sparse(queries, prompts.query, "query") if queries else None

        def scores(texts: Sequence[str]) -> Float32:
            compared = self._model.similarity(rows, self._sparse(texts, prompts.document, "document"))
            dense: Float32 = (compared.to_dense() if compared.is_sparse else compared).float().cpu().numpy()
            return dense

        hits = search_in_chunks(
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
        return read_texts.ranked(hits, self._read.taken())

    def close(self) -> None:
        """Free the model's memory."""
        del self._model
        gc.collect()

    def _sparse(self, texts: Sequence[str], prompt: Prompt, role: Role | None) -> Any:
        """The texts' vectors as a sparse tensor (n, vocabulary)."""
        encode = {None: self._model.encode, "query": self._model.encode_query, "document": self._model.encode_document}
        return encode[role](list(texts), prompt=prompt.text, batch_size=MTEB_BATCH, show_progress_bar=False)
