"""Texts laid end to end through a sentence-transformers model, without padding. Owns `torch`.

The transformer computes one row of tokens, in which positions begin anew with each text, and `packed_attention` keeps
the texts apart. Pooling and the modules after it compute in float32, whatever the precision of the transformer.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.models import packed_attention

if TYPE_CHECKING:
    import torch

    from harness.types import Int64

POOLINGS = ("mean", "cls", "lasttoken")
AFTER_POOLING = ("Dense", "Normalize", "LayerNorm", "Dropout")
"""Modules of sentence-transformers that change a text's vector by itself."""


class PackedTexts(NamedTuple):
    """Texts end to end, on the host.

    Attributes:
        ids: (tokens,) int64 token ids, at last those of the padded tail.
        lengths: tokens of each text, none of which is empty, and of the pieces of the tail.
        texts: how many of `lengths` are those of texts.
    """

    ids: torch.Tensor
    lengths: list[int]
    texts: int


class PackedForward:
    """A model that shares the weights of a `SentenceTransformer`, on its device.

    Args:
        model: a transformer, one of `POOLINGS`, and any of `AFTER_POOLING`.
    """

    def __init__(self, model: Any) -> None:
        import torch

        packed_attention.register()
        transformer = model[0].auto_model
        shared = {id(tensor): tensor for tensor in (*transformer.parameters(), *transformer.buffers())}
        self._transformer = copy.deepcopy(transformer, shared)
        self._transformer.set_attn_implementation(packed_attention.NAME)
        (self._pooling,) = pooling_modes(model[1])
        self._after = torch.nn.ModuleList(copy.deepcopy(module) for module in list(model)[2:]).float()
        self._first_position = _first_position(transformer)

    def __call__(self, packed: PackedTexts, device: torch.device) -> torch.Tensor:
        """(n, dim) float32 vectors of the texts, on the model's device."""
        import torch

        ids = packed.ids.to(device, non_blocking=True)
        counts = torch.tensor(packed.lengths).to(device, non_blocking=True)
        bounds = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
        firsts, ends = bounds[:-1], bounds[1:]
        positions = torch.arange(len(ids), device=device) - firsts.repeat_interleave(counts, output_size=len(ids))
        states = self._transformer(
            input_ids=ids[None],
            position_ids=positions[None] + self._first_position,
            lengths=packed.lengths,
            cu_seq_lens_q=bounds.int(),
            use_cache=False,
        ).last_hidden_state[0]
        if self._pooling == "mean":
            rows = torch.segment_reduce(states.float(), "mean", lengths=counts, unsafe=True)
        else:
            rows = states[firsts if self._pooling == "cls" else ends - 1].float()
        features = {"sentence_embedding": rows[: packed.texts]}
        for module in self._after:
            features = module(features)
        return features["sentence_embedding"]


def pack(ids: list[Int64], *, shape: int | None = None) -> PackedTexts:
    """Texts end to end.

    Args:
        ids: token ids of each text, (length,) int64; none is empty.
        shape: how many tokens the row shall have. What is missing is filled with pieces that are no longer than the
            longest text; what comes out depends on a batch's shape, so it is the same for every batch. None adds none.
    """
    import torch

    lengths = [len(text) for text in ids]
    total, longest = sum(lengths), max(lengths)
    tail = max(0, (shape or 0) - total)
    row = np.zeros(total + tail, dtype=np.int64)
    np.concatenate(ids, out=row[:total])
    row[total:] = ids[0][0]
    pieces = [longest] * (tail // longest) + ([tail % longest] if tail % longest else [])
    tensor = torch.from_numpy(row)
    pinned = tensor.pin_memory() if torch.cuda.is_available() else tensor
    return PackedTexts(pinned, [*lengths, *pieces], len(lengths))


def pooling_modes(pooling: Any) -> tuple[str, ...]:
    """How a pooling module of sentence-transformers makes a text's vector; several are put side by side."""
    mode = pooling.pooling_mode
    return (mode,) if isinstance(mode, str) else tuple(mode)


def _first_position(transformer: Any) -> int:
    """The position of a text's first token: RoBERTa and its relatives leave out those up to the padding token's id."""
    import torch

    for module in transformer.modules():
        padding = getattr(module, "padding_idx", None)
        if isinstance(padding, int) and isinstance(getattr(module, "position_embeddings", None), torch.nn.Embedding):
            return padding + 1
    return 0
