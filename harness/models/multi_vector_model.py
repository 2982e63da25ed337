"""Multi-vector models by sentence-transformers 6: a vector for each token, compared by MaxSim."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.encoding.batches import MTEB_BATCH
from harness.models import library_models, read_texts
from harness.models.chunked_search import search_in_chunks
from harness.types import EncodeOptions, ModelSpec, Prompt, RankedDocuments, SidePrompts

if TYPE_CHECKING:
    from harness.types import Float32, Int64

_DOCUMENTS_AT_ONCE = 1024
"""Documents that are encoded before they are compared: bounds memory, together with the next two."""
_COMPARED_QUERIES = 32
_COMPARED_DOCUMENTS = 128


class MultiVectorModel:
    """A `MultiVectorEncoder`. Source of what is computed: mteb's `MultiVectorWrapper`."""

    def __init__(self, spec: ModelSpec, options: EncodeOptions) -> None:
        self._model, facts, self._read = library_models.open_by_library(
            spec, options, class_name="MultiVectorEncoder", similarity=lambda model: "maxsim", unit="texts"
        )
        self.facts = replace(facts, dimensions=self._model.get_embedding_dimension())

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
        """The best `k` documents of each query by MaxSim, among all or among its candidates."""
        rows = self._vectors(queries, prompts.query, query=True)
        hits = search_in_chunks(
            len(queries),
            documents,
            document_ids=document_ids,
            candidates=candidates,
            k=k,
            encode=lambda texts: self._vectors(texts, prompts.document, query=False),
            compare=lambda queries, chunk, at: self._compared(
                rows[queries], chunk if at is None else [chunk[place] for place in at]
            ),
            documents_at_once=_DOCUMENTS_AT_ONCE,
            queries_at_once=_COMPARED_QUERIES,
        )
        return read_texts.ranked(hits, self._read.taken())

    def close(self) -> None:
        """Free the model's memory."""
        del self._model
        gc.collect()

    def _vectors(self, texts: Sequence[str], prompt: Prompt, *, query: bool) -> list[Any]:
        """For each text a tensor (tokens, dim) on the CPU. Texts of like length share a batch, as in mteb."""
        encode = self._model.encode_query if query else self._model.encode_document
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        vectors: list[Any] = [None] * len(texts)
        for start in range(0, len(order), MTEB_BATCH):
            batch = order[start : start + MTEB_BATCH]
            answers = encode(
                [texts[place] for place in batch],
                prompt=prompt.text,
                batch_size=MTEB_BATCH,
                show_progress_bar=False,
            )
            for place, answer in zip(batch, answers, strict=True):
                vectors[place] = answer.cpu()
        return vectors

    def _compared(self, queries: list[Any], documents: list[Any]) -> Float32:
        """(queries, documents) float32 similarities."""
        device = self._model.device
        there = [vectors.to(device) for vectors in queries]
        scores = []
        for start in range(0, len(documents), _COMPARED_DOCUMENTS):
            block = [vectors.to(device) for vectors in documents[start : start + _COMPARED_DOCUMENTS]]
            scores.append(self._model.similarity(there, block, device=device).float().cpu().numpy())
        return np.concatenate(scores, axis=1)
