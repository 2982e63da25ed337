"""Devices of this machine, and the precisions in which they compute. Owns `torch`."""

from __future__ import annotations

import os
import platform
import re
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import ModelError
from harness.types import Precision
from harness.types.counted import counted

if TYPE_CHECKING:
    import torch

DTYPES: dict[Precision, str] = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


class Device(NamedTuple):
    """A device and the precisions in which a small forward pass gives finite numbers."""

    device: str
    name: str
    memory_gib: float
    precisions: list[str]


_EXPECTED = "expected auto, cpu, cuda, cuda:N, cuda:all or mps, or several GPUs with commas (cuda:0,cuda:1)"
_ONE = r"cpu|cuda(:\d+)?|mps"
_NAMES = re.compile(rf"auto|cuda:all|({_ONE})(\s*,\s*({_ONE}))*")


def require_device_names(names: str) -> None:
    """Refuse what cannot name devices on any machine; imports nothing.

    Raises:
        ModelError: `names` is not a value of `--device`.
    """
    if not _NAMES.fullmatch(names):
        raise ModelError(f"--device {names}: unknown device; {_EXPECTED}")


def require_devices(names: str) -> None:
    """Refuse devices that this machine lacks, before anything is asked of the hub. torch is imported for GPUs alone.

    Raises:
        ModelError: as `pick_devices`.
    """
    require_device_names(names)
    if names not in ("auto", "cpu"):
        pick_devices(names)


def pick_device(name: str) -> torch.device:
    """The device of this name; `auto` is the first CUDA device, else Apple's MPS, else the CPU.

    Raises:
        ModelError: the device does not exist here.
    """
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda:0")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as err:
        raise ModelError(f"--device {name}: unknown device; {_EXPECTED}") from err
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        present = counted(torch.cuda.device_count(), "CUDA device")
        raise ModelError(f"--device {name}: this machine has {present}; use --device cpu")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ModelError("--device mps: this machine has no MPS device; use --device cpu")
    if device.type not in ("cpu", "cuda", "mps"):
        raise ModelError(f"--device {name}: unknown device; {_EXPECTED}")
    return device


def may_be_several(names: str) -> bool:
    """Whether `--device` may name several devices."""
    return names == "cuda:all" or "," in names


def pick_devices(names: str) -> list[torch.device]:
    """The devices of `--device`: one, several with commas (`cuda:0,cuda:1`), or `cuda:all`.

    Raises:
        ModelError: a device does not exist here, is named twice, or is named beside others and is not a GPU.
    """
    import torch

    if names == "cuda:all":
        pick_device("cuda")
        return [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    devices = [pick_device(name.strip()) for name in names.split(",")]
    if len(devices) > 1 and (any(device.type != "cuda" for device in devices) or len(set(devices)) < len(devices)):
        raise ModelError(f"--device {names}: several devices must be different GPUs (cuda:0,cuda:1), or cuda:all")
    return devices


def pick_single_device(name: str) -> torch.device:
    """The device of this name, for a kind of model that runs on one.

    Raises:
        ModelError: it does not exist here, or there are several.
    """
    devices = pick_devices(name)
    if len(devices) > 1:
        raise ModelError(f"--device {name}: this kind of model runs on one device; name one")
    return devices[0]


def half_precision() -> Precision:
    """The half precision that the CUDA GPUs here compute in: bf16 where the hardware has it, else fp16."""
    import torch

    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def computes_in(device: torch.device, precision: Precision) -> bool:
    """Whether a GPU has units for a precision."""
    import torch

    if precision == "bf16":
        return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return True


def device_name(device: torch.device) -> str:
    """The product name of a device, for the record."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


def probe() -> list[Device]:
    """Every device that torch sees, with the precisions that a small forward pass was tried in with success."""
    import torch

    devices = [torch.device("cpu")]
    devices += [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append(torch.device("mps"))
    return [
        Device(str(device), device_name(device), _memory_gib(device), [name for name in DTYPES if _works(device, name)])
        for device in devices
    ]


def _works(device: torch.device, precision: Precision) -> bool:
    import torch

    dtype = getattr(torch, DTYPES[precision])
    try:
        with torch.inference_mode():
            rows = torch.linspace(-1, 1, 2 * 4 * 8 * 16, device=device).reshape(2, 4, 8, 16).to(dtype)
            attended = torch.nn.functional.scaled_dot_product_attention(rows, rows, rows)
            return bool(torch.isfinite(torch.nn.functional.layer_norm(attended, (16,)).float()).all())
    except RuntimeError:
        return False


def _memory_gib(device: torch.device) -> float:
    import torch

    if device.type == "cuda":
        return round(torch.cuda.get_device_properties(device).total_memory / 2**30, 1)
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return 0.0
