"""Forward passes as lanes of the pipeline: a thread for each core of a CPU, or for each GPU. Owns `torch`.

On a CPU, a batch of a few thousand tokens on one core at a time wastes less than one large batch on all of them: no
thread waits for another in the middle of an operation, and the batch stays in the cache. What a row is does not depend
on the number of cores then. On a GPU, inputs are copied ahead and rows are fetched behind, without waiting in between.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from harness.encoding.pipeline import Launch
    from harness.types import Float32

_CPU_TOKENS = 1024
_MPS_TOKENS = 4096
_FEWEST_TOKENS, _MOST_TOKENS = 8192, 65_536
_NUMBERS_AT_ONCE = 1 << 25


def budget(device: torch.device, *, dimensions: int) -> int:
    """Padded tokens a batch: enough to fill the device, little enough to fit beside large weights.

    On CUDA a batch of 32 Mi numbers a layer keeps matrix products busy; out of memory halves a batch where this is
    too much.
    """
    if device.type == "cuda":
        return max(_FEWEST_TOKENS, min(_MOST_TOKENS, _NUMBERS_AT_ONCE // max(1, dimensions)))
    return _MPS_TOKENS if device.type == "mps" else _CPU_TOKENS


def lanes(
    forward: Callable[[Any, torch.device], torch.Tensor], devices: Sequence[torch.device], *, exact: bool
) -> list[Launch]:
    """One lane for each GPU; on a CPU one for each core, or with `exact` a single one with all cores, as mteb has it.

    Args:
        forward: (inputs, device) -> rows (n, dim) on that device.
        devices: where copies of the model lie; lanes of a CPU share one.
        exact: keep the arithmetic of a plain call, thread for thread.
    """
    import torch

    if devices[0].type == "cpu":
        cores = torch.get_num_threads()
        return [_on_cpu(forward, threads=cores)] if exact else [_on_cpu(forward, threads=1)] * cores
    if exact:
        devices = devices[:1]
    return [_on_cuda(forward, device) if device.type == "cuda" else _waiting(forward, device) for device in devices]


def _on_cpu(forward: Callable[[Any, torch.device], torch.Tensor], *, threads: int) -> Launch:
    import torch

    device, local = torch.device("cpu"), threading.local()

    def launch(inputs: Any) -> Callable[[], Float32]:
        if not getattr(local, "set", False):
            torch.set_num_threads(threads)  # of this thread only
            local.set = True
        with torch.inference_mode():
            rows: Float32 = forward(inputs, device).float().numpy()
        return lambda: rows

    return launch


def _waiting(forward: Callable[[Any, torch.device], torch.Tensor], device: torch.device) -> Launch:
    import torch

    def launch(inputs: Any) -> Callable[[], Float32]:
        with torch.inference_mode():
            rows: Float32 = forward(inputs, device).float().cpu().numpy()
        return lambda: rows

    return launch


def _on_cuda(forward: Callable[[Any, torch.device], torch.Tensor], device: torch.device) -> Launch:
    import torch

    def launch(inputs: Any) -> Callable[[], Float32]:
        with torch.inference_mode(), torch.cuda.device(device):
            rows = forward(inputs, device).float()
            host = torch.empty(rows.shape, dtype=torch.float32, pin_memory=True)
            host.copy_(rows, non_blocking=True)
            fetched = torch.cuda.Event()
            fetched.record()

        def wait() -> Float32:
            fetched.synchronize()
            arrived: Float32 = host.numpy()
            return arrived

        return wait

    return launch


def is_out_of_memory(err: BaseException) -> bool:
    """Whether `err` means that a smaller batch may work; what the device holds in reserve is given back."""
    import torch

    if isinstance(err, torch.OutOfMemoryError):
        torch.cuda.empty_cache()
        return True
    # On Apple's GPUs torch raises a plain RuntimeError, so that only its words tell.
    return isinstance(err, RuntimeError) and "out of memory" in str(err).lower()
