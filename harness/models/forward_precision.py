"""The precision of a forward pass: what was asked for -> what this machine will use. Decided here and nowhere else."""

from __future__ import annotations

from pathlib import Path

from harness.errors import ModelError
from harness.types import EncodeOptions, ModelSpec, Precision

_GPU_NODES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")


def used_precision(spec: ModelSpec, options: EncodeOptions) -> str:
    """The precision that the record of a model will hold: `fp32` for baselines, `unknown` for a Python callable.

    Raises:
        ModelError: as `forward_precision`.
    """
    if spec.origin == "python":
        return "unknown"
    return "fp32" if spec.origin == "baseline" else forward_precision(options)


def forward_precision(options: EncodeOptions) -> Precision:
    """The precision of a forward pass here: the one asked for; `auto` is half precision on CUDA, and fp32 elsewhere.

    Torch is imported only where an NVIDIA GPU may decide.

    Raises:
        ModelError: there is no such precision, or the device does not exist here.
    """
    if options.precision != "auto":
        if options.precision not in ("fp32", "fp16", "bf16"):
            raise ModelError(f"--precision {options.precision}: expected auto, fp32, fp16 or bf16")
        return options.precision
    if options.device == "cpu" or not any(Path(node).exists() for node in _GPU_NODES):
        return "fp32"
    from harness.models.devices import half_precision, pick_devices

    device = pick_devices(options.device)[0]
    return half_precision() if device.type == "cuda" else "fp32"
