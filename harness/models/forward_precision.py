"""The precision of a forward pass: what was asked for -> what this machine will use. Decided here and nowhere else.

`auto` is the precision that the checkpoint holds, wherever the device computes in it, and fp32 elsewhere: the same
weights, exactly. Where mteb's loader names a precision, that one stands for the checkpoint's, because mteb runs the
model in it. `checkpoint` insists on it. fp32, fp16 and bf16 are taken as asked.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

from harness.errors import ModelError
from harness.models.model_prompts import opening
from harness.models.mteb_kind import is_run_by_mteb
from harness.types import EncodeOptions, ModelSpec, Precision

AS_STORED = "as stored"
"""The precision of a file that another backend than torch runs: each of its operations computes in what it says."""
_GPU_NODES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")
_CPU_INFO = Path("/proc/cpuinfo")
_UNITS: dict[Precision, frozenset[str]] = {
    "bf16": frozenset({"amx_bf16", "avx512_bf16", "bf16"}),
    "fp16": frozenset({"amx_fp16", "avx512_fp16", "fphp"}),
}
"""What Linux calls the units of a CPU that compute in half precision, on x86 and on ARM."""


def used_precision(spec: ModelSpec, options: EncodeOptions) -> str:
    """The precision that the record of a model will hold: `fp32` for baselines.

    It is `as stored` for a file that another backend than torch runs, and `unknown` for a Python callable, for a model
    behind an endpoint, and for one that mteb's loader opens.

    Raises:
        ModelError: as `forward_precision`.
    """
    if spec.origin in ("python", "endpoint") or is_run_by_mteb(spec):
        return "unknown"
    if spec.backend_file is not None:
        return AS_STORED
    return "fp32" if spec.origin == "baseline" else forward_precision(spec, options)


def forward_precision(spec: ModelSpec, options: EncodeOptions) -> Precision:
    """The precision of a forward pass on this machine.

    Torch is imported only where an NVIDIA GPU may decide.

    Raises:
        ModelError: there is no such precision, or the device does not exist here.
    """
    asked, of_mteb = options.precision, opening(spec).precision or spec.checkpoint_precision
    if asked in ("fp32", "fp16", "bf16"):
        return asked
    if asked == "checkpoint":
        return of_mteb
    if asked != "auto":
        raise ModelError(f"--precision {asked}: expected auto, fp32, fp16 or bf16, or checkpoint")
    if _may_be_a_gpu(options):
        from harness.models.devices import computes_in, pick_devices

        device = pick_devices(options.device)[0]
        if device.type != "cpu":
            return of_mteb if computes_in(device, of_mteb) else "fp32"
    return of_mteb if cpu_computes_in(of_mteb) else "fp32"


def cpu_computes_in(precision: Precision) -> bool:
    """Whether this CPU has units for a precision; without them half precision takes many times longer than fp32."""
    return precision == "fp32" or bool(_UNITS[precision] & _cpu_features(_CPU_INFO))


def remark(spec: ModelSpec, options: EncodeOptions) -> str:
    """One line about the precision for the screen, where there is something to say about it; else empty."""
    if (
        options.precision != "auto"
        or spec.origin in ("baseline", "python", "endpoint")
        or is_run_by_mteb(spec)
        or spec.backend_file
    ):
        return ""
    stored, used = spec.checkpoint_precision, forward_precision(spec, options)
    of_loader = opening(spec).precision or stored
    if of_loader != used:
        why = "which the checkpoint holds" if of_loader == stored else "in which mteb's loader opens it"
        return f"in {used}: this device does not compute in {of_loader}, {why}; --precision checkpoint insists on it"
    if of_loader != stored:
        return (
            f"in {used}, as mteb's loader opens it; the checkpoint holds {stored}, which --precision {stored} takes"
            f"{', recorded apart' if stored != 'fp32' else ''}"
        )
    if used == "fp32" and _may_be_a_gpu(options):
        from harness.models.devices import half_precision, pick_devices

        if pick_devices(options.device)[0].type == "cuda":
            return (
                f"in fp32, which the checkpoint holds; --precision {half_precision()} takes half the memory and less "
                "time, and is recorded apart"
            )
    return ""


def _may_be_a_gpu(options: EncodeOptions) -> bool:
    return options.device != "cpu" and (options.device == "mps" or any(Path(node).exists() for node in _GPU_NODES))


@functools.cache
def _cpu_features(file: Path) -> frozenset[str]:
    """What the CPU can do, in Linux's words; empty on another system."""
    try:
        lines = re.findall(r"^(?:flags|Features)\s*:(.*)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    except OSError:
        return frozenset()
    return frozenset(lines[0].split()) if lines else frozenset()
