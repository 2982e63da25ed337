"""The forward pass of BERT, RoBERTa, XLM-R and CamemBERT, as transformers 5.23 computes it. Owns `torch`.

Devlin et al. 2019 (arXiv:1810.04805): token, position and type embeddings, layers of self-attention and a GELU network
with post-layer normalization; then mean or CLS pooling as in sentence-transformers 6.2. With `exact`, the operations
are those of transformers in the same order, so that the results are equal to the bit; without it, the three projections
of attention are one matrix product.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.models import saved_modules

if TYPE_CHECKING:
    import torch

_PREFIXES = ("", "bert.", "roberta.", "model.")
_LAYER = {
    "out": "attention.output.dense",
    "norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "last": "output.LayerNorm",
}


class _Linear(NamedTuple):
    """Weights of a linear layer or of a layer normalization."""

    weight: torch.Tensor
    bias: torch.Tensor


class _Layer(NamedTuple):
    qkv: _Linear
    out: _Linear
    norm: _Linear
    up: _Linear
    down: _Linear
    last: _Linear


class Bert:
    """A BERT's weights.

    Args:
        weights: tensors by their names in the checkpoint, in the precision of the forward pass.
        config: `config.json`.
        pooling: `mean` or `cls`.
        normalize: whether the vectors get unit length.

    Raises:
        KeyError: a tensor is missing.
        LookupError: the embeddings have another shape than `config` says.
    """

    def __init__(
        self, weights: Mapping[str, torch.Tensor], config: Mapping[str, Any], *, pooling: str, normalize: bool
    ) -> None:
        import torch

        self._pooling, self._normalize = pooling, normalize
        self._heads, self._eps = int(config["num_attention_heads"]), float(config.get("layer_norm_eps", 1e-12))
        self._padding = saved_modules.padding(config)
        prefixes = [name for name in _PREFIXES if f"{name}embeddings.word_embeddings.weight" in weights]
        prefix = prefixes[0] if prefixes else ""

        def linear(name: str) -> _Linear:
            return _Linear(weights[f"{prefix}{name}.weight"], weights[f"{prefix}{name}.bias"])

        def layer(index: int) -> _Layer:
            path = f"encoder.layer.{index}."
            parts = [linear(f"{path}attention.self.{name}") for name in ("query", "key", "value")]
            fused = _Linear(torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts]))
            return _Layer(qkv=fused, **{key: linear(path + name) for key, name in _LAYER.items()})

        self._words = weights[f"{prefix}embeddings.word_embeddings.weight"]
        self._positions = weights[f"{prefix}embeddings.position_embeddings.weight"]
        self._type = weights[f"{prefix}embeddings.token_type_embeddings.weight"][0]
        self._norm = linear("embeddings.LayerNorm")
        self._layers = [layer(index) for index in range(int(config["num_hidden_layers"]))]
        self.dimensions = int(self._words.shape[1])
        rows = {"vocab_size": self._words, "max_position_embeddings": self._positions}
        if self.dimensions != config["hidden_size"] or any(
            table.shape[0] != config.get(name, table.shape[0]) for name, table in rows.items()
        ):
            raise LookupError("a checkpoint whose shapes are not those of its config.json")

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor, *, ragged: bool, exact: bool = False) -> torch.Tensor:
        """Vectors (n, dim) float32.

        Args:
            ids: (n, longest) int64 token ids, padded on the right.
            lengths: (n,) int64 tokens of each text.
            ragged: whether any text is shorter than the longest.
            exact: compute as transformers does, to the bit.
        """
        import torch
        from torch.nn import functional

        longest, width = ids.shape[1], self.dimensions
        hidden = functional.embedding(ids, self._words)
        hidden += self._type
        hidden += self._position_vectors(ids)
        hidden = functional.layer_norm(hidden, (width,), *self._norm, self._eps)
        present = torch.arange(longest, device=ids.device)[None] < lengths[:, None] if ragged else None
        mask = None if present is None else present[:, None, None, :].expand(-1, 1, longest, -1)
        for layer in self._layers:
            query, key, value = self._projected(hidden, layer.qkv, exact=exact)
            attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
            attended = attended.transpose(1, 2).reshape(hidden.shape)
            hidden = functional.linear(attended, *layer.out).add_(hidden)
            hidden = functional.layer_norm(hidden, (width,), *layer.norm, self._eps)
            inner = functional.gelu(functional.linear(hidden, *layer.up))
            hidden = functional.linear(inner, *layer.down).add_(hidden)
            hidden = functional.layer_norm(hidden, (width,), *layer.last, self._eps)
        if self._pooling == "cls":
            rows = hidden[:, 0]
        else:
            kept = hidden if present is None else hidden * present[:, :, None].to(hidden.dtype)
            rows = kept.sum(dim=1, dtype=torch.float32) / lengths[:, None].to(torch.float32)
        # sentence-transformers normalises in the precision of the forward pass.
        rows = rows.to(hidden.dtype) if exact else rows.float()
        return functional.normalize(rows, p=2, dim=1) if self._normalize else rows

    def _position_vectors(self, ids: torch.Tensor) -> torch.Tensor:
        """(longest, dim), or (n, longest, dim) for RoBERTa, which skips padding tokens, also inside a text."""
        from torch.nn import functional

        if self._padding is None:
            return self._positions[: ids.shape[1]]
        counted = (ids != self._padding).long()
        return functional.embedding(counted.cumsum(dim=1) * counted + self._padding, self._positions)

    def _projected(
        self, hidden: torch.Tensor, qkv: _Linear, *, exact: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Query, key and value, each (n, heads, longest, dim of a head)."""
        from torch.nn import functional

        count, longest, width = hidden.shape
        shape = (count, longest, self._heads, width // self._heads)
        if exact:
            weights, biases = qkv.weight.chunk(3), qkv.bias.chunk(3)
            parts = [functional.linear(hidden, *both) for both in zip(weights, biases, strict=True)]
        else:
            parts = list(functional.linear(hidden, *qkv).chunk(3, dim=-1))
        query, key, value = (part.view(shape).transpose(1, 2) for part in parts)
        return query, key, value


def load(model: saved_modules.SavedModel, *, dtype: torch.dtype) -> tuple[Bert, int]:
    """The model, and the number of its parameters.

    Raises:
        KeyError: the checkpoint lacks a tensor.
        OSError: there is no `model.safetensors`.
    """
    from safetensors.torch import load_file

    file = Path(model.module) / "model.safetensors"
    weights = {name: tensor for name, tensor in load_file(file).items() if tensor.is_floating_point()}
    converted = {name: tensor.to(dtype) for name, tensor in weights.items()}
    bert = Bert(converted, model.config, pooling=model.pooling, normalize=model.normalize)
    return bert, sum(tensor.numel() for tensor in weights.values())
