"""Runs the layer that gives a cross-encoder's scores in float32, as mteb does: rounded scores tie. Owns `torch`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def run_in_float32(model: Any) -> None:
    """Let the last layer of a model in half precision compute in float32, on the weights as they are.

    Args:
        model: a `CrossEncoder`. Its scores come from a module `Dense`, from two logits of a language model, or from
            the classification head of the transformer.
    """
    import torch

    named = dict(model.named_modules())
    dense = [module for module in named.values() if getattr(module, "module_output_name", None) == "scores"]
    dense = [module for module in dense if type(module).__name__ == "Dense"]
    if dense:
        for layer in (getattr(dense[-1], "linear", None), getattr(dense[-1], "residual", None)):
            _upcast(layer)
        return
    logits = [module for module in named.values() if type(module).__name__ == "LogitScore"]
    if logits:
        head = model.transformers_model.get_output_embeddings()
        tokens = {token for module in logits for token in (module.true_token_id, module.false_token_id)}
        if isinstance(head, torch.nn.Linear) and _is_half(head):
            head.register_forward_hook(functools.partial(_logits_in_float32, sorted(tokens - {None})))
        return
    heads = [layer for layer in named.values() if isinstance(layer, torch.nn.Linear)]
    heads = [layer for layer in heads if layer.out_features == model.num_labels]
    _upcast(heads[-1] if heads else None)


def _upcast(layer: Any) -> None:
    import torch

    if isinstance(layer, torch.nn.Linear) and _is_half(layer):
        layer.forward = functools.partial(_linear_in_float32, layer)  # type: ignore[method-assign]


def _is_half(layer: torch.nn.Linear) -> bool:
    return layer.weight.is_floating_point() and layer.weight.element_size() < 4


def _linear_in_float32(layer: torch.nn.Linear, inputs: torch.Tensor) -> torch.Tensor:
    from torch.nn.functional import linear

    return linear(inputs.float(), layer.weight.float(), None if layer.bias is None else layer.bias.float())


def _logits_in_float32(
    tokens: list[int], layer: torch.nn.Linear, inputs: tuple[torch.Tensor, ...], output: torch.Tensor
) -> torch.Tensor:
    """Of a layer as wide as the vocabulary only the logits that are read."""
    from torch.nn.functional import linear

    bias = None if layer.bias is None else layer.bias[tokens].float()
    output = output.float()
    output[..., tokens] = linear(inputs[0].float(), layer.weight[tokens].float(), bias)
    return output
