"""Whether a model's batches are packed or padded: what the user asks, what the model is, and what a trial shows.

Packing is right for a model whose tokens meet only in attention that `packed_attention` computes. No list of
architectures says so: a few texts go through the model both ways, and the vectors must agree. Owns `torch`,
`transformers` and `sentence_transformers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.errors import ModelError, first_line
from harness.models import cuda_runtime, packed_attention
from harness.models.packed_forward import AFTER_POOLING, POOLINGS, PackedForward, pack, pooling_modes
from harness.types import EncodeOptions, Precision

if TYPE_CHECKING:
    import torch

    from harness.types import Int64

PACKED = "packed"
AS_ASKED = "padded: as asked"
ON_CPU = "padded: a CPU gains little by packing"
"""It saves the padding and no more (all-MiniLM-L6-v2: 3% of the time for 2,048 sentences, 20% for 200), and the trial
takes longer than that with a large model."""
AGREEMENT: Mapping[Precision, float] = {"fp32": 1e-5, "fp16": 1e-2, "bf16": 5e-2}
"""How far apart the two vectors of a text may be, as a part of their length. In fp32 no number of a unit vector may
differ by more; half precision rounds each by up to a five-hundredth (fp16: a four-thousandth) in every layer."""
_TEXT = "seven grey whales drift past an old harbour while two children count the lights of a train"
_TEXT_WORDS = (1, 90, 17, 17, 5)
"""How long the texts of the trial are, in words."""
_LONGEST_WINDOW = 8192


class Packing(NamedTuple):
    """How batches under a budget of tokens are computed.

    Attributes:
        encoding: `packed`, or `padded: ` with the reason.
        forward: what computes packed texts; None where batches are padded.
        attention: what computes attention; None where batches are padded.
    """

    encoding: str
    forward: PackedForward | None = None
    attention: str | None = None


def decide(
    model: Any, device: torch.device, options: EncodeOptions, precision: Precision, *, name: str, obstacle: str
) -> Packing:
    """Packed where that is asked for, or pays on this device, and gives the model's vectors; else padded.

    Args:
        model: the `SentenceTransformer`.
        device: where it lies.
        options: of which `batching` may ask for either.
        precision: of the forward pass.
        name: of the model.
        obstacle: why it cannot be packed, where that is known before its modules are looked at; else empty.

    Raises:
        ModelError: packed batches are asked for, and the model cannot be computed so.
    """
    if options.batching == "padded":
        return Packing(AS_ASKED)
    asked = options.batching == "packed"
    if not asked and device.type != "cuda":
        return Packing(ON_CPU if device.type == "cpu" else "padded: packing is not tried on this device")
    reason = obstacle or _of_modules(model)
    if not reason:
        try:
            forward = PackedForward(model)
            reason = _disagreement(model, forward, device, precision)
        except NotImplementedError as err:
            reason = str(err)
        except Exception as err:  # whatever an architecture raises that is not made for this
            reason = first_line(err)
    if reason and asked:
        raise ModelError(f"model {name}: --batching packed: {reason}; leave the option out", kind="request")
    if reason:
        return Packing(f"padded: {reason}")
    return Packing(PACKED, forward, packed_attention.kernel(device, precision))


def _of_modules(model: Any) -> str:
    """Why the modules of a model cannot compute packed texts, as far as they tell; empty where nothing does."""
    from sentence_transformers.models import Pooling, Transformer
    from transformers import PreTrainedModel

    modules = list(model)
    first = modules[0]
    if not isinstance(first, Transformer) or not isinstance(first.auto_model, PreTrainedModel):
        return f"{type(first).__name__} is no transformer"
    if not first.auto_model.is_backend_compatible() or not first.auto_model._can_set_attn_implementation():
        return f"{type(first.auto_model).__name__} does not stand on transformers' attention interface"
    outputs = getattr(first, "modality_config", None) or {}
    if outputs.get("text", {}).get("method_output_name", "last_hidden_state") != "last_hidden_state":
        return "its vectors are not pooled from the states of tokens"
    if len(modules) < 2 or not isinstance(modules[1], Pooling):
        return "no Pooling follows its transformer"
    modes = pooling_modes(modules[1])
    if len(modes) != 1 or modes[0] not in POOLINGS:
        return f"pooling {'+'.join(modes)}"
    if not modules[1].include_prompt:
        return "its pooling leaves prompts out"
    others = [type(module).__name__ for module in modules[2:] if type(module).__name__ not in AFTER_POOLING]
    return f"module {others[0]}" if others else ""


def _disagreement(model: Any, packed: PackedForward, device: torch.device, precision: Precision) -> str:
    """Why packed texts do not give the model's vectors, by a trial; empty where they do."""
    import torch
    from sentence_transformers.util import batch_to_device

    features = model.preprocess(_trial_texts(model))
    with torch.inference_mode(), cuda_runtime.pinned(device):
        ids = token_ids(features)
        padded = model(batch_to_device(dict(features), device))["sentence_embedding"].float()
        rows = packed(pack(ids), device)
        distance = float(((rows - padded) / padded.norm(dim=1, keepdim=True)).abs().max())
        if precision != "fp32":
            distance = float(((rows - padded).norm(dim=1) / padded.norm(dim=1)).max())
    limit = AGREEMENT[precision]
    return "" if distance <= limit else f"packed vectors differ by {distance:.1e}, more than {limit:g}"


def token_ids(features: Mapping[str, Any]) -> list[Int64]:
    """The token ids of each text of a padded batch, (length,) int64."""
    rows, masks = features["input_ids"].numpy(), features["attention_mask"].numpy().astype(bool)
    return [np.ascontiguousarray(row[mask]) for row, mask in zip(rows, masks, strict=True)]


def _trial_texts(model: Any) -> list[str]:
    """Texts of several lengths, one of them longer than the windows of attention."""
    words = list(_TEXT_WORDS)
    window = _window(model[0].auto_model.config)
    if window is not None and window <= _LONGEST_WINDOW:
        words.append(window + 20)  # no word is less than a token
    return [" ".join(islice(cycle(_TEXT.split()), count)) for count in words]


def _window(config: Any) -> int | None:
    windows = [getattr(config, name, None) for name in ("sliding_window", "local_attention")]
    return max((window for window in windows if isinstance(window, int)), default=None)
