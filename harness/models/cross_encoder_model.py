"""Cross-encoders by sentence-transformers: a score for each query with each of its candidates."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.encoding.batches import MTEB_BATCH
from harness.errors import ModelError
from harness.evaluators import search
from harness.models import library_models, read_texts, scoring_head
from harness.types import EncodeOptions, ModelSpec, RankedDocuments, SidePrompts

if TYPE_CHECKING:
    from harness.types import Float32, Int64


class CrossEncoderRanker:
    """A `CrossEncoder`. Source of what is computed: mteb's `CrossEncoderWrapper` and `SearchCrossEncoderWrapper`."""

    def __init__(self, spec: ModelSpec, options: EncodeOptions) -> None:
        self._model, self.facts, self._read = library_models.open_by_library(
            spec, options, class_name="CrossEncoder", similarity=lambda model: "cross-encoder", unit="pairs"
        )
        if self._model.num_labels != 1:
            raise ModelError(
                f"model {spec.name}: gives {self._model.num_labels} scores for a pair of texts, and a reranker gives "
                "one; it is a classifier, which no task here is scored by"
            )
        scoring_head.run_in_float32(self._model)
        self._exact = options.batching == "mteb"

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
        """The best `k` candidates of each query, by the model's scores."""
        assert candidates is not None, "a plan leaves out tasks without candidates"
        at = [np.array(list(dict.fromkeys(places.tolist())), dtype=np.int64) for places in candidates]
        pairs = [
            (query, documents[place]) for query, places in zip(queries, at, strict=True) for place in places.tolist()
        ]
        scores = self._scores(pairs)
        top = search.TopK(len(queries), k=k, document_ids=document_ids)
        start = 0
        for row, places in enumerate(at):
            if len(places):
                top.fold(scores[None, start : start + len(places)], at=places, first_query=row)
            start += len(places)
        counts = read_texts.total(self._read.taken())
        return RankedDocuments(
            top.hits(),
            tokens_encoded=counts.tokens,
            tokens_padded=counts.tokens_padded,
            pairs=len(pairs),
            pairs_truncated=counts.truncated,
        )

    def _scores(self, pairs: list[tuple[str, str]]) -> Float32:
        """(n,) float32, a score for each pair. mteb's batches are the pairs in order; else pairs of like length."""
        step = MTEB_BATCH if self._exact else max(1, len(pairs))
        batches = [pairs[start : start + step] for start in range(0, len(pairs), step)]
        scores = [self._model.predict(batch, batch_size=MTEB_BATCH, show_progress_bar=False) for batch in batches]
        return np.concatenate(scores).astype(np.float32) if scores else np.empty(0, dtype=np.float32)

    def close(self) -> None:
        """Free the model's memory."""
        del self._model
        gc.collect()
