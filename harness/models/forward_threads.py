"""Forward passes as lanes of the pipeline: a thread for each core of a CPU, or one for a GPU. Owns `torch`.

On a CPU, small batches on one core each waste less than one large batch on all cores: no thread waits for another
within an operation, and a batch stays in the processor's cache. A vector then does not depend on the number of cores.
On a GPU, the host queues the next batch without waiting for the rows of the last one.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from harness.encoding.pipeline import Launch, Memory
    from harness.types import Float32

_CPU_TOKENS = 1024
_MPS_TOKENS = 4096
_FEWEST_TOKENS, _MOST_TOKENS = 8192, 65_536
_NUMBERS_OF_LAYER = 1 << 25
_LIMITING = threading.Lock()
_EXHAUSTED = re.compile(
    r"out of memory|can't allocate memory|(?:CUBLAS|CUSPARSE|CUSOLVER|CUDNN)_STATUS_\w*ALLOC\w*_FAILED"
    r"|cannot allocate memory",
    flags=re.IGNORECASE,
)


def budget(device: torch.device, *, dimensions: int) -> int:
    """Padded tokens in a batch: enough to keep the device busy, few enough to fit beside large weights.

    On CUDA, 32 Mi numbers in each layer keep matrix products busy. A batch that does not fit is halved.
    """
    if device.type == "cuda":
        return max(_FEWEST_TOKENS, min(_MOST_TOKENS, _NUMBERS_OF_LAYER // max(1, dimensions)))
    return _MPS_TOKENS if device.type == "mps" else _CPU_TOKENS


def lanes(forward: Callable[[Any], torch.Tensor], device: torch.device, *, exact: bool) -> list[Launch]:
    """One lane for a GPU; on a CPU one for each core, or with `exact` a single one with all cores, as in mteb.

    Args:
        forward: inputs -> rows (n, dim) on the device.
        device: where the model lies; lanes of a CPU share it.
        exact: use as many threads for an operation as a plain call does, so that the results are equal to the bit.
    """
    import torch

    if device.type == "cpu":
        cores = torch.get_num_threads()
        return [_on_cpu(forward, threads=cores)] if exact else [_on_cpu(forward, threads=1)] * cores
    return [_on_cuda(forward, device) if device.type == "cuda" else _blocking(forward)]


def _on_cpu(forward: Callable[[Any], torch.Tensor], *, threads: int) -> Launch:
    import torch

    local = threading.local()

    def launch(inputs: Any) -> Callable[[], Float32]:
        if not getattr(local, "set", False):
            _limit_this_thread(threads)
            local.set = True
        with torch.inference_mode():
            rows: Float32 = forward(inputs).float().numpy()
        return lambda: rows

    return launch


def _limit_this_thread(threads: int) -> None:
    """Let this thread compute with so many threads, and threads that start later with as many as before.

    `torch.set_num_threads` counts for the thread that calls it and for all that start later. So it is called again in
    a thread that ends at once.
    """
    import torch

    with _LIMITING:
        before = torch.get_num_threads()
        if before == threads:
            return
        torch.set_num_threads(threads)
        restoring = threading.Thread(target=torch.set_num_threads, args=(before,))
        restoring.start()
        restoring.join()


def _blocking(forward: Callable[[Any], torch.Tensor]) -> Launch:
    import torch

    def launch(inputs: Any) -> Callable[[], Float32]:
        with torch.inference_mode():
            rows: Float32 = forward(inputs).float().cpu().numpy()
        return lambda: rows

    return launch


def _on_cuda(forward: Callable[[Any], torch.Tensor], device: torch.device) -> Launch:
    import torch

    def launch(inputs: Any) -> Callable[[], Float32]:
        with torch.inference_mode(), torch.cuda.device(device):
            rows = forward(inputs).float()
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


def memory(device: torch.device) -> Memory:
    """What an encoder that has just been opened knows of the memory of its lanes: nothing yet."""
    from harness.encoding.pipeline import Memory

    if device.type == "cpu":
        return Memory(is_out_of_memory)
    import torch

    return Memory(is_out_of_memory, torch.cuda.empty_cache if device.type == "cuda" else torch.mps.empty_cache)


def is_out_of_memory(err: BaseException) -> bool:
    """Whether `err` means that a smaller batch may fit."""
    import torch

    if isinstance(err, torch.OutOfMemoryError | MemoryError):
        return True
    # Apple's GPUs, the CPU, and the libraries below CUDA have no class of their own: torch raises a plain RuntimeError,
    # which differs from others only by its message.
    return isinstance(err, RuntimeError) and bool(_EXHAUSTED.search(str(err)))
