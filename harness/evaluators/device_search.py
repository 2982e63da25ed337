"""Exact top-k search on the device of the model, in float32 and with the ties of `search`. Owns `torch`.

The running result of a query is `k` signed 64-bit keys: above, the bits of the float32 score as an integer in the order
of scores; below, the rank of the document's id. See `search`, whose keys are unsigned and otherwise the same. On CUDA
all work is queued in a stream of its own, so that the model encodes the next documents meanwhile. TF32 stays off.

Scores of another matrix product may differ from those of `search` in the last bits. Hits are the best by the scores
that they carry.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import HarnessError
from harness.evaluators.search import places_by_id
from harness.types import Hits

if TYPE_CHECKING:
    import torch

    from harness.types import Float32, Int64

_SCORES_AT_ONCE = 1 << 25
"""The most scores of one group of queries: with keys and copies about 1 GiB."""
_FEWEST_SCORES = 1 << 20
_LOWER_BITS = 0xFFFFFFFF
_ALL_BUT_SIGN = 0x7FFFFFFF
_NOTHING = -(1 << 63)


def search(
    queries: Float32,
    blocks: Iterable[Float32],
    *,
    document_ids: Sequence[str],
    k: int,
    similarity: str,
    device: str,
    candidates: Sequence[Int64] | None = None,
) -> Hits:
    """The best `k` documents of each query, exactly: of the whole corpus, or of the query's own candidates.

    Args:
        queries: (n_queries, dim) float32.
        blocks: the vectors of the corpus in order, in pieces (m, dim) float32 of any size.
        document_ids: ids of all documents, in the order of the blocks.
        k: depth of the ranking.
        similarity: one of `similarity.NAMES`.
        device: where to search, as torch names it.
        candidates: for every query, the positions of the documents to rank; None to rank all.

    Raises:
        HarnessError: the device has no memory left.
    """
    depth = k if candidates is None else min(k, max(map(len, candidates), default=0))
    wanted = None if candidates is None else [np.unique(places) for places in candidates]
    top = _TopK(queries, k=depth, document_ids=document_ids, similarity=similarity, device=device)
    start = 0
    for block in blocks:
        if start + len(block) <= len(document_ids):
            top.fold(block, start=start, candidates=wanted)
        start += len(block)
    if start != len(document_ids):
        raise ValueError(f"{start} document vectors for {len(document_ids)} document ids")
    return top.hits()


class _TopK:
    """The best `k` documents of every query so far, on a device."""

    def __init__(self, queries: Float32, *, k: int, document_ids: Sequence[str], similarity: str, device: str) -> None:
        import torch

        self._device, self._similarity = torch.device(device), similarity
        self._stream = torch.cuda.Stream(self._device) if self._device.type == "cuda" else None
        self._at_once = _SCORES_AT_ONCE
        self._by_rank = places_by_id(document_ids)
        ranks = np.empty(len(document_ids), dtype=np.int64)
        ranks[self._by_rank] = np.arange(len(document_ids))
        shape = (len(queries), min(k, len(document_ids)))
        with self._queued():
            self._ranks = torch.from_numpy(ranks).to(self._device)
            self._queries = self._prepared(queries)
            self._keys = torch.full(shape, _NOTHING, dtype=torch.int64, device=self._device)

    def fold(self, block: Float32, *, start: int, candidates: Sequence[Int64] | None) -> None:
        """Add the documents of a block, or those of them that are candidates; returns before the device is done."""
        if not len(block) or not len(self._queries):
            return
        with self._queued():
            documents = self._prepared(block)
            if candidates is None:
                ranks = self._ranks[start : start + len(block)]
                self._fold_groups(documents, ranks)
                return
            for row, places in enumerate(candidates):
                here = places[(places >= start) & (places < start + len(block))]
                if len(here):
                    at = self._on_device(here)
                    self._merge(slice(row, row + 1), documents[at - start], self._ranks[at])

    def hits(self) -> Hits:
        """The ranking, best first; -1 pads where fewer than `k` documents were folded in."""
        import torch

        with self._queued():
            keys = torch.sort(self._keys, dim=1, descending=True).values.cpu().numpy()
        ranks, upper = keys & _LOWER_BITS, keys >> 32
        bits = np.where(upper < 0, upper ^ _ALL_BUT_SIGN, upper).astype(np.int32)
        is_hit = keys != _NOTHING
        indices = np.where(is_hit, self._by_rank[np.where(is_hit, ranks, 0)], -1) if keys.size else keys
        return Hits(indices=indices, scores=bits.view(np.float32))

    def _fold_groups(self, documents: torch.Tensor, ranks: torch.Tensor) -> None:
        """Compare all queries with documents, as many at a time as memory allows."""
        import torch

        first = 0
        while first < len(self._queries):
            step = max(1, self._at_once // len(documents))
            reason = ""
            try:
                self._merge(slice(first, first + step), documents, ranks)
            except torch.OutOfMemoryError as err:
                reason = str(err).partition("\n")[0]
            if not reason:
                first += step
                continue
            self._at_once //= 2  # after the handler: its traceback holds the tensors of the attempt
            if self._at_once < _FEWEST_SCORES:
                raise HarnessError(f"searching on {self._device}: no memory is left ({reason})", kind="resource")
            torch.cuda.empty_cache()

    def _merge(self, rows: slice, documents: torch.Tensor, ranks: torch.Tensor) -> None:
        import torch

        scores = _scores(self._queries[rows], documents, similarity=self._similarity)
        bits = (scores + 0.0).view(torch.int32)  # + 0.0 makes -0.0 equal 0.0
        ordered = torch.where(bits < 0, bits ^ _ALL_BUT_SIGN, bits).to(torch.int64)
        merged = torch.cat([self._keys[rows], (ordered << 32) | ranks], dim=1)
        self._keys[rows] = torch.topk(merged, self._keys.shape[1], dim=1, sorted=False).values

    def _prepared(self, vectors: Float32) -> torch.Tensor:
        """(n, dim) on the device, of unit length for cosine, as `similarity.prepare` makes them."""
        import torch

        rows = self._on_device(np.ascontiguousarray(vectors, dtype=np.float32))
        if self._similarity != "cosine":
            return rows
        return rows / torch.linalg.vector_norm(rows, dim=1, keepdim=True).clamp_min(1e-12)

    def _on_device(self, array: Float32 | Int64) -> torch.Tensor:
        import torch

        tensor = torch.from_numpy(array)
        if self._stream is None:
            return tensor.to(self._device)
        return tensor.pin_memory().to(self._device, non_blocking=True)

    @contextlib.contextmanager
    def _queued(self) -> Iterator[None]:
        """Work in this block goes to the stream, in full float32."""
        import torch

        precision = torch.get_float32_matmul_precision()
        if precision != "highest":
            torch.set_float32_matmul_precision("highest")
        try:
            with torch.inference_mode(), torch.cuda.stream(self._stream):
                yield
        finally:
            if precision != "highest":
                torch.set_float32_matmul_precision(precision)


def _scores(queries: torch.Tensor, documents: torch.Tensor, *, similarity: str) -> torch.Tensor:
    """As `similarity.block_scores`: (q, dim), (m, dim) -> (q, m), higher is nearer."""
    import torch

    if similarity in ("cosine", "dot"):
        return queries @ documents.T
    if similarity == "euclidean":
        squares = (queries**2).sum(1)[:, None] - 2 * (queries @ documents.T) + (documents**2).sum(1)
        return -squares.clamp_min(0).sqrt()
    if similarity == "manhattan":
        return -torch.cdist(queries, documents, p=1)
    raise ValueError(f"unknown similarity {similarity!r}")
