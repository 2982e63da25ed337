"""What this process asks of CUDA, and which versions answer: the kernels of attention, the allocator. Owns `torch`."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from harness.types import Encoded

ATTENTION = "sdpa without cuDNN"
"""What `pinned` leaves to torch: flash attention where there is no mask, else memory-efficient attention."""
_ALLOCATOR_VARIABLES = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
_PINNING = threading.Lock()
_pins: list[bool] = []
"""What held before, for each `pinned` block that is open."""


@contextlib.contextmanager
def pinned(device: torch.device) -> Iterator[None]:
    """Compute attention on GPUs by the same kernels on every machine, while the block is open.

    torch would try cuDNN's attention first on some GPUs: it plans anew for each shape, which can take half a second,
    and its bits are others.
    """
    if device.type != "cuda":
        yield
        return
    from torch.backends import cuda

    with _PINNING:  # the setting is the process's, and several models may encode at once
        _pins.append(cuda.cudnn_sdp_enabled() if not _pins else _pins[0])
        cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        with _PINNING:
            before = _pins.pop()
            if not _pins:
                cuda.enable_cudnn_sdp(before)


def all_pinned(answers: Iterator[Encoded], device: torch.device) -> Iterator[Encoded]:
    """The answers, computed while attention is pinned."""
    with pinned(device):
        yield from answers


def grow_segments(device: torch.device) -> None:
    """Let torch enlarge what it has of a GPU's memory, so that batches of many shapes leave no holes there.

    Nothing is set where CUDA runs already, where the user sets the allocator, or in the processes that this one starts.
    """
    import torch

    if device.type != "cuda" or torch.cuda.is_initialized() or any(map(os.environ.get, _ALLOCATOR_VARIABLES)):
        return
    set_allocator = getattr(torch._C, "_accelerator_setAllocatorSettings", None)
    if set_allocator is not None:
        set_allocator("expandable_segments:True")


def versions(device: torch.device) -> dict[str, str] | None:
    """Of CUDA and cuDNN, as torch uses them; None for another device than a GPU of NVIDIA."""
    if device.type != "cuda":
        return None
    import torch

    return {"cuda": str(torch.version.cuda), "cudnn": str(torch.backends.cudnn.version())}
