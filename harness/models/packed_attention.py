"""Attention among texts that lie end to end in one row, for models on transformers' attention interface.

Owns `torch` and `transformers`.

A CUDA GPU computes all texts in one call of flash attention for sequences of different lengths (Dao 2023,
arXiv:2307.08691; `torch.nn.attention.varlen`), in half precision. Elsewhere, and in fp32, texts of one length that lie
side by side are computed together. No token of padding is computed, and no mask is needed but that of a window.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from harness.models import cuda_runtime
from harness.models.devices import DTYPES
from harness.types import Precision

if TYPE_CHECKING:
    import torch

NAME = "harness_packed"
"""Of the attention function, in the settings of a model."""
_CHANGES_SCORES = ("softcap", "s_aux", "position_bias")
"""What some architectures add to attention; it is not computed here."""


class Form(NamedTuple):
    """Which tokens of its text a token attends to.

    Attributes:
        causal: none after it.
        window: only those fewer tokens away; None for all.
        scale: of the scores; None for the root of the number of dimensions.
    """

    causal: bool
    window: int | None
    scale: float | None


def register() -> None:
    """Let transformers' models find the attention by `NAME`.

    No function for masks is registered under this name, so transformers makes none.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    lengths: Sequence[int],
    cu_seq_lens_q: torch.Tensor,
    scaling: float | None = None,
    sliding_window: int | None = None,
    is_causal: bool | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """The states after attention, (1, tokens, heads, dim of a head), as transformers' attention interface has it.

    Args:
        module: the layer, which says whether it is causal.
        query: (1, heads, tokens, dim of a head).
        key: (1, heads of keys, tokens, dim of a head); each head of keys serves a group of heads of queries.
        value: as `key`.
        attention_mask: None.
        lengths: tokens of each text, in the order in which the texts lie.
        cu_seq_lens_q: (n + 1,) int32 on the device, where each text begins, and where the last one ends.
        scaling: of the scores.
        sliding_window: a token attends to those that are fewer tokens away.
        is_causal: whether it attends to none after it; None leaves it to `module`.
        others: what the architecture passes besides.

    Raises:
        NotImplementedError: the architecture changes the scores of attention.
    """
    for name in _CHANGES_SCORES:
        if others.get(name) is not None:
            raise NotImplementedError(f"{type(module).__name__} passes {name} to attention")
    if is_causal is None:
        is_causal = bool(getattr(module, "is_causal", True))
    form = Form(is_causal and getattr(module.config, "is_causal", True), sliding_window, scaling)
    query, key, value = (states[0].transpose(0, 1) for states in (query, key, value))
    if query.is_cuda and query.dtype.itemsize == 2:
        attended = _in_one_call(query, key, value, cu_seq_lens_q, longest=max(lengths), form=form)
    else:
        attended = _by_length(query, key, value, lengths, form)
    return attended[None], None


def _in_one_call(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bounds: torch.Tensor,
    *,
    longest: int,
    form: Form,
) -> torch.Tensor:
    from torch.nn.attention.varlen import varlen_attn

    reach = -1 if form.window is None or form.window >= longest else form.window - 1
    unsplit: dict[str, Any] = _unsplit(query.device, query.dtype)
    attended: Any = varlen_attn(
        query.contiguous(),
        key.contiguous(),
        value.contiguous(),
        bounds,
        bounds,
        longest,
        longest,
        scale=form.scale,
        window_size=(reach, 0 if form.causal else reach),
        enable_gqa=key.shape[1] != query.shape[1],
        **unsplit,
    )
    return cast("torch.Tensor", attended)


@functools.cache
def _unsplit(device: torch.device, dtype: torch.dtype) -> dict[str, int]:
    """The argument by which a row does not depend on the texts beside it, where this kernel takes it.

    Version 3 of flash attention splits the keys of a text by how much there is to do; version 2 refuses the argument
    and never splits them in texts of different lengths.
    """
    import torch
    from torch.nn.attention.varlen import varlen_attn

    if "num_splits" not in inspect.signature(varlen_attn).parameters:
        return {}
    states = torch.zeros((2, 1, 64), device=device, dtype=dtype)
    bounds = torch.tensor([0, 2], device=device, dtype=torch.int32)
    try:
        varlen_attn(states, states, states, bounds, bounds, 2, 2, num_splits=1)
    except RuntimeError:
        return {}
    return {"num_splits": 1}


def _by_length(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: Sequence[int], form: Form
) -> torch.Tensor:
    """(tokens, heads, dim of a head); neighbours of one length go through one call."""
    from torch.nn import functional

    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (states.repeat_interleave(groups, dim=1) for states in (key, value))
    attended = query.new_empty((*query.shape[:2], value.shape[2]))
    for start, count, length in _runs(lengths):
        part = slice(start, start + count * length)
        queries, keys, values = (
            states[part].unflatten(0, (count, length)).transpose(1, 2) for states in (query, key, value)
        )
        in_window = form.window is None or form.window >= length
        rows = functional.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=None if in_window else _near(length, form, query.device),
            is_causal=form.causal and in_window,
            scale=form.scale,
        )
        attended[part].unflatten(0, (count, length)).copy_(rows.transpose(1, 2))
    return attended


def _runs(lengths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """(first token, number of texts, tokens of each) of neighbours that are equally long."""
    start = 0
    for length, equals in groupby(lengths):
        count = sum(1 for _ in equals)
        yield start, count, length
        start += count * length


def _near(length: int, form: Form, device: torch.device) -> torch.Tensor:
    """(length, length) bool, whether a token attends to another."""
    import torch

    assert form.window is not None
    places = torch.arange(length, device=device)
    distance = places[:, None] - places
    near = distance.abs() < form.window
    return near & (distance >= 0) if form.causal else near


def kernel(device: torch.device, precision: Precision) -> str:
    """What computes attention, for the record."""
    if device.type != "cuda" or precision == "fp32":
        return "sdpa by length" if device.type != "cuda" else f"{cuda_runtime.ATTENTION}, by length"
    import torch

    unsplit = _unsplit(device, getattr(torch, DTYPES[precision]))
    return "varlen, num_splits=1" if unsplit else "varlen"
